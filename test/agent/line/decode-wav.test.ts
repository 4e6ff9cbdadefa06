// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import wavefile from 'wavefile';
import { decodeWav } from '../../../agent/src/line/decode-wav.js';

const SAMPLES = Int16Array.from({ length: 4_410 }, (_, i) => 8_000 * Math.sin(i / 20));

function wav(rate: number, channels = 1, change: (wav: wavefile.WaveFile) => void = () => {}) {
  const file = new wavefile.WaveFile();
  file.fromScratch(channels, rate, '16', channels === 1 ? SAMPLES : [SAMPLES, SAMPLES]);
  change(file);
  return file.toBuffer();
}

describe('decodeWav', () => {
  it.each([8_000, 16_000, 44_100, 48_000])('reads 16-bit PCM at %d Hz as it is', (rate) => {
    expect(decodeWav(wav(rate))).toEqual({ sampleRate: rate, samples: SAMPLES });
  });

  it('reads mu-law as a telephone does', () => {
    const { sampleRate, samples } = decodeWav(wav(8_000, 1, (file) => file.toMuLaw()));
    expect(sampleRate).toBe(8_000);
    expect(samples.length).toBe(SAMPLES.length);
    const worst = Math.max(...samples.map((sample, i) => Math.abs(sample - (SAMPLES[i] ?? 0))));
    expect(worst).toBeLessThan(400);
  });

  it('mixes channels, and passes over chunks that it does not know', () => {
    const stereo = wav(16_000, 2, (file) => file.setTag('ICMT', 'odd'));
    expect(decodeWav(stereo).samples).toEqual(SAMPLES);
  });

  it('brings a rate that WebRTC does not take to one that it does', () => {
    const { sampleRate, samples } = decodeWav(wav(22_050));
    expect(sampleRate).toBe(48_000);
    expect(samples.length / sampleRate).toBeCloseTo(SAMPLES.length / 22_050, 3);
  });

  it.each<[string, Uint8Array, string]>([
    ['no WAV at all', Buffer.from('ID3 some other file'), 'it is no WAV file'],
    ['nothing', new Uint8Array(), 'it is no WAV file'],
    ['a WAV that is cut off', wav(8_000).subarray(0, 30), 'it is no WAV file'],
    ['floats', wav(8_000, 1, (file) => file.toBitDepth('32f')), 'neither 16-bit PCM nor mu-law'],
    ['A-law', wav(8_000, 1, (file) => file.toALaw()), 'neither 16-bit PCM nor mu-law'],
    ['a rate of 4 kHz', wav(4_000), 'from 8000 to 48000 Hz'],
    ['no samples', wav(8_000).subarray(0, 44), 'it has no audio'],
  ])('refuses %s with the reason', (_, file, reason) => {
    expect(() => decodeWav(file)).toThrow(reason);
  });
});
