// SPDX-License-Identifier: Apache-2.0

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import wavefile from 'wavefile';
import { type PcmAudio, SILENCE_LEVEL } from '../../agent/src/caller/pcm.js';

/**
 * Reads a WAV of any rate, width and number of channels as mono 16-bit audio at `sampleRate`.
 * @throws Error with one sentence when the file is missing, is not a WAV, or holds only silence.
 */
export function readWav(file: string, sampleRate: number): PcmAudio {
  if (!existsSync(file)) throw new Error(`There is no file ${file}: give the path of a WAV file.`);
  let samples: Int16Array;
  try {
    const wav = new wavefile.WaveFile(readFileSync(file));
    wav.toBitDepth('16');
    if ((wav.fmt as { sampleRate: number }).sampleRate !== sampleRate) wav.toSampleRate(sampleRate);
    samples = mixDown(wav.getSamples(false, Int16Array) as unknown as Int16Array | Int16Array[]);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`${file} cannot be read as WAV (${why}): record it as PCM WAV.`);
  }
  if (!samples.some((sample) => Math.abs(sample) > SILENCE_LEVEL))
    throw new Error(`${file} holds no sound above -50 dBFS: record it again, louder.`);
  return { sampleRate, samples };
}

function mixDown(channels: Int16Array | Int16Array[]): Int16Array {
  if (!Array.isArray(channels)) return Int16Array.from(channels);
  const first = channels[0] ?? new Int16Array();
  return Int16Array.from(first, (_, i) => {
    let sum = 0;
    for (const channel of channels) sum += channel[i] ?? 0;
    return sum / channels.length;
  });
}

/** Writes a mono 16-bit WAV. */
export function writeWav(file: string, { sampleRate, samples }: PcmAudio): void {
  const wav = new wavefile.WaveFile();
  wav.fromScratch(1, sampleRate, '16', samples);
  writeFileSync(file, wav.toBuffer());
}

/** Peak level in dB relative to full scale; -Infinity for digital silence. */
export function peakDb(samples: Int16Array): number {
  let peak = 0;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  return 20 * Math.log10(peak / 32768);
}

/** Root mean square of some samples, on the scale of a 16-bit sample. */
export function rmsLevel(samples: Int16Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return samples.length ? Math.sqrt(sum / samples.length) : 0;
}
