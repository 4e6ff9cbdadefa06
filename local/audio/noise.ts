// SPDX-License-Identifier: Apache-2.0

import { PHONE_RATE } from './g711.js';
import { readWav } from './wav.js';

/** What is around a caller all the time: white noise of a level, or a recording that starts again at its end. */
export type Noise = { dbfs: number } | { file: string };

/** Quieter is below what 16 bits can tell from silence, louder leaves no room for speech. */
const MIN_DBFS = -90;
const MAX_DBFS = -10;

/**
 * Reads `--noise`: a level like -40 (dBFS, root mean square) or the path of a WAV file.
 * @throws Error with one sentence for a level out of range, or a file that cannot be read
 */
export function parseNoise(text: string): Noise {
  const level = /^(-?\d+(?:\.\d+)?)\s*(?:dB(?:FS)?)?$/i.exec(text.trim())?.[1];
  if (level === undefined) {
    // Said before a call is started; each caller reads it at its own rate.
    readWav(text, PHONE_RATE);
    return { file: text };
  }
  const dbfs = Number(level);
  if (dbfs < MIN_DBFS || dbfs > MAX_DBFS)
    throw new Error(`Give a level from ${MIN_DBFS} to ${MAX_DBFS} dBFS, or a WAV file.`);
  return { dbfs };
}

/** Adds noise to a microphone's frames. */
export class NoiseMixer {
  readonly #next: () => number;

  /**
   * @param sampleRate of the frames, in Hz
   * @throws Error with one sentence when the file cannot be read
   */
  constructor(noise: Noise, sampleRate: number) {
    this.#next = 'file' in noise ? repeat(noise.file, sampleRate) : white(noise.dbfs);
  }

  /** @returns new samples, the old ones stay as they are */
  addTo(samples: Int16Array): Int16Array {
    return Int16Array.from(samples, (sample) =>
      Math.max(-32_768, Math.min(32_767, Math.round(sample + this.#next()))),
    );
  }
}

function repeat(file: string, sampleRate: number): () => number {
  const { samples } = readWav(file, sampleRate);
  let i = 0;
  return () => samples[i++ % samples.length] ?? 0;
}

function white(dbfs: number): () => number {
  // Uniform noise of the amplitude a has the level a / √3.
  const amplitude = 32_768 * 10 ** (dbfs / 20) * Math.sqrt(3);
  return () => (2 * Math.random() - 1) * amplitude;
}
