// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AudioFrame, isFrameProcessor } from '@livekit/rtc-node';
import { RnnoiseProcessor } from '../../../agent/src/call/rnnoise.js';
import {
  closeSynthesizer,
  noise,
  speech,
} from '../../packages/livekit-plugin-nova-sonic/support/noises.js';

const HZ = 16_000;
const FRAME = 480;

function denoise(processor: RnnoiseProcessor, samples: Int16Array, frame = FRAME): Int16Array {
  const out = new Int16Array(samples.length);
  for (let i = 0; i + frame <= samples.length; i += frame)
    out.set(processor.process(new AudioFrame(samples.slice(i, i + frame), HZ, 1, frame)).data, i);
  return out;
}

const power = (samples: Int16Array) =>
  samples.reduce((sum, s) => sum + s * s, 0) / Math.max(1, samples.length);
const db = (ratio: number) => 10 * Math.log10(ratio);

/** How similar two signals are at a delay: 1 for the same. */
function correlation(a: Int16Array, b: Int16Array, delay: number): number {
  let sum = 0;
  for (let i = delay; i < b.length; i++) sum += (a[i - delay] as number) * (b[i] as number);
  return sum / Math.sqrt(power(a) * a.length * power(b) * b.length);
}

describe('RNNoise', () => {
  let create: () => RnnoiseProcessor;
  let words: Int16Array;
  beforeAll(async () => {
    create = await RnnoiseProcessor.load();
    words = await speech('What is the weather like in Berlin tomorrow morning?', -22);
  });
  afterAll(() => closeSynthesizer());

  it('is one of LiveKit’s frame processors, and gives back frames of the same length', () => {
    const processor = create();
    expect(isFrameProcessor(processor)).toBe(true);
    expect(processor.isEnabled()).toBe(true);
    processor.setEnabled(false);
    expect(processor.isEnabled()).toBe(false);
    for (const samples of [160, 480, 500]) {
      const { sampleRate, channels, samplesPerChannel } = processor.process(
        new AudioFrame(new Int16Array(samples), HZ, 1, samples),
      );
      expect([sampleRate, channels, samplesPerChannel]).toEqual([HZ, 1, samples]);
    }
    processor.close();
    processor.close();
  });

  it('takes 10 dB and more of noise away', () => {
    const hiss = noise('white', 3_000, -32);
    const clean = denoise(create(), hiss);
    const half = clean.length / 2;
    expect(db(power(hiss.slice(half)) / power(clean.slice(half)))).toBeGreaterThan(10);
  });

  it('keeps the voice, and delays it by 10 to 13 ms', () => {
    const clean = denoise(create(), words);
    const delays = Array.from({ length: 400 }, (_, i) => i);
    const best = delays.reduce((a, b) =>
      correlation(words, clean, b) > correlation(words, clean, a) ? b : a,
    );
    expect(correlation(words, clean, best)).toBeGreaterThan(0.9);
    expect((best * 1_000) / HZ).toBeGreaterThanOrEqual(9);
    expect((best * 1_000) / HZ).toBeLessThanOrEqual(13);
    expect(Math.abs(db(power(clean) / power(words)))).toBeLessThan(3);
  });

  it('gives the same at any frame length, 10 ms later where that is no multiple of 10 ms', () => {
    const [tens, odd] = [denoise(create(), words, 160), denoise(create(), words, 500)];
    expect(correlation(tens, odd, 160)).toBeGreaterThan(0.98);
  });

  it('leaves alone what it cannot process', () => {
    const processor = create();
    for (const frame of [
      new AudioFrame(new Int16Array(960), HZ, 2, 480),
      new AudioFrame(new Int16Array(441), 44_100, 1, 441),
    ])
      expect(processor.process(frame)).toBe(frame);
    processor.close();
    const closed = new AudioFrame(new Int16Array(480), HZ, 1, 480);
    expect(processor.process(closed)).toBe(closed);
  });
});
