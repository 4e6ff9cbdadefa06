// SPDX-License-Identifier: Apache-2.0
import { ReadableStream, type ReadableStreamDefaultController } from 'node:stream/web';
import type { llm } from '@livekit/agents';
import { AudioFrame } from '@livekit/rtc-node';

/** A stream that is written without waiting and closed exactly once; writes after the end are ignored. */
export class StreamChannel<T> {
  readonly stream: ReadableStream<T>;
  #controller!: ReadableStreamDefaultController<T>;
  #closed = false;

  constructor() {
    this.stream = new ReadableStream<T>({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => {
        this.#closed = true;
      },
    });
  }

  write(value: T): void {
    if (!this.#closed) this.#controller.enqueue(value);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#controller.close();
  }

  get closed(): boolean {
    return this.#closed;
  }
}

/** Longest frame: the output's queue holds 200 ms and must never be overfilled by one frame. */
const FRAME_MS = 50;

/** Base64 audio of the service as frames. A decoded Buffer is pooled and may be misaligned, so it is copied. */
export function decodeAudio(content: string, sampleRate: number): AudioFrame[] {
  const bytes = Buffer.from(content, 'base64');
  const samples = new Int16Array(bytes.byteLength >> 1);
  Buffer.from(samples.buffer).set(bytes.subarray(0, samples.byteLength));
  const step = Math.max(1, Math.round((sampleRate * FRAME_MS) / 1_000));
  const frames: AudioFrame[] = [];
  for (let from = 0; from < samples.length; from += step) {
    const part = samples.slice(from, from + step);
    frames.push(new AudioFrame(part, sampleRate, 1, part.length));
  }
  return frames;
}

/** One reply as LiveKit reads it: a message (text and audio) that appears with its first content, and tool calls. */
export class GenerationChannels {
  readonly event: llm.GenerationCreatedEvent;
  /** When the first sound was handed to LiveKit (ms since the epoch). */
  firstAudioAt?: number;
  readonly #messages = new StreamChannel<llm.MessageGeneration>();
  readonly #functions = new StreamChannel<llm.FunctionCall>();
  readonly #messageId: string;
  readonly #sampleRate: number;
  #text?: StreamChannel<string>;
  #audio?: StreamChannel<AudioFrame>;

  constructor(responseId: string, messageId: string, userInitiated: boolean, sampleRate: number) {
    this.#messageId = messageId;
    this.#sampleRate = sampleRate;
    this.event = {
      messageStream: this.#messages.stream,
      functionStream: this.#functions.stream,
      userInitiated,
      responseId,
    };
  }

  text(text: string): void {
    this.#message();
    this.#text?.write(text);
  }

  audio(content: string, now: number): void {
    this.#message();
    for (const frame of decodeAudio(content, this.#sampleRate)) this.#audio?.write(frame);
    this.firstAudioAt ??= now;
  }

  call(call: llm.FunctionCall): void {
    this.#functions.write(call);
  }

  /** Every channel, at once: an open one holds the framework back for two seconds and loses the message. */
  close(): void {
    this.#text?.close();
    this.#audio?.close();
    this.#functions.close();
    this.#messages.close();
  }

  #message(): void {
    if (this.#text || this.#messages.closed) return;
    this.#text = new StreamChannel<string>();
    this.#audio = new StreamChannel<AudioFrame>();
    this.#messages.write({
      messageId: this.#messageId,
      textStream: this.#text.stream,
      audioStream: this.#audio.stream,
      modalities: Promise.resolve(['audio', 'text']),
    });
  }
}
