// SPDX-License-Identifier: Apache-2.0

import type { StreamLifecycle } from 'livekit-plugin-nova-sonic';
import type { MonotonicClock } from '../clock.js';

/** A new caller whose stream was refused once; with the time to publish a track the words are heard within 2 s. */
const REFUSED_MS = 1_300;
/** Anybody else without a stream: most are back long before. */
const SILENT_MS = 4_000;
/** From the opening of the stream to the first words of an agent that speaks first. */
const SPEAKS_MS = 8_000;

/** Why nothing is played, although there is no stream: nobody hears it, or the caller hears something else. */
export type Obstacle = 'ringing' | 'line' | 'speaking';

export interface StreamWaitOptions {
  /** Whether the agent says something once it can. */
  speaksFirst: boolean;
  /** @param words the words of the waiting line come first; otherwise there is only music */
  play(words: boolean): void;
  stop(): void;
}

/**
 * Decides when the caller of a call without a Bedrock stream hears that there is a wait, while the plugin goes on trying:
 * at the start, when all lanes are full, the words of the waiting line and music; in the middle of a conversation, where
 * the words would be out of place, music.
 */
export class StreamWait {
  readonly #clock: MonotonicClock;
  readonly #options: StreamWaitOptions;
  readonly #obstacles = new Set<Obstacle>();
  #wait: { first: boolean; refused: boolean } | undefined;
  /** Since when the caller has heard nothing. */
  #since: number;
  #hadStream = false;
  #heardWords = false;
  #playing = false;
  #closed = false;
  #cancel = () => {};
  /** Called when a wait begins or ends. */
  onChange: (waits: boolean) => void = () => {};

  /** Make one when there is a caller and an agent. */
  constructor(clock: MonotonicClock, options: StreamWaitOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#since = clock.now();
  }

  /** Whether the call has no stream. */
  get waits(): boolean {
    return this.#wait !== undefined;
  }

  /** To be called with all of the call. */
  streamChanged({ type, reason }: Pick<StreamLifecycle, 'type' | 'reason'>): void {
    if (this.#closed) return;
    if (type === 'opened') this.#opened();
    else if (type === 'throttled' || type === 'failed') {
      if (this.#wait) this.#wait.refused = true;
    } else if (type === 'opening' && !this.#wait) {
      // The others are opened beside one that serves the call.
      if (reason !== 'start' && reason !== 'failure') return;
      this.#cancel();
      this.#wait = { first: !this.#hadStream, refused: false };
      if (this.#hadStream) this.#since = this.#clock.now();
      this.onChange(true);
    }
    this.#plan();
  }

  /** The call waits for its turn to ask for a stream, maybe without having asked yet. */
  lanesFull(): void {
    this.streamChanged({ type: 'opening', reason: 'start' });
    this.streamChanged({ type: 'throttled', reason: 'start' });
  }

  set(what: Obstacle, there: boolean): void {
    if (this.#closed || there === this.#obstacles.has(what)) return;
    if (there) {
      this.#obstacles.add(what);
      this.#stop();
      return;
    }
    this.#obstacles.delete(what);
    // Who comes from the waiting line has heard the words, and music until now.
    if (what === 'line') this.#heardWords = true;
    else this.#since = this.#clock.now();
    this.#plan();
  }

  /** The call ends. */
  close(): void {
    this.#closed = true;
    this.#stop();
  }

  #opened(): void {
    this.#hadStream = true;
    if (!this.#wait) return;
    const { first } = this.#wait;
    this.#wait = undefined;
    this.onChange(false);
    if (!this.#playing || !first || !this.#options.speaksFirst) this.#stop();
    else this.#cancel = this.#clock.after(SPEAKS_MS, () => this.#stop());
  }

  #plan(): void {
    if (!this.#wait || this.#playing || this.#obstacles.size > 0) return;
    this.#cancel();
    const { first, refused } = this.#wait;
    const wait = this.#heardWords && first ? 0 : first && refused ? REFUSED_MS : SILENT_MS;
    const left = this.#since + wait - this.#clock.now();
    this.#cancel = this.#clock.after(Math.max(0, left), () => {
      this.#playing = true;
      this.#options.play(first && !this.#heardWords);
      this.#heardWords = true;
    });
  }

  #stop(): void {
    this.#cancel();
    if (!this.#playing) return;
    this.#playing = false;
    this.#options.stop();
  }
}
