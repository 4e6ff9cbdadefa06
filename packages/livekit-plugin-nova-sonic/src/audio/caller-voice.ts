// SPDX-License-Identifier: Apache-2.0
import type { AudioChunk } from './chunker.js';
import {
  rms,
  VAD_RATE,
  VAD_WINDOW,
  VAD_WINDOW_MS,
  type VoiceActivityDetector,
} from './voice-activity.js';

/** Silero's usual thresholds: one to begin, a lower one to continue. */
const VOICED = 0.5;
const STILL_VOICED = 0.35;
/** Below this (-70 dBFS) nobody speaks: the detector is not asked. */
const INAUDIBLE = 10;
/** Pauses up to this are part of a stretch of voice (ms). */
const PAUSE_MS = 1_500;
/** How far back the caller's voice is known (ms). */
const MEMORY_MS = 40_000;
/** A detector that is so far behind (3 s) is skipped. */
const MAX_WAITING = 94;

/** 32 ms with a voice in them. */
interface VoicedWindow {
  /** When its last sample arrived (ms since the epoch). */
  readonly at: number;
  /** Root of the mean square of its samples. */
  readonly level: number;
}

/** Voice in some stretch of the caller's audio. */
export interface VoiceSum {
  readonly ms: number;
  /** When its first and last sample arrived (ms since the epoch). */
  readonly from: number;
  readonly to: number;
}

/** Where in the caller's audio there was a voice. */
export class CallerVoice {
  readonly #step: number;
  readonly #onError: (error: unknown) => void;
  #detector?: VoiceActivityDetector;
  #samples = new Int16Array(VAD_WINDOW);
  #filled = 0;
  #position = 0;
  #previous = 0;
  #waiting: Array<{ samples: Int16Array; at: number; level: number }> = [];
  #busy = false;
  #voiced: VoicedWindow[] = [];
  #last = false;
  #stretchFrom = 0;

  /**
   * @param rate sample rate of the audio (Hz)
   * @param detector or a promise of it; until then the audio waits
   * @param onError called when the detector fails: there is no voice then
   */
  constructor(
    rate: number,
    detector: VoiceActivityDetector | Promise<VoiceActivityDetector>,
    onError: (error: unknown) => void,
  ) {
    this.#step = rate / VAD_RATE;
    this.#onError = onError;
    if (!(detector instanceof Promise)) this.#detector = detector;
    else
      void detector.then((loaded) => {
        this.#detector = loaded;
        this.#detect();
      }, onError);
  }

  /** When there last was a voice (ms since the epoch). */
  get lastAt(): number | undefined {
    return this.#voiced.at(-1)?.at;
  }

  push(chunk: AudioChunk): void {
    const { pcm, at } = chunk;
    const samples = new Int16Array(pcm.buffer, pcm.byteOffset, pcm.byteLength >> 1);
    // Linear interpolation: plenty for finding a voice.
    for (const sample of samples) {
      while (this.#position <= 1) {
        this.#add(this.#previous + (sample - this.#previous) * this.#position, at);
        this.#position += this.#step;
      }
      this.#position -= 1;
      this.#previous = sample;
    }
  }

  /** Since when there has been a voice, with pauses up to 1.5 s; undefined when there is none now. */
  stretchFrom(now: number): number | undefined {
    return this.lastAt !== undefined && now - this.lastAt <= PAUSE_MS
      ? this.#stretchFrom
      : undefined;
  }

  /** The voice after a time, until another, that is louder than `level`; undefined when there was none. */
  since(time: number, level = 0, until = Number.POSITIVE_INFINITY): VoiceSum | undefined {
    let ms = 0;
    let from = 0;
    let to = 0;
    for (let i = this.#voiced.length - 1; i >= 0; i -= 1) {
      const window = this.#voiced[i] as VoicedWindow;
      if (window.at <= time) break;
      if (window.level <= level || window.at > until) continue;
      if (ms === 0) to = window.at;
      from = window.at - VAD_WINDOW_MS;
      ms += VAD_WINDOW_MS;
    }
    return ms > 0 ? { ms, from, to } : undefined;
  }

  /** The level that 95 % of the voice between two times stay below: root of the mean square, 0 to 32768. */
  level(from: number, to: number): number {
    const voiced = this.#voiced.filter(({ at }) => at > from && at <= to);
    const levels = voiced.map((window) => window.level).sort((a, b) => a - b);
    return levels[Math.floor(levels.length * 0.95)] ?? 0;
  }

  #add(sample: number, at: number): void {
    this.#samples[this.#filled++] = sample;
    if (this.#filled < VAD_WINDOW) return;
    this.#filled = 0;
    this.#waiting.push({ samples: this.#samples, at, level: rms(this.#samples) });
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
    this.#samples = new Int16Array(VAD_WINDOW);
    this.#detect();
  }

  /** One window after the other; at once where the detector answers at once. */
  #detect(): void {
    if (this.#busy || !this.#detector) return;
    try {
      for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
        const { at, level, samples } = next;
        const probability = level < INAUDIBLE ? 0 : this.#detector.predict(samples);
        if (typeof probability === 'number') {
          this.#take(probability, at, level);
          continue;
        }
        this.#busy = true;
        void probability
          .then((value) => this.#take(value, at, level), this.#onError)
          .finally(() => {
            this.#busy = false;
            this.#detect();
          });
        return;
      }
    } catch (error) {
      this.#onError(error);
    }
  }

  #take(probability: number, at: number, level: number): void {
    this.#last = probability >= (this.#last ? STILL_VOICED : VOICED);
    if (!this.#last) return;
    if (this.stretchFrom(at) === undefined) this.#stretchFrom = at - VAD_WINDOW_MS;
    this.#voiced.push({ at, level });
    const old = this.#voiced.findIndex((window) => at - window.at < MEMORY_MS);
    // Not at every window: half of the memory at once.
    if (old > MEMORY_MS / VAD_WINDOW_MS / 2) this.#voiced.splice(0, old);
  }
}
