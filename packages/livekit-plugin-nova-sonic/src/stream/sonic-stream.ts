// SPDX-License-Identifier: Apache-2.0
/**
 * One bidirectional stream of Bedrock: writes in order, reads, times out, closes. I/O only; it decides nothing.
 *
 * Traps of the JavaScript SDK that it covers (read in its source and measured): `send()` resolves only at the first
 * event that arrives; a dead connection ends the response without an error; after a failure our input is neither
 * returned nor thrown into; a silent server is never noticed.
 */
import {
  type BedrockRuntimeClient,
  InvokeModelWithBidirectionalStreamCommand,
} from '@aws-sdk/client-bedrock-runtime';
import type { Clock } from '../clock.js';
import type { NamedLane } from '../lanes.js';
import type { ClientEvent } from '../protocol/client-events.js';
import { classifyInLane, endedEarly, type NovaSonicError, noResponse } from '../protocol/errors.js';

/** A client for one stream, with credentials that do not change while it lives. */
export interface StreamClient {
  readonly client: Pick<BedrockRuntimeClient, 'send'>;
  /** When the credentials end, if they do (ms since the epoch). */
  readonly expiresAt?: number;
  /** Releases the client, unless the application owns it. */
  dispose(): void;
}

/** What happens on a stream. After `ended` only `closing` and `cut` are called. */
export interface StreamSink {
  /** The first event is here: the service took the opening. */
  opened(openMs: number): void;
  /** One event document, as it came. */
  received(document: unknown): void;
  /** A client event was handed to the SDK. */
  sent(event: ClientEvent): void;
  /** The stream has ended: with an error, or without one when it was closed by `close`. */
  ended(error?: NovaSonicError): void;
  /** The events that end what was begun on the stream. */
  closing(): readonly ClientEvent[];
  /** The connection was cut before it took the closing events: the service may count the stream for a while. */
  cut(): void;
}

export interface StreamOptions {
  readonly id: string;
  readonly lane: NamedLane;
  readonly modelId: string;
  readonly clock: Clock;
  readonly connect: () => Promise<StreamClient>;
  readonly sink: StreamSink;
  /** The first event must come within this time (ms). */
  readonly firstEventMs: number;
  /** What we send must be taken within this time (ms). */
  readonly writeStallMs: number;
  /** How long an orderly end may take, from the closing events to the service's end, before it is cut (ms). */
  readonly closeMs: number;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

export class SonicStream {
  readonly id: string;
  readonly region: string;
  /** Name of the lane. */
  readonly lane: string;
  /** When the credentials of this stream end (ms since the epoch). */
  expiresAt?: number;
  readonly #options: StreamOptions;
  readonly #abort = new AbortController();
  #queue: ClientEvent[] = [];
  #wake?: () => void;
  /** The SDK has the request, so the service may have the stream. */
  #requested = false;
  #opened = false;
  /** The closing events are written; nothing else is. */
  #closing = false;
  /** The owner knows that the stream has ended. */
  #reported = false;
  /** The connection is gone. */
  #over = false;
  #lastPull: number;
  #cancelFirst?: () => void;
  #cancelClose?: () => void;
  /** Resolves when nothing is left of the stream; never rejects. */
  readonly done: Promise<void>;
  #resolveDone!: () => void;

  constructor(options: StreamOptions) {
    this.id = options.id;
    this.region = options.lane.region;
    this.lane = options.lane.name;
    this.#options = options;
    this.#lastPull = options.clock.now();
    this.done = new Promise((resolve) => {
      this.#resolveDone = resolve;
    });
    void this.#run();
  }

  /** The service has answered, and the stream takes what is written. */
  get live(): boolean {
    return this.#opened && !this.#closing && !this.#over;
  }

  /** Events wait here until the SDK takes them; order is kept. */
  write(events: readonly ClientEvent[]): void {
    if (this.#closing || this.#over) return;
    this.#push(events);
  }

  /** For how long what we wrote has not been taken (ms), when that is too long: the connection is dead. */
  stalled(now: number): number | undefined {
    const unreadMs = now - this.#lastPull;
    const waiting = !this.#over && this.#queue.length > 0;
    return waiting && unreadMs > this.#options.writeStallMs ? unreadMs : undefined;
  }

  /** Sends the closing events and waits for the service's end; cut after `closeMs`. Resolves always. */
  close(): Promise<void> {
    this.#end();
    return this.done;
  }

  /** Gives the stream up: it has ended for the owner at once, and gets its closing events as in `close`. */
  fail(error: NovaSonicError): void {
    this.#report(error);
    this.#end();
  }

  /** Also before the service's first answer: it may have begun a session, which would count against the quota. */
  #end(): void {
    if (this.#closing || this.#over) return;
    this.#closing = true;
    this.#cancelFirst?.();
    if (!this.#requested) {
      this.#finish();
      return;
    }
    const { clock, closeMs, sink } = this.#options;
    this.#push(sink.closing());
    this.#cancelClose = clock.after(closeMs, () => {
      if (this.#queue.length > 0) sink.cut();
      this.#finish();
    });
  }

  async #run(): Promise<void> {
    const { clock, lane, sink, firstEventMs, modelId } = this.#options;
    const { region } = lane;
    const begun = clock.now();
    let client: StreamClient | undefined;
    this.#cancelFirst = clock.after(firstEventMs, () =>
      this.fail(noResponse('the service did not answer', firstEventMs, region)),
    );
    try {
      client = await this.#options.connect();
      if (this.#over) return;
      this.expiresAt = client.expiresAt;
      this.#requested = true;
      const response = await client.client.send(
        new InvokeModelWithBidirectionalStreamCommand({ modelId, body: this.#input() }),
        { abortSignal: this.#abort.signal },
      );
      this.#cancelFirst?.();
      if (!this.#closing && !this.#over) {
        this.#opened = true;
        sink.opened(clock.now() - begun);
      }
      for await (const part of response.body ?? []) {
        if (this.#over) return;
        const bytes = part.chunk?.bytes;
        if (bytes) this.#receive(bytes);
        else {
          const thrown = Object.values(part).find((value) => value instanceof Error);
          if (thrown) throw thrown;
        }
      }
      this.#finish(this.#closing ? undefined : endedEarly(region));
    } catch (error) {
      this.#finish(this.#closing ? undefined : classifyInLane(error, lane));
    } finally {
      this.#finish();
      client?.dispose();
    }
  }

  #receive(bytes: Uint8Array): void {
    if (this.#reported) return;
    let document: unknown;
    try {
      document = JSON.parse(decoder.decode(bytes));
    } catch {
      document = { event: { '(not JSON)': {} } };
    }
    this.#options.sink.received(document);
  }

  #push(events: readonly ClientEvent[]): void {
    if (this.#queue.length === 0) this.#lastPull = this.#options.clock.now();
    this.#queue.push(...events);
    this.#wake?.();
  }

  async *#input(): AsyncGenerator<{ chunk: { bytes: Uint8Array } }> {
    while (!this.#over) {
      const next = this.#queue.shift();
      this.#lastPull = this.#options.clock.now();
      if (next) {
        if (!this.#reported) this.#options.sink.sent(next);
        yield { chunk: { bytes: encoder.encode(JSON.stringify(next)) } };
        continue;
      }
      if (this.#closing) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  #report(error?: NovaSonicError): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#options.sink.ended(error);
  }

  /** The only exit: ends the input too, since the SDK would go on pulling it. */
  #finish(error?: NovaSonicError): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelFirst?.();
    this.#cancelClose?.();
    this.#queue = [];
    this.#wake?.();
    this.#abort.abort();
    this.#resolveDone();
    this.#report(error);
  }
}
