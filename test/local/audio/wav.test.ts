// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import wavefile from 'wavefile';
import { endOfSound } from '../../../agent/src/caller/pcm.js';
import { peakDb, readWav, rmsLevel, writeWav } from '../../../local/audio/wav.js';

const directory = mkdtempSync(join(tmpdir(), 'recording-'));
const tone = (sampleRate: number, seconds: number, amplitude = 16384) =>
  Int16Array.from({ length: sampleRate * seconds }, (_, i) =>
    Math.round(amplitude * Math.sin((2 * Math.PI * 440 * i) / sampleRate)),
  );

function wav(name: string, channels: Int16Array[], sampleRate: number, depth = '16'): string {
  const file = join(directory, name);
  const wave = new wavefile.WaveFile();
  const sound = channels.length === 1 ? channels.flatMap((channel) => [...channel]) : channels;
  wave.fromScratch(channels.length, sampleRate, '16', sound);
  if (depth !== '16') wave.toBitDepth(depth);
  writeFileSync(file, wave.toBuffer());
  return file;
}

describe('readWav', () => {
  it.each([
    ['8 kHz', wav('8k.wav', [tone(8000, 1)], 8000)],
    ['44.1 kHz', wav('44k.wav', [tone(44_100, 1)], 44_100)],
    ['24 bit', wav('24bit.wav', [tone(48_000, 1)], 48_000, '24')],
    ['float', wav('float.wav', [tone(16_000, 1)], 16_000, '32f')],
    ['stereo', wav('stereo.wav', [tone(48_000, 1), tone(48_000, 1)], 48_000)],
  ])('reads %s as mono at the requested rate', (_, file) => {
    const { samples, sampleRate } = readWav(file, 48_000);
    expect(sampleRate).toBe(48_000);
    expect(samples.length).toBeGreaterThan(47_000);
    expect(samples.length).toBeLessThan(49_000);
    expect(peakDb(samples)).toBeGreaterThan(-8);
    expect(peakDb(samples)).toBeLessThan(-4);
  });

  it('mixes channels, so that sound on one side only is not lost', () => {
    const file = wav('right.wav', [new Int16Array(48_000), tone(48_000, 1)], 48_000);
    expect(peakDb(readWav(file, 48_000).samples)).toBeCloseTo(-12, 0);
  });

  it.each([
    [
      'missing',
      join(directory, 'none.wav'),
      /There is no file .*none\.wav: give the path of a WAV/,
    ],
    ['broken', join(directory, 'broken.wav'), /broken\.wav cannot be read as WAV/],
    [
      'silent',
      wav('silent.wav', [new Int16Array(48_000)], 48_000),
      /holds no sound above -50 dBFS/,
    ],
  ])('says in one sentence that a file is %s', (_, file, message) => {
    writeFileSync(join(directory, 'broken.wav'), 'not a sound');
    expect(() => readWav(file, 48_000)).toThrow(message);
  });
});

it('writes what it reads', () => {
  const samples = tone(48_000, 1);
  const file = join(directory, 'out.wav');
  writeWav(file, { samples, sampleRate: 48_000 });
  expect(readWav(file, 48_000).samples).toEqual(samples);
});

it('finds the end of sound before trailing silence', () => {
  const samples = new Int16Array(4000);
  samples.fill(8000, 100, 1500);
  expect(endOfSound(samples)).toBe(1500);
});

it('measures the root mean square', () => {
  expect(rmsLevel(Int16Array.from([300, -400, 300, -400]))).toBeCloseTo(353.55, 1);
  expect(rmsLevel(new Int16Array())).toBe(0);
});
