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
import type { ClientEvent } from '../protocol/client-events.js';
import { classifyError, endedEarly, type NovaSonicError, noResponse } from '../protocol/errors.js';

/** A client for one stream, with credentials that do not change while it lives. */
export interface StreamClient {
  readonly client: Pick<BedrockRuntimeClient, 'send'>;
  /** When the credentials end, if they do (ms since the epoch). */
  readonly expiresAt?: number;
  /** Releases the client, unless the application owns it. */
  dispose(): void;
}

/** What happens on a stream. After `ended` nothing is called any more. */
export interface StreamSink {
  /** The first event is here: the service took the opening. */
  opened(openMs: number): void;
  /** One event document, as it came. */
  received(document: unknown): void;
  /** A client event was handed to the SDK. */
  sent(event: ClientEvent): void;
  /** The stream has ended: with an error, or without one when it was closed by `close`. */
  ended(error?: NovaSonicError): void;
}

export interface StreamOptions {
  readonly id: string;
  readonly region: string;
  readonly modelId: string;
  readonly clock: Clock;
  readonly connect: (region: string) => Promise<StreamClient>;
  readonly sink: StreamSink;
  /** The first event must come within this time (ms). */
  readonly firstEventMs: number;
  /** What we send must be taken within this time (ms). */
  readonly writeStallMs: number;
  /** How long an orderly close may take before it is cut (ms). */
  readonly closeMs: number;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

export class SonicStream {
  readonly id: string;
  readonly region: string;
  /** When the credentials of this stream end (ms since the epoch). */
  expiresAt?: number;
  readonly #options: StreamOptions;
  readonly #abort = new AbortController();
  #queue: ClientEvent[] = [];
  #wake?: () => void;
  #inputOver = false;
  #ended = false;
  #closing = false;
  #opened = false;
  #lastPull: number;
  #cancelFirst?: () => void;
  #cancelClose?: () => void;
  readonly #done: Promise<void>;
  #resolveDone!: () => void;

  constructor(options: StreamOptions) {
    this.id = options.id;
    this.region = options.region;
    this.#options = options;
    this.#lastPull = options.clock.now();
    this.#done = new Promise((resolve) => {
      this.#resolveDone = resolve;
    });
    void this.#run();
  }

  /** The service has answered, so an orderly close makes sense. */
  get live(): boolean {
    return this.#opened && !this.#ended;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Events wait here until the SDK takes them; order is kept. */
  write(events: readonly ClientEvent[]): void {
    if (this.#ended || this.#inputOver) return;
    if (this.#queue.length === 0) this.#lastPull = this.#options.clock.now();
    this.#queue.push(...events);
    this.#wake?.();
  }

  /** True when what we wrote has not been taken for too long: the connection is dead. */
  stalled(now: number): boolean {
    return (
      !this.#ended && this.#queue.length > 0 && now - this.#lastPull > this.#options.writeStallMs
    );
  }

  /** Sends the closing events and waits for the service's end; cut after `closeMs`. Resolves always. */
  async close(closing: readonly ClientEvent[]): Promise<void> {
    if (this.#ended || this.#closing) return this.#done;
    this.#closing = true;
    if (!this.#opened) {
      this.#finish();
      return this.#done;
    }
    this.write(closing);
    this.#inputOver = true;
    this.#wake?.();
    this.#cancelClose = this.#options.clock.after(this.#options.closeMs, () => this.#finish());
    return this.#done;
  }

  /** Ends the stream at once with a reason. */
  fail(error: NovaSonicError): void {
    this.#finish(error);
  }

  async #run(): Promise<void> {
    const { clock, region, sink, firstEventMs, modelId } = this.#options;
    const begun = clock.now();
    let client: StreamClient | undefined;
    this.#cancelFirst = clock.after(firstEventMs, () =>
      this.#finish(noResponse('the service did not answer', firstEventMs, region)),
    );
    try {
      client = await this.#options.connect(region);
      if (this.#ended) return;
      this.expiresAt = client.expiresAt;
      const response = await client.client.send(
        new InvokeModelWithBidirectionalStreamCommand({ modelId, body: this.#input() }),
        { abortSignal: this.#abort.signal },
      );
      this.#cancelFirst?.();
      if (this.#ended) return;
      this.#opened = true;
      sink.opened(clock.now() - begun);
      for await (const part of response.body ?? []) {
        if (this.#ended) return;
        const bytes = part.chunk?.bytes;
        if (bytes) this.#receive(bytes);
        else {
          const thrown = Object.values(part).find((value) => value instanceof Error);
          if (thrown) throw thrown;
        }
      }
      this.#finish(this.#closing ? undefined : endedEarly(region));
    } catch (error) {
      this.#finish(this.#closing ? undefined : classifyError(error, region));
    } finally {
      this.#finish();
      client?.dispose();
    }
  }

  #receive(bytes: Uint8Array): void {
    let document: unknown;
    try {
      document = JSON.parse(decoder.decode(bytes));
    } catch {
      document = { event: { '(not JSON)': {} } };
    }
    this.#options.sink.received(document);
  }

  async *#input(): AsyncGenerator<{ chunk: { bytes: Uint8Array } }> {
    while (!this.#ended) {
      const next = this.#queue.shift();
      this.#lastPull = this.#options.clock.now();
      if (next) {
        this.#options.sink.sent(next);
        yield { chunk: { bytes: encoder.encode(JSON.stringify(next)) } };
        continue;
      }
      if (this.#inputOver) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  /** The only exit: ends the input too, since the SDK would go on pulling it. */
  #finish(error?: NovaSonicError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelFirst?.();
    this.#cancelClose?.();
    this.#queue = [];
    this.#wake?.();
    this.#abort.abort();
    this.#resolveDone();
    this.#options.sink.ended(error);
  }
}
