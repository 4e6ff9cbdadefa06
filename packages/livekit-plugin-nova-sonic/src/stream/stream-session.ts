// SPDX-License-Identifier: Apache-2.0
import type { AudioChunk } from '../audio/chunker.js';
import { AudioTimeline } from '../audio/timeline.js';
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
/** … piece by piece … */
const PIECE_MS = 100;
/** … then so much that the service does not count the stream as idle (it allows 55 s). */
const KEEP_ALIVE_MS = 10_000;

/** One stream of a call with what was said on it: writes only what its prompt allows, and keeps its clock of audio. */
export class StreamSession {
  readonly stream: SonicStream;
  readonly sequencer: ClientEventSequencer;
  /** What it was opened with, to be compared. */
  readonly settings: string;
  /** What the conversation was when its history was told. */
  readonly version: number;
  /** Why it was opened, or closed. */
  reason: string;
  /** The service's first event. */
  openedAt?: number;
  /** When something was last said or asked on it. */
  lastActivityAt: number;
  /** How many of the waiting notes it was told. */
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

  /** Fills a gap in the caller's audio, which came last at a moment. To be called every 100 ms. */
  fillGap(lastAudioAt: number, now: number): void {
    const gap = now - Math.max(lastAudioAt, this.openedAt ?? now);
    if (gap < GAP_MS) return;
    const due = gap < FILL_MS ? PIECE_MS : KEEP_ALIVE_MS;
    if (now - this.#lastFillAt >= due) this.#silence(PIECE_MS, now);
  }

  /** A message to be answered. Words are only heard next to audio: where none flows, a little silence goes before. */
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

  /** True when this stream asked for the tool and takes its result. */
  toolResult(callId: string, content: string, now: number): boolean {
    const events = this.sequencer.toolResult(callId, content);
    if (events.length === 0) return false;
    this.stream.write(events);
    this.lastActivityAt = now;
    return true;
  }

  /** When the sample at an offset of this stream reached us. */
  arrival(offsetMs: number): number | undefined {
    return this.#timeline.arrival(offsetMs);
  }

  /** When what had reached us at a moment was handed to the SDK. */
  sentAt(arrival: number): number | undefined {
    return this.#timeline.sentAt(arrival);
  }

  /** How long it has been up. */
  age(now: number): number {
    return now - (this.openedAt ?? now);
  }
}
