// SPDX-License-Identifier: Apache-2.0
import type { Quirks } from '../dialogue/dialogue.js';
import {
  type ActiveFault,
  exceptionOf,
  type Fault,
  type FaultKind,
  type FaultSet,
  SLOW_BYTES_PER_SECOND,
} from '../faults.js';
import { encodeChunk } from '../http2/frames.js';
import { StreamError, type StreamException } from '../protocol/errors.js';
import type { Session } from './session.js';

/** Kinds that hold for the rest of a session instead of striking once. */
const LASTING: readonly FaultKind[] = [
  'late-headers',
  'duplicate',
  'text-before-speech-end',
  'bare-barge-in',
  'no-final-text',
];
const AT_CONNECT: readonly FaultKind[] = ['throttle', 'access-denied', 'model-not-ready', 'http'];

type Body = Record<string, unknown>;

/** Applies the faults that are set to one session. */
export class SessionFaults {
  /** Nothing is sent any more. */
  silent = false;
  private readonly counts = new Map<string, number>();
  private readonly struck = new Set<ActiveFault>();
  private headersHeld = false;
  private headersTimer?: NodeJS.Timeout;

  /** @param killSocket cuts the TCP connection under the session's stream */
  constructor(
    private readonly set: FaultSet,
    private readonly session: Session,
    private readonly killSocket: () => void,
  ) {}

  /** The request was admitted: faults without `after` that need no event to strike. */
  begin(): void {
    for (const entry of this.mine()) {
      const { fault } = entry;
      if (fault.kind === 'silent' && fault.after === undefined) this.strike(entry);
      if (fault.kind === 'slow-reader' && fault.after === undefined) this.strike(entry);
    }
    const late = this.lasting('late-headers');
    if (late) {
      this.headersHeld = true;
      this.headersTimer = setTimeout(() => {
        this.headersHeld = false;
        this.session.sendHeaders();
      }, late.delayMs);
    }
  }

  /** Response headers may not be sent yet. */
  holdHeaders(): boolean {
    return this.silent || this.headersHeld;
  }

  quirks(): Quirks {
    return {
      textBeforeSpeechEnd: this.lasting('text-before-speech-end') !== undefined,
      bareBargeIn: this.lasting('bare-barge-in') !== undefined,
      noFinalText: this.lasting('no-final-text') !== undefined,
    };
  }

  /** How often an output event is sent. */
  copies(name: string): number {
    const duplicate = this.lasting('duplicate', (fault) => fault.event === name);
    return duplicate ? 2 : 1;
  }

  /** An event was received or sent: faults whose moment has come strike. */
  seen(direction: 'in' | 'out', name: string): void {
    for (const key of [name, `${direction}:${name}`, direction]) {
      this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
    }
    for (const entry of this.mine()) {
      const { fault } = entry;
      if (LASTING.includes(fault.kind) || AT_CONNECT.includes(fault.kind)) continue;
      if (this.reached('after' in fault ? fault.after : undefined)) this.strike(entry);
    }
  }

  close(): void {
    clearTimeout(this.headersTimer);
  }

  private mine(): ActiveFault[] {
    return this.set.list().filter((entry) => {
      const { session } = entry.fault;
      return !this.struck.has(entry) && (!session || session === this.session.id);
    });
  }

  private reached(after: number | string | undefined): boolean {
    if (after === undefined) return true;
    if (typeof after === 'number') return (this.counts.get('out') ?? 0) >= after;
    const [name = '', count = '1'] = after.split('#');
    return (this.counts.get(name) ?? 0) >= Number(count);
  }

  /** A lasting fault of this kind, if one is set; it then belongs to this session. */
  private lasting<Kind extends FaultKind>(
    kind: Kind,
    matches: (fault: Extract<Fault, { kind: Kind }>) => boolean = () => true,
  ): Extract<Fault, { kind: Kind }> | undefined {
    const fits = ({ fault }: ActiveFault) =>
      fault.kind === kind && matches(fault as Extract<Fault, { kind: Kind }>);
    const entry = [...this.struck].find(fits) ?? this.mine().find(fits);
    if (!entry) return undefined;
    if (!this.struck.has(entry)) this.count(entry);
    return entry.fault as Extract<Fault, { kind: Kind }>;
  }

  private count(entry: ActiveFault): void {
    this.struck.add(entry);
    this.set.strike(entry);
    this.session.note('fault', { ...entry.fault });
  }

  private strike(entry: ActiveFault): void {
    this.count(entry);
    const { fault } = entry;
    const { stream } = this.session;
    switch (fault.kind) {
      case 'exception': {
        const { type, message } = exceptionOf(fault);
        this.session.fail(new StreamError(type as StreamException, message, 'fault exception'));
        break;
      }
      case 'reset':
        stream.close(fault.code ?? 2);
        break;
      case 'kill':
        this.killSocket();
        break;
      case 'goaway':
        stream.session?.goaway();
        break;
      case 'silent':
        this.silent = true;
        break;
      case 'malformed':
        this.session.write(malformed(fault.form ?? 'json'));
        break;
      case 'unknown-event':
        this.session.emit('somethingNew', { content: 'an event that no client knows' });
        break;
      case 'slow-reader':
        this.readSlowly(fault.bytesPerSecond ?? SLOW_BYTES_PER_SECOND);
        break;
      default:
        break;
    }
  }

  private readSlowly(bytesPerSecond: number): void {
    const { stream } = this.session;
    stream.on('data', (bytes: Buffer) => {
      stream.pause();
      setTimeout(() => stream.resume(), (bytes.length / bytesPerSecond) * 1000).unref();
    });
  }
}

function malformed(form: 'json' | 'empty' | 'checksum'): Uint8Array {
  if (form === 'empty') return encodeChunk('{}');
  if (form === 'json') return encodeChunk('{"event":{"textOutput":');
  const frame = encodeChunk(JSON.stringify({ event: { usageEvent: {} } satisfies Body }));
  frame[frame.length - 1] = (frame[frame.length - 1] as number) ^ 0xff;
  return frame;
}
