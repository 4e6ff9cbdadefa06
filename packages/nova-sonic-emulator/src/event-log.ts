// SPDX-License-Identifier: Apache-2.0
import { EventEmitter } from 'node:events';
import { createWriteStream, openSync, type WriteStream } from 'node:fs';

/** One thing that happened in a session. */
export interface EmulatorEvent {
  /** Unix time in milliseconds, with fractions. */
  time: number;
  /** Milliseconds since the session's request arrived. */
  t: number;
  /** The session's id (`sessionId` of its events). */
  session: string;
  /** `in`: client to model; `out`: model to client; `note`: a remark of the emulator, never sent. */
  direction: 'in' | 'out' | 'note';
  /**
   * The event's name (`audioOutput` …), for an exception `exception`; of notes: `open`, `refused`, `headers`,
   * `bargeIn`, `violation`, `warning`, `fault`, `aborted`, `close` (the session is over), `gone` (so is its stream).
   */
  name: string;
  /** The event's body. Audio is replaced by its length unless asked for. */
  event: Record<string, unknown>;
}

/** Selects events: by name, by fields, or by a function. */
export type EventFilter =
  | string
  | Partial<Pick<EmulatorEvent, 'session' | 'direction' | 'name'>>
  | ((event: EmulatorEvent) => boolean);

const HISTORY = 20_000;
const DEFAULT_WAIT_MS = 20_000;

const matcher = (filter: EventFilter): ((event: EmulatorEvent) => boolean) => {
  if (typeof filter === 'function') return filter;
  if (typeof filter === 'string') return (event) => event.name === filter;
  const wanted = Object.entries(filter) as [keyof EmulatorEvent, unknown][];
  return (event) => wanted.every(([key, value]) => event[key] === value);
};

/** Everything that happened, live and in a file of JSON lines. */
export class EventLog {
  private readonly emitter = new EventEmitter<{ event: [EmulatorEvent] }>();
  /** The newest 20,000 events. */
  readonly history: EmulatorEvent[] = [];
  private readonly file?: WriteStream;

  /**
   * @param path file of JSON lines that receives every event
   * @param keepAudio keeps the audio's base64, instead of its length
   */
  constructor(
    path?: string,
    private readonly keepAudio = false,
  ) {
    this.emitter.setMaxListeners(0);
    // Opened now, so that a path that cannot be written fails at the start.
    if (path) this.file = createWriteStream('', { fd: openSync(path, 'a') });
  }

  /** @param t milliseconds since the session's request arrived */
  add(
    session: string,
    t: number,
    direction: EmulatorEvent['direction'],
    name: string,
    body: Record<string, unknown>,
  ): void {
    const audio = name === 'audioInput' || name === 'audioOutput';
    const content = body.content;
    const event =
      audio && !this.keepAudio && typeof content === 'string'
        ? { ...body, content: `<${Buffer.byteLength(content, 'base64')} bytes>` }
        : body;
    const time = performance.timeOrigin + performance.now();
    const logged = { time, t, session, direction, name, event };
    this.history.push(logged);
    if (this.history.length > HISTORY * 1.5) this.history.splice(0, this.history.length - HISTORY);
    this.file?.write(`${JSON.stringify(logged)}\n`);
    this.emitter.emit('event', logged);
  }

  /** Calls `listener` for every event from now on; returns a function that ends it. */
  on(listener: (event: EmulatorEvent) => void): () => void {
    this.emitter.on('event', listener);
    return () => this.emitter.off('event', listener);
  }

  /** Past events that match, oldest first. */
  seen(filter: EventFilter): EmulatorEvent[] {
    return this.history.filter(matcher(filter));
  }

  /**
   * Waits for the next event that matches.
   *
   * @param timeoutMs default 20 s
   * @throws Error that names the filter and the last events
   */
  next(filter: EventFilter, timeoutMs = DEFAULT_WAIT_MS): Promise<EmulatorEvent> {
    const matches = matcher(filter);
    return new Promise((resolve, reject) => {
      const off = this.on((event) => {
        if (!matches(event)) return;
        clearTimeout(timer);
        off();
        resolve(event);
      });
      const timer = setTimeout(() => {
        off();
        const last = this.history.slice(-8).map(({ direction, name }) => `${direction} ${name}`);
        const what = typeof filter === 'function' ? 'a matching event' : JSON.stringify(filter);
        reject(
          new Error(`${what} did not arrive within ${timeoutMs} ms; last: ${last.join(', ')}`),
        );
      }, timeoutMs);
    });
  }

  /** The first event that matches, past or future. */
  until(filter: EventFilter, timeoutMs = DEFAULT_WAIT_MS): Promise<EmulatorEvent> {
    const [past] = this.seen(filter);
    return past ? Promise.resolve(past) : this.next(filter, timeoutMs);
  }

  /** Every event from now on, until the log is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<EmulatorEvent> {
    const queue: EmulatorEvent[] = [];
    let wake = () => {};
    const off = this.on((event) => {
      queue.push(event);
      wake();
    });
    const stop = () => wake();
    this.ended.signal.addEventListener('abort', stop);
    try {
      while (!this.ended.signal.aborted || queue.length) {
        const event = queue.shift();
        if (event) yield event;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.ended.signal.removeEventListener('abort', stop);
      off();
    }
  }
  private readonly ended = new AbortController();

  /** Ends the iterables, and writes the rest of the file. */
  async close(): Promise<void> {
    this.ended.abort();
    const { file } = this;
    if (file) await new Promise<void>((done) => file.end(done));
  }
}
