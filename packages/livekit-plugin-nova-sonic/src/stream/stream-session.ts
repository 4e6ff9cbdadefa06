// SPDX-License-Identifier: Apache-2.0
import type { AudioChunk } from '../audio/chunker.js';
import { AudioTimeline } from '../audio/input-timeline.js';
import { splitText } from '../history/wire-messages.js';
import type { HistoryLimits } from '../options.js';

import {
  type ClientEventSequencer,
  PRIME_MS,
  type WireMessage,
} from '../protocol/client-event-sequencer.js';
import type { SonicStream } from './sonic-stream.js';

/** A gap in the audio is filled with silence: at first all of it, so that the end of a turn is noticed … */
const GAP_MS = 150;
const FILL_MS = 3_000;
/** … chunk by chunk … */
const SILENCE_MS = 100;
/** … then so much that the service does not count the stream as idle (it allows 55 s). */
const KEEP_ALIVE_MS = 10_000;

/** One stream and its state: writes only what its sequencer allows, and maps its audio offsets to times. */
export class StreamSession {
  readonly stream: SonicStream;
  readonly sequencer: ClientEventSequencer;
  /** The fingerprint of the settings that it was opened with. */
  readonly settings: string;
  /** The version of the conversation whose history it was opened with. */
  readonly version: number;
  /** Why it was opened, or closed. */
  reason: string;
  /** The service's first event. */
  openedAt?: number;
  /** When input was last sent or speech last reported on it. */
  lastActivityAt: number;
  /** How many of the orphaned tool results were sent on it. */
  orphanedToolResultsSent = 0;
  readonly #timeline = new AudioTimeline();
  readonly #limits: HistoryLimits;
  #lastFillAt = 0;

  constructor(
    stream: SonicStream,
    prompt: ClientEventSequencer,
    known: {
      settings: string;
      version: number;
      reason: string;
      limits: HistoryLimits;
      now: number;
    },
  ) {
    this.stream = stream;
    this.sequencer = prompt;
    this.settings = known.settings;
    this.version = known.version;
    this.reason = known.reason;
    this.#limits = known.limits;
    this.lastActivityAt = known.now;
  }

  /** Everything that comes before the caller's audio. */
  open(instructions: string, history: readonly WireMessage[], now: number): void {
    this.stream.write(this.sequencer.opening(instructions, history));
    this.#timeline.wrote(PRIME_MS, now, now);
  }

  audio(chunk: AudioChunk, now: number): void {
    const events = this.sequencer.audio(chunk.pcm);
    if (events.length === 0) return;
    this.#timeline.wrote(chunk.ms, chunk.at, now);
    this.stream.write(events);
  }

  /** Fills a gap in the caller's audio, of which the last arrived at `lastAudioAt`. Call it every 100 ms. */
  fillGap(lastAudioAt: number, now: number): void {
    const gap = now - Math.max(lastAudioAt, this.openedAt ?? now);
    if (gap < GAP_MS) return;
    const due = gap < FILL_MS ? SILENCE_MS : KEEP_ALIVE_MS;
    if (now - this.#lastFillAt >= due) this.#silence(SILENCE_MS, now);
  }

  /** Sends a message to be answered. Text is only read next to audio: where none flows, silence is sent first. */
  text(text: string, lastAudioAt: number, now: number): void {
    if (now - Math.max(lastAudioAt, this.#lastFillAt) > GAP_MS) this.#silence(PRIME_MS, now);
    this.stream.write(this.sequencer.text(splitText(text, this.#limits.maxTextBytes)));
    this.lastActivityAt = now;
  }

  #silence(ms: number, now: number): void {
    this.#timeline.wrote(ms, now, now);
    this.stream.write(this.sequencer.silence(ms));
    this.#lastFillAt = now;
  }

  /** Sends a tool's result. Returns false when this stream did not call the tool, or has its result. */
  toolResult(callId: string, content: string, now: number): boolean {
    const events = this.sequencer.toolResult(callId, content);
    if (events.length === 0) return false;
    this.stream.write(events);
    this.lastActivityAt = now;
    return true;
  }

  /** When the sample at an offset of this stream arrived from the caller. */
  arrival(offsetMs: number): number | undefined {
    return this.#timeline.arrival(offsetMs);
  }

  /** When the sample at an offset of this stream was handed to the SDK. */
  sent(offsetMs: number): number | undefined {
    return this.#timeline.sent(offsetMs);
  }

  /** When the audio that arrived at a time was handed to the SDK. */
  sentAt(arrival: number): number | undefined {
    return this.#timeline.sentAt(arrival);
  }

  /** How long the stream has been up (ms). */
  age(now: number): number {
    return now - (this.openedAt ?? now);
  }
}
