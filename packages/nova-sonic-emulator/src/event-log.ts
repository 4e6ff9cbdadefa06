// SPDX-License-Identifier: Apache-2.0
import { EventEmitter } from 'node:events';
import { createWriteStream, openSync, type WriteStream } from 'node:fs';

/** One thing that happened in a session. */
export interface Recorded {
  /** Unix time in milliseconds, with fractions. */
  time: number;
  /** Milliseconds since the session's request arrived. */
  t: number;
  /** The session's id (`sessionId` of its events). */
  session: string;
  /** `in`: client to model; `out`: model to client; `note`: the emulator's own remark, sent to no one. */
  direction: 'in' | 'out' | 'note';
  /**
   * The event's name (`audioOutput` …), for an exception `exception`; of notes: `open`, `refused`, `headers`,
   * `bargeIn`, `violation`, `warning`, `fault`, `aborted`, `close` (the session is over), `gone` (so is its stream).
   */
  name: string;
  /** The event's body. Audio is replaced by its length unless asked for. */
  event: Record<string, unknown>;
}

/** Which recorded events are meant: by name, by fields, or by a function. */
export type Filter =
  | string
  | Partial<Pick<Recorded, 'session' | 'direction' | 'name'>>
  | ((event: Recorded) => boolean);

const HISTORY = 20_000;
const DEFAULT_WAIT_MS = 20_000;

const matcher = (filter: Filter): ((event: Recorded) => boolean) => {
  if (typeof filter === 'function') return filter;
  if (typeof filter === 'string') return (event) => event.name === filter;
  const wanted = Object.entries(filter) as [keyof Recorded, unknown][];
  return (event) => wanted.every(([key, value]) => event[key] === value);
};

/** Everything that happened, live and in a file of JSON lines. */
export class Recording {
  private readonly emitter = new EventEmitter<{ event: [Recorded] }>();
  /** The newest 20,000 events. */
  readonly history: Recorded[] = [];
  private readonly file?: WriteStream;

  /** @param keepAudio keeps the audio's base64 in the recording */
  constructor(
    path?: string,
    private readonly keepAudio = false,
  ) {
    this.emitter.setMaxListeners(0);
    // Opened at once, so that a path that cannot be written is told at the start.
    if (path) this.file = createWriteStream('', { fd: openSync(path, 'a') });
  }

  add(
    session: string,
    startedAt: number,
    direction: Recorded['direction'],
    name: string,
    body: Record<string, unknown>,
  ): void {
    const now = performance.now();
    const audio = name === 'audioInput' || name === 'audioOutput';
    const content = body.content;
    const event =
      audio && !this.keepAudio && typeof content === 'string'
        ? { ...body, content: `<${Buffer.byteLength(content, 'base64')} bytes>` }
        : body;
    const time = performance.timeOrigin + now;
    const recorded = { time, t: now - startedAt, session, direction, name, event };
    this.history.push(recorded);
    if (this.history.length > HISTORY * 1.5) this.history.splice(0, this.history.length - HISTORY);
    this.file?.write(`${JSON.stringify(recorded)}\n`);
    this.emitter.emit('event', recorded);
  }

  /** Calls `listener` for every event from now on; returns a function that ends it. */
  on(listener: (event: Recorded) => void): () => void {
    this.emitter.on('event', listener);
    return () => this.emitter.off('event', listener);
  }

  /** Events of the past. */
  seen(filter: Filter): Recorded[] {
    return this.history.filter(matcher(filter));
  }

  /**
   * The next event that matches, from now on.
   *
   * @param timeoutMs default 20 s
   * @throws Error that names what was waited for and what came last
   */
  next(filter: Filter, timeoutMs = DEFAULT_WAIT_MS): Promise<Recorded> {
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
        reject(new Error(`${what} did not come in ${timeoutMs} ms; last: ${last.join(', ')}`));
      }, timeoutMs);
    });
  }

  /** The first event that matches, of the past or yet to come. */
  until(filter: Filter, timeoutMs = DEFAULT_WAIT_MS): Promise<Recorded> {
    const [past] = this.seen(filter);
    return past ? Promise.resolve(past) : this.next(filter, timeoutMs);
  }

  /** Every event from now on; ends with the recording. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Recorded> {
    const queue: Recorded[] = [];
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

  async close(): Promise<void> {
    this.ended.abort();
    const { file } = this;
    if (file) await new Promise<void>((done) => file.end(done));
  }
}
