// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { AudioFrame } from '@livekit/rtc-node';
import fc from 'fast-check';
import {
  type AudioChunk,
  AudioChunker,
} from '../../../../packages/livekit-plugin-nova-sonic/src/audio/chunker.js';
import { holds } from '../../../support/properties.js';

const frame = (samples: readonly number[], rate = 16_000, channels = 1) =>
  new AudioFrame(Int16Array.from(samples), rate, channels, samples.length / channels);
const samplesOf = (chunks: readonly AudioChunk[]) =>
  chunks.flatMap(({ pcm }) => [...new Int16Array(pcm.buffer, pcm.byteOffset, pcm.byteLength / 2)]);
/** Samples that differ from each other. */
const ramp = (length: number) => Array.from({ length }, (_, i) => (i % 65_536) - 32_768);

const sample = fc.integer({ min: -32_768, max: 32_767 });
const rates = fc.constantFrom(8_000, 16_000, 24_000, 48_000);

describe('AudioChunker', () => {
  test('no sample is lost, doubled or moved, whatever the rate, the size of a chunk and the cuts', () => {
    holds(
      fc.property(
        rates,
        fc.integer({ min: 5, max: 200 }),
        fc.array(fc.integer({ min: 0, max: 1_500 }), { maxLength: 10 }),
        (rate, chunkMs, cuts) => {
          const chunker = new AudioChunker(rate, chunkMs);
          const spoken = ramp(cuts.reduce((sum, length) => sum + length, 0));
          const chunks: AudioChunk[] = [];
          let from = 0;
          for (const length of cuts) {
            chunks.push(...chunker.push(frame(spoken.slice(from, from + length), rate), from));
            from += length;
          }
          const size = Math.round((rate * chunkMs) / 1_000);
          expect(chunks).toHaveLength(Math.floor(spoken.length / size));
          for (const { pcm, ms } of chunks) {
            expect(pcm).toHaveLength(size * 2);
            expect(ms).toBe((size * 1_000) / rate);
          }
          const rest = chunker.flush(0);
          expect(rest).toHaveLength(spoken.length % size ? 1 : 0);
          // Compared as bytes: comparing lists of this length takes seconds.
          const whole = Buffer.alloc(Math.ceil(spoken.length / size) * size * 2);
          Buffer.from(Int16Array.from(spoken).buffer).copy(whole);
          expect(Buffer.concat([...chunks, ...rest].map(({ pcm }) => pcm)).equals(whole)).toBe(
            true,
          );
          expect(chunker.flush(0)).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('the mean of the channels, of which none is loud enough to overflow', () => {
    holds(
      fc.property(
        fc.integer({ min: 2, max: 6 }),
        fc.array(sample, { minLength: 30, maxLength: 60 }),
        (channels, samples) => {
          const whole = samples.slice(0, samples.length - (samples.length % channels));
          const chunks = new AudioChunker(16_000, 1 / 16).push(frame(whole, 16_000, channels), 0);
          const means = Array.from({ length: whole.length / channels }, (_, i) => {
            const one = whole.slice(i * channels, (i + 1) * channels);
            return Math.round(one.reduce((sum, value) => sum + value, 0) / channels);
          });
          expect(samplesOf(chunks)).toEqual(means.map((mean) => mean + 0));
        },
      ),
      { numRuns: 60 },
    );
  });

  test('a chunk that is kept does not change when the next one is filled, and shares no memory with it', () => {
    const [first, second] = new AudioChunker(16_000, 10).push(frame(ramp(320)), 5);
    expect(samplesOf([first as AudioChunk])).toEqual(ramp(320).slice(0, 160));
    expect(first?.pcm.buffer).not.toBe(second?.pcm.buffer);
  });

  test('a chunk has the time of the frame that completed it', () => {
    const chunker = new AudioChunker(16_000, 10);
    expect(chunker.push(frame(ramp(100)), 1_000)).toEqual([]);
    expect(chunker.push(frame(ramp(100)), 1_010)).toMatchObject([{ at: 1_010, ms: 10 }]);
    expect(chunker.flush(1_050)).toMatchObject([{ at: 1_050, ms: 10 }]);
  });

  test.each([8_000, 24_000, 44_100, 48_000])(
    'changes %i Hz into 16 kHz: as long as before, and as loud',
    (rate) => {
      const chunker = new AudioChunker(16_000, 20);
      const chunks: AudioChunk[] = [];
      const tone = (i: number) => Math.round(8_000 * Math.sin((2 * Math.PI * 440 * i) / rate));
      const step = rate / 100;
      for (let i = 0; i < 100; i += 1) {
        const samples = Array.from({ length: step }, (_, s) => tone(i * step + s));
        chunks.push(...chunker.push(frame(samples, rate), i * 10));
      }
      // The resampler holds back at most 40 ms.
      expect(chunks.length).toBeGreaterThanOrEqual(48);
      expect(chunks.length).toBeLessThanOrEqual(50);
      const steady = samplesOf(chunks).slice(1_600, 14_400);
      const loud = Math.sqrt(steady.reduce((sum, s) => sum + s * s, 0) / steady.length);
      expect(loud).toBeGreaterThan(8_000 / Math.SQRT2 - 200);
      expect(loud).toBeLessThan(8_000 / Math.SQRT2 + 200);
      chunker.close();
    },
  );

  test('a caller whose rate changes is heard on', () => {
    const chunker = new AudioChunker(16_000, 20);
    let chunks = 0;
    for (const rate of [48_000, 24_000, 16_000, 48_000])
      for (let i = 0; i < 50; i += 1)
        chunks += chunker.push(frame(ramp(rate / 100), rate), 0).length;
    // 2 s, less what a resampler that was replaced had held back.
    expect(chunks).toBeGreaterThanOrEqual(94);
    expect(chunks).toBeLessThanOrEqual(100);
    chunker.close();
  });

  test.each(['clear', 'close'] as const)('%s discards the incomplete chunk', (end) => {
    const chunker = new AudioChunker(16_000, 10);
    chunker.push(frame(ramp(100)), 0);
    chunker[end]();
    expect(chunker.flush(0)).toEqual([]);
    expect(samplesOf(chunker.push(frame(ramp(160)), 0))).toEqual(ramp(160));
  });
});
