// SPDX-License-Identifier: Apache-2.0

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import wavefile from 'wavefile';

/** Sound below this is silence: -50 dBFS, well above the noise of WebRTC's codec and below quiet speech. */
export const SILENCE = 32768 * 10 ** (-50 / 20);

/** Mono 16-bit samples and their rate. */
export interface Recording {
  sampleRate: number;
  samples: Int16Array;
}

/**
 * Reads a WAV of any rate, width and number of channels as mono 16 bit at `sampleRate`.
 * @throws Error with one sentence when the file is missing, not a WAV, or holds no sound.
 */
export function readRecording(file: string, sampleRate: number): Recording {
  if (!existsSync(file)) throw new Error(`There is no file ${file}: give the path of a WAV.`);
  let samples: Int16Array;
  try {
    const wav = new wavefile.WaveFile(readFileSync(file));
    wav.toBitDepth('16');
    if ((wav.fmt as { sampleRate: number }).sampleRate !== sampleRate) wav.toSampleRate(sampleRate);
    samples = mono(wav.getSamples(false, Int16Array) as unknown as Int16Array | Int16Array[]);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`${file} is not a WAV that can be read (${why}): record it as PCM WAV.`);
  }
  if (!samples.some((sample) => Math.abs(sample) > SILENCE))
    throw new Error(`${file} holds no sound above -50 dBFS: record it again, louder.`);
  return { sampleRate, samples };
}

function mono(channels: Int16Array | Int16Array[]): Int16Array {
  if (!Array.isArray(channels)) return Int16Array.from(channels);
  const first = channels[0] ?? new Int16Array();
  return Int16Array.from(first, (_, i) => {
    let sum = 0;
    for (const channel of channels) sum += channel[i] ?? 0;
    return sum / channels.length;
  });
}

/** Writes mono 16 bit WAV. */
export function writeRecording(file: string, { sampleRate, samples }: Recording): void {
  const wav = new wavefile.WaveFile();
  wav.fromScratch(1, sampleRate, '16', samples);
  writeFileSync(file, wav.toBuffer());
}

/** Index after the last sample that is not silence: where the speech in a recording ends. */
export function endOfSound(samples: Int16Array): number {
  let end = samples.length;
  while (end > 0 && Math.abs(samples[end - 1] ?? 0) <= SILENCE) end--;
  return end;
}

/** Peak of some samples in dB below full scale; -Infinity for digital silence. */
export function peakDb(samples: Int16Array): number {
  let peak = 0;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  return 20 * Math.log10(peak / 32768);
}
