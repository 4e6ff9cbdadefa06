// SPDX-License-Identifier: Apache-2.0

import type { PcmAudio } from './pcm.js';

/** Gaps up to this length are timer jitter; in longer ones no audio arrived. */
const MAX_JITTER_MS = 60;

/** Records audio by arrival time and fills gaps with silence, so that two recordings of one call line up. */
export class AudioRecorder {
  readonly #startedAt = Date.now();
  readonly #sampleRate: number;
  readonly #chunks: Int16Array[] = [];
  #length = 0;

  /** @param sampleRate of everything that will be written, in Hz */
  constructor(sampleRate: number) {
    this.#sampleRate = sampleRate;
  }

  /** @param at when the samples arrived, in ms since the epoch */
  write(samples: Int16Array, at: number): void {
    const expected = Math.round(((at - this.#startedAt) * this.#sampleRate) / 1000);
    const gap = expected - this.#length;
    if (gap > (MAX_JITTER_MS * this.#sampleRate) / 1000) this.#push(new Int16Array(gap));
    this.#push(samples);
  }

  recording(): PcmAudio {
    const samples = new Int16Array(this.#length);
    let offset = 0;
    for (const chunk of this.#chunks) {
      samples.set(chunk, offset);
      offset += chunk.length;
    }
    return { sampleRate: this.#sampleRate, samples };
  }

  #push(samples: Int16Array): void {
    this.#chunks.push(Int16Array.from(samples));
    this.#length += samples.length;
  }
}
