// SPDX-License-Identifier: Apache-2.0

import type { PcmAudio } from '../caller/pcm.js';
import { holdMusic } from './hold-music.js';

/** Level of the music under the words, and how much it may change in a millisecond. */
const UNDER_WORDS = 0.35;
const GAIN_PER_MS = 0.005;
/** From the end of the words to their repetition. */
const REPEAT_MS = 60_000;

/** What somebody who waits hears: music all the time, and from time to time the words. One for each caller. */
export class LineProgram {
  readonly sampleRate: number;
  readonly #words: Int16Array;
  readonly #music: Int16Array;
  #musicAt = 0;
  #gain = 1;
  /** Position in the words; undefined while they are not spoken. */
  #wordsAt: number | undefined;
  /** Samples until they are spoken again. */
  #pause = Number.POSITIVE_INFINITY;

  /** @param music at the rate of the words; default: made here */
  constructor({ sampleRate, samples }: PcmAudio, music = holdMusic(sampleRate)) {
    this.sampleRate = sampleRate;
    this.#words = samples;
    this.#music = music;
  }

  /** The words begin now, and again a minute after their end. */
  speak(): void {
    this.#wordsAt = 0;
  }

  /** Only music for the next minute. */
  resume(): void {
    this.#pause = (REPEAT_MS * this.sampleRate) / 1000;
  }

  /** The next `ms` of audio. */
  next(ms: number): Int16Array {
    const frame = new Int16Array((ms * this.sampleRate) / 1000);
    const step = (GAIN_PER_MS * 1000) / this.sampleRate;
    for (let i = 0; i < frame.length; i++) {
      const word = this.#nextWord();
      const target = word === undefined ? 1 : UNDER_WORDS;
      this.#gain += Math.max(-step, Math.min(step, target - this.#gain));
      frame[i] = (word ?? 0) + this.#gain * (this.#music[this.#musicAt] ?? 0);
      this.#musicAt = (this.#musicAt + 1) % this.#music.length;
    }
    return frame;
  }

  /** The last `ms` of audio: the music as it fades out. */
  fadeOut(ms: number): Int16Array {
    this.#wordsAt = undefined;
    this.#pause = Number.POSITIVE_INFINITY;
    const frame = this.next(ms);
    return frame.map((sample, i) => sample * (1 - i / frame.length));
  }

  #nextWord(): number | undefined {
    if (this.#wordsAt === undefined) {
      this.#pause -= 1;
      if (this.#pause > 0) return undefined;
      this.speak();
    }
    const at = this.#wordsAt ?? 0;
    this.#wordsAt = at + 1;
    if (at < this.#words.length) return this.#words[at];
    this.#wordsAt = undefined;
    this.resume();
    return undefined;
  }
}
