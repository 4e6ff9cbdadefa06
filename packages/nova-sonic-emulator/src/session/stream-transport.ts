// SPDX-License-Identifier: Apache-2.0
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { EmulatorContext } from '../context.js';
import { decode, FrameError, FrameReader, type Message, readChunk } from '../http2/frames.js';
import type { ChunkVerifier } from '../http2/signature.js';
import { DelayLine } from '../network/delay-line.js';
import type { HttpError } from '../protocol/errors.js';
import type { SeededRandom } from '../random.js';

/** Receives what a transport reads. */
export interface TransportHandler {
  /** An input event, decoded but not validated. What it throws is reported to `onInputError`. */
  onChunk(chunk: unknown): void;
  /** The input cannot be decoded, or `onChunk` threw. */
  onInputError(error: unknown): void;
  /** A chunk signature is missing or wrong. */
  onInvalidSignature(why: string): void;
  /** The client has sent everything. */
  onInputEnd(): void;
  /** The response headers were sent. */
  onHeadersSent(): void;
  /** The connection broke. */
  onAborted(error: Error): void;
  /** The stream is closed, however that happened. */
  onClose(): void;
}

/** Holds back output; faults do. */
export interface OutputGate {
  /** True while nothing at all may be sent. */
  readonly silent: boolean;
  /** True while the response headers, and every event after them, must wait. */
  holdHeaders(): boolean;
}

/** Once the response is complete, a client that keeps sending is cut off after this long. */
const LINGER_MS = 100;
/** A client that does not read would keep its stream open: it is cancelled after this long. */
const CANCEL_AFTER_MS = 200;
/** A network holds so many bytes of a client's; then HTTP/2's flow control holds the client itself back. */
const MAX_IN_FLIGHT = 65_536;

/** The HTTP/2 half of a session: event-stream frames in and out, chunk signatures, response headers, the end. */
export class StreamTransport {
  private readonly reader = new FrameReader();
  /** Output that waits for the response headers. */
  private held: Uint8Array[] = [];
  private responded = false;
  private ended = false;
  private paused = false;
  private readonly uplink: DelayLine;
  private readonly downlink: DelayLine;
  private readonly leaveNetwork: () => void;

  constructor(
    private readonly context: Pick<EmulatorContext, 'clock' | 'network' | 'refuse'>,
    readonly stream: ServerHttp2Stream,
    private readonly requestId: string,
    private readonly verifier: ChunkVerifier | undefined,
    private readonly gate: OutputGate,
    private readonly handler: TransportHandler,
    random: SeededRandom,
  ) {
    const { clock, network } = context;
    const conditions = () => network.conditions;
    this.uplink = new DelayLine(clock, random, conditions);
    this.downlink = new DelayLine(clock, random, conditions);
    this.leaveNetwork = network.join(this);
    stream.on('data', (bytes: Buffer) => this.arriving(bytes));
    stream.on('end', () => this.uplink.push(0, () => this.inputEnded()));
    stream.on('error', (error) => handler.onAborted(error));
    stream.on('close', () => {
      this.leaveNetwork();
      this.uplink.clear();
      this.downlink.clear();
      handler.onClose();
    });
  }

  /** True once the response headers were sent. */
  get headersSent(): boolean {
    return this.responded;
  }

  /** Sends bytes, after the response headers. */
  write(bytes: Uint8Array): void {
    if (this.gate.silent) return;
    if (!this.responded) this.held.push(bytes);
    else {
      this.downlink.push(bytes.length, () => {
        if (this.stream.writable) this.stream.write(bytes);
      });
    }
  }

  /** Holds the network back, both ways; then everything arrives. */
  stall(ms: number): void {
    this.uplink.stall(ms);
    this.downlink.stall(ms);
  }

  /** Does something to the stream once the client has received what was written before. */
  afterDelivery(act: () => void): void {
    this.downlink.push(0, act);
  }

  /** Bytes from the client: they are on the network until they are read. */
  private arriving(bytes: Buffer): void {
    const { stream, uplink } = this;
    uplink.push(bytes.length, () => {
      this.read(bytes);
      if (this.paused && uplink.inFlight < MAX_IN_FLIGHT) {
        this.paused = false;
        stream.resume();
      }
    });
    if (uplink.inFlight >= MAX_IN_FLIGHT && !this.paused) {
      this.paused = true;
      stream.pause();
    }
  }

  /** Sends the response headers, and the output that waited for them. */
  sendHeaders(): void {
    if (this.responded || this.stream.destroyed || this.gate.holdHeaders()) return;
    this.responded = true;
    this.downlink.push(0, () => {
      if (this.stream.destroyed) return;
      this.stream.respond({
        ':status': 200,
        'content-type': 'application/vnd.amazon.eventstream',
        'x-amzn-requestid': this.requestId,
      });
    });
    this.handler.onHeadersSent();
    for (const bytes of this.held.splice(0)) this.write(bytes);
  }

  /** Ends the response; input is ignored from now on. */
  end(): void {
    this.ended = true;
    if (this.gate.silent) return;
    this.sendHeaders();
    const { stream } = this;
    this.afterDelivery(() => {
      if (!stream.writable) return;
      stream.end(() => {
        // What the client still sends has no reader: reset the stream, once it had time to read the response.
        if (!stream.readableEnded) {
          this.context.clock.after(LINGER_MS, () => {
            if (!stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
          });
        }
      });
    });
  }

  /** Answers the request with an HTTP error; only before the response headers. */
  refuse(error: HttpError): void {
    this.ended = true;
    this.afterDelivery(() => this.context.refuse(this.stream, error, this.requestId));
  }

  /** Resets the stream soon, unless it closes by then. */
  cancelSoon(): void {
    this.context.clock.after(CANCEL_AFTER_MS, () => {
      if (!this.stream.destroyed) this.stream.close(constants.NGHTTP2_CANCEL);
    });
  }

  private read(bytes: Buffer): void {
    if (this.ended) return;
    try {
      for (const message of this.reader.push(bytes)) {
        this.receive(message);
        if (this.ended) return;
      }
    } catch (error) {
      this.handler.onInputError(error);
    }
  }

  private receive(outer: Message): void {
    if (this.verifier) {
      try {
        this.verifier.verify(outer);
      } catch (error) {
        this.handler.onInvalidSignature((error as Error).message);
        return;
      }
    }
    let inner = outer;
    if (outer.headers[':date']) {
      // A signed message without payload is the end of the input.
      if (outer.body.length === 0) return;
      inner = decode(outer.body);
    }
    this.handler.onChunk(readChunk(inner));
  }

  private inputEnded(): void {
    if (this.ended) return;
    if (this.reader.rest) {
      this.handler.onInputError(new FrameError('the input ended in the middle of a message'));
    } else {
      this.handler.onInputEnd();
    }
  }
}
