// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { DEFAULT_MESSAGE, HttpError, STREAM_EXCEPTIONS, TEXT } from './protocol/errors.js';

/** When a fault strikes: after the nth output event, or after `name`, `name#n`, `in:name#n`, `out:name#n`. */
const after = z.union([
  z.int().min(0),
  z
    .string()
    .regex(/^(?:(?:in|out):)?[A-Za-z]+(?:#[1-9]\d*)?$/, 'is name, name#n, in:name#n or a number'),
]);
const common = {
  /** How many sessions (or requests) it strikes.  @default 1 */
  times: z.int().min(1).optional(),
  /** Only the session with this id. */
  session: z.string().optional(),
};
const atConnect = { ...common };
const during = { ...common, after: after.optional() };

const faultSchema = z.discriminatedUnion('kind', [
  // Before the stream, as HTTP errors.
  z.strictObject({ kind: z.literal('throttle'), ...atConnect }),
  z.strictObject({ kind: z.literal('access-denied'), ...atConnect }),
  z.strictObject({ kind: z.literal('model-not-ready'), ...atConnect }),
  z.strictObject({
    kind: z.literal('http'),
    ...atConnect,
    status: z.int().min(400).max(599),
    type: z.string(),
    message: z.string().optional(),
  }),
  /** Response headers wait, and every event with them. */
  z.strictObject({ kind: z.literal('late-headers'), ...common, delayMs: z.number().min(0) }),
  // During the stream.
  z.strictObject({
    kind: z.literal('exception'),
    ...during,
    type: z.string().optional(),
    message: z.string().optional(),
  }),
  /** RST_STREAM; `code` of HTTP/2, 2 is INTERNAL_ERROR. */
  z.strictObject({ kind: z.literal('reset'), ...during, code: z.int().min(0).optional() }),
  /** The TCP connection is closed under the stream, as when the server dies. */
  z.strictObject({ kind: z.literal('kill'), ...during }),
  /** The network delivers nothing for so long, in either direction; then everything at once, as after a lost packet. */
  z.strictObject({ kind: z.literal('stall'), ...during, durationMs: z.number().min(1) }),
  /** GOAWAY; the stream goes on. */
  z.strictObject({ kind: z.literal('goaway'), ...during }),
  /** Nothing is sent any more, not even the end. */
  z.strictObject({ kind: z.literal('silent'), ...during }),
  /** An event that cannot be read: no JSON, no event in it, or a wrong checksum. */
  z.strictObject({
    kind: z.literal('malformed'),
    ...during,
    form: z.enum(['json', 'empty', 'checksum']).optional(),
  }),
  z.strictObject({ kind: z.literal('unknown-event'), ...during }),
  /** The input is read slowly: the client's writes back up. */
  z.strictObject({
    kind: z.literal('slow-reader'),
    ...during,
    bytesPerSecond: z.number().min(1).optional(),
  }),
  // What the real service does at times; for the rest of the session.
  /** Every event of this name is sent twice. */
  z.strictObject({ kind: z.literal('duplicate'), ...common, event: z.string() }),
  /** The USER text comes before userSpeechEnd. */
  z.strictObject({ kind: z.literal('text-before-speech-end'), ...common }),
  /** A barge-in shows as userSpeechStart alone. */
  z.strictObject({ kind: z.literal('bare-barge-in'), ...common }),
  /** The assistant's FINAL texts never come. */
  z.strictObject({ kind: z.literal('no-final-text'), ...common }),
  /** Typed text is followed by an empty USER text. */
  z.strictObject({ kind: z.literal('empty-user-text'), ...common }),
  /** Typed text interrupts and is not answered. */
  z.strictObject({ kind: z.literal('typed-text-ignored'), ...common }),
  /** Audio while a tool call waits for its result is refused. */
  z.strictObject({ kind: z.literal('deaf-during-tool'), ...common }),
  /** userSpeechStart and userSpeechEnd without a transcript, as in noise. */
  z.strictObject({
    kind: z.literal('false-speech'),
    ...during,
    durationMs: z.number().min(1).optional(),
  }),
  /** The stream ends because of what was said. */
  z.strictObject({ kind: z.literal('content-filter'), ...during }),
]);

/** A fault to inject: what happens, when, and how often. */
export type Fault = z.infer<typeof faultSchema>;
/** Name of a kind of fault, like `throttle`. */
export type FaultKind = Fault['kind'];

/** Every kind of fault. */
export const FAULT_KINDS = faultSchema.options.map(
  (option) => option.shape.kind.value,
) as FaultKind[];

/** Default of `slow-reader`: about a ninth of what a microphone at 32 ms a frame sends. */
export const SLOW_BYTES_PER_SECOND = 8_000;

/** Default of `false-speech`. */
export const FALSE_SPEECH_MS = 500;

/** @throws Error of one sentence that names the field */
export function checkFault(value: unknown): Fault {
  const result = faultSchema.safeParse(value);
  if (result.success) return result.data;
  const kind = (value as { kind?: unknown } | null)?.kind;
  if (!FAULT_KINDS.includes(kind as FaultKind)) {
    throw new Error(
      `fault ${JSON.stringify(kind)} is unknown; there are ${FAULT_KINDS.join(', ')}.`,
    );
  }
  const [issue] = result.error.issues;
  const field = issue?.path.join('.');
  throw new Error(`fault ${kind}: ${field ? `${field}: ` : ''}${issue?.message}.`);
}

/**
 * Reads a fault from a flag: `kind` or `kind:name=value,name=value`.
 *
 * @example `exception:type=modelTimeoutException,after=audioOutput#3`
 */
export function parseFault(flag: string): Fault {
  const [, kind = flag, rest = ''] = /^([^:]+):(.*)$/s.exec(flag) ?? [];
  const fault: Record<string, unknown> = { kind };
  for (const pair of rest.split(',').filter(Boolean)) {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
    if (!name) throw new Error(`fault ${kind}: ${JSON.stringify(pair)} is not name=value.`);
    fault[name] = /^\d+(\.\d+)?$/.test(value as string) ? Number(value) : value;
  }
  return checkFault(fault);
}

/** A fault that is set, with how often it may still strike. */
export interface ActiveFault {
  /** What removes it: `clearFaults(id)`. */
  id: number;
  /** As it was set. */
  fault: Fault;
  /** How many sessions it may still strike. */
  left: number;
}

/** The faults that are set. */
export class FaultSet {
  private active: ActiveFault[] = [];
  private nextId = 1;

  /** @returns the fault's id */
  set(fault: Fault): number {
    const id = this.nextId++;
    this.active.push({ id, fault: checkFault(fault), left: fault.times ?? 1 });
    return id;
  }

  /** Removes one fault, or all; false when there was no such fault. */
  clear(id?: number): boolean {
    const before = this.active.length;
    this.active = id === undefined ? [] : this.active.filter((entry) => entry.id !== id);
    return id === undefined || this.active.length < before;
  }

  list(): readonly ActiveFault[] {
    return this.active;
  }

  /** Counts one strike. */
  strike(entry: ActiveFault): void {
    entry.left--;
    if (entry.left <= 0) this.active = this.active.filter((other) => other !== entry);
  }

  /** The HTTP error that the next request gets, if any. */
  atConnect(): HttpError | undefined {
    for (const entry of this.active) {
      const error = connectError(entry.fault);
      if (!error) continue;
      this.strike(entry);
      return error;
    }
    return undefined;
  }
}

function connectError(fault: Fault): HttpError | undefined {
  const why = `fault ${fault.kind}`;
  switch (fault.kind) {
    case 'throttle':
      return new HttpError(429, 'ThrottlingException', TEXT.throttled, why);
    case 'access-denied':
      return new HttpError(403, 'AccessDeniedException', TEXT.accessDenied, why);
    case 'model-not-ready':
      return new HttpError(429, 'ModelNotReadyException', TEXT.notReady, why);
    case 'http':
      return new HttpError(fault.status, fault.type, fault.message ?? fault.type, why);
    default:
      return undefined;
  }
}

/** The exception that a fault of kind `exception` sends; an unknown type is sent as it is. */
export function exceptionOf(fault: Fault & { kind: 'exception' }) {
  const type = fault.type ?? 'internalServerException';
  const known = STREAM_EXCEPTIONS.find((name) => name === type);
  return { type, message: fault.message ?? (known ? DEFAULT_MESSAGE[known] : type) };
}
