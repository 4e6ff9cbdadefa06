// SPDX-License-Identifier: Apache-2.0
import type { ServerHttp2Stream } from 'node:http2';
import type { Clock } from '../clock.js';
import type { Quirks } from '../dialogue/profile.js';
import {
  type ActiveFault,
  exceptionOf,
  FALSE_SPEECH_MS,
  type Fault,
  type FaultKind,
  type FaultSet,
  SLOW_BYTES_PER_SECOND,
} from '../faults.js';
import { encodeChunk } from '../http2/frames.js';
import { StreamError, type StreamException, TEXT } from '../protocol/errors.js';
import type { OutputGate } from './stream-transport.js';

/** Kinds that hold for the rest of a session instead of striking once. */
const LASTING: readonly FaultKind[] = [
  'late-headers',
  'duplicate',
  'text-before-speech-end',
  'bare-barge-in',
  'no-final-text',
  'empty-user-text',
  'typed-text-ignored',
  'deaf-during-tool',
];
const AT_CONNECT: readonly FaultKind[] = ['throttle', 'access-denied', 'model-not-ready', 'http'];

/** The session that faults strike. */
export interface FaultTarget {
  readonly id: string;
  readonly stream: ServerHttp2Stream;
  /** Sends an output event. */
  emit(name: string, body: Record<string, unknown>): void;
  /** Sends bytes as they are. */
  write(bytes: Uint8Array): void;
  /** Ends the stream with an exception. */
  fail(error: StreamError): void;
  /** Logs something that is not sent. */
  note(name: string, detail: Record<string, unknown>): void;
  sendHeaders(): void;
  /** Holds the network back, both ways, for so many milliseconds. */
  stall(ms: number): void;
  /** Takes noise for speech, for so many milliseconds. */
  falseSpeech(durationMs: number): void;
  /** Does something once the client has received what was written before. */
  afterDelivery(act: () => void): void;
}

/** Applies the faults that are set to one session. */
export class SessionFaults implements OutputGate {
  silent = false;
  private readonly counts = new Map<string, number>();
  private readonly struck = new Set<ActiveFault>();
  private headersHeld = false;
  private stopHeadersTimer?: () => void;

  /** @param killSocket closes the TCP connection under the session's stream */
  constructor(
    private readonly set: FaultSet,
    private readonly target: FaultTarget,
    private readonly clock: Clock,
    private readonly killSocket: () => void,
  ) {}

  /** The request was admitted: faults without `after` that need no event strike now. */
  begin(): void {
    for (const entry of this.applicable()) {
      const { fault } = entry;
      if (fault.kind === 'silent' && fault.after === undefined) this.strike(entry);
      if (fault.kind === 'slow-reader' && fault.after === undefined) this.strike(entry);
    }
    const late = this.lasting('late-headers');
    if (late) {
      this.headersHeld = true;
      this.stopHeadersTimer = this.clock.after(late.delayMs, () => {
        this.headersHeld = false;
        this.target.sendHeaders();
      });
    }
  }

  holdHeaders(): boolean {
    return this.silent || this.headersHeld;
  }

  quirks(): Quirks {
    return {
      textBeforeSpeechEnd: this.lasting('text-before-speech-end') !== undefined,
      bareBargeIn: this.lasting('bare-barge-in') !== undefined,
      noFinalText: this.lasting('no-final-text') !== undefined,
      emptyUserText: this.lasting('empty-user-text') !== undefined,
      typedTextIgnored: this.lasting('typed-text-ignored') !== undefined,
    };
  }

  /** True when audio is refused while a tool call waits for its result (seen on 2.5). */
  get deafDuringTool(): boolean {
    return this.lasting('deaf-during-tool') !== undefined;
  }

  /** How many times an output event is sent. */
  copies(name: string): number {
    const duplicate = this.lasting('duplicate', (fault) => fault.event === name);
    return duplicate ? 2 : 1;
  }

  /** An event was received or sent: faults that waited for it strike. */
  onEvent(direction: 'in' | 'out', name: string): void {
    for (const key of [name, `${direction}:${name}`, direction]) {
      this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
    }
    for (const entry of this.applicable()) {
      const { fault } = entry;
      if (LASTING.includes(fault.kind) || AT_CONNECT.includes(fault.kind)) continue;
      if (this.reached('after' in fault ? fault.after : undefined)) this.strike(entry);
    }
  }

  close(): void {
    this.stopHeadersTimer?.();
  }

  /** Faults that are set for this session and have not struck it. */
  private applicable(): ActiveFault[] {
    return this.set.list().filter((entry) => {
      const { session } = entry.fault;
      return !this.struck.has(entry) && (!session || session === this.target.id);
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
    const entry = [...this.struck].find(fits) ?? this.applicable().find(fits);
    if (!entry) return undefined;
    if (!this.struck.has(entry)) this.count(entry);
    return entry.fault as Extract<Fault, { kind: Kind }>;
  }

  private count(entry: ActiveFault): void {
    this.struck.add(entry);
    this.set.strike(entry);
    this.target.note('fault', { ...entry.fault });
  }

  private strike(entry: ActiveFault): void {
    this.count(entry);
    const { fault } = entry;
    const { stream } = this.target;
    switch (fault.kind) {
      case 'exception': {
        const { type, message } = exceptionOf(fault);
        this.target.fail(new StreamError(type as StreamException, message, 'fault exception'));
        break;
      }
      case 'reset':
        this.target.afterDelivery(() => stream.close(fault.code ?? 2));
        break;
      case 'stall':
        this.target.stall(fault.durationMs);
        break;
      case 'kill':
        this.killSocket();
        break;
      case 'goaway':
        stream.session?.goaway();
        break;
      case 'false-speech':
        this.target.falseSpeech(fault.durationMs ?? FALSE_SPEECH_MS);
        break;
      case 'content-filter': {
        const why = 'fault content-filter';
        this.target.fail(new StreamError('validationException', TEXT.contentFilter, why));
        break;
      }
      case 'silent':
        this.silent = true;
        break;
      case 'malformed':
        this.target.write(malformed(fault.form ?? 'json'));
        break;
      case 'unknown-event':
        this.target.emit('somethingNew', { content: 'an event that no client knows' });
        break;
      case 'slow-reader':
        this.readSlowly(fault.bytesPerSecond ?? SLOW_BYTES_PER_SECOND);
        break;
      default:
        break;
    }
  }

  private readSlowly(bytesPerSecond: number): void {
    const { stream } = this.target;
    stream.on('data', (bytes: Buffer) => {
      stream.pause();
      this.clock.after((bytes.length / bytesPerSecond) * 1000, () => stream.resume());
    });
  }
}

function malformed(form: 'json' | 'empty' | 'checksum'): Uint8Array {
  if (form === 'empty') return encodeChunk('{}');
  if (form === 'json') return encodeChunk('{"event":{"textOutput":');
  const frame = encodeChunk(JSON.stringify({ event: { usageEvent: {} } }));
  frame[frame.length - 1] = (frame[frame.length - 1] as number) ^ 0xff;
  return frame;
}
