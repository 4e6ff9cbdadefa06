// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { CallerVoice } from '../../../../packages/livekit-plugin-nova-sonic/src/audio/caller-voice.js';
import {
  createVoiceActivityDetector,
  LevelDetector,
  rms,
  type VoiceActivityDetector,
} from '../../../../packages/livekit-plugin-nova-sonic/src/audio/voice-activity.js';
import { noise, speech } from '../support/noises.js';

const chunk = (samples: Int16Array, at: number, rate = 16_000) => ({
  pcm: new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength),
  at,
  ms: (samples.length * 1_000) / rate,
});
const tone = (ms: number, level = 2_000, rate = 16_000) =>
  new Int16Array((ms * rate) / 1_000).fill(level);

/** Everything that is loud is a voice, as soon as the detector says so. */
const loud: VoiceActivityDetector = { predict: (s) => (rms(s) > 1_000 ? 0.6 : 0.4) };
const failed = (error: unknown) => {
  throw error;
};

function hear(voice: CallerVoice, from: number, ms: number, level: number, rate = 16_000): void {
  for (let at = from + 32; at <= from + ms; at += 32)
    voice.push(chunk(tone(32, level, rate), at, rate));
}

describe('CallerVoice', () => {
  test('tells when there was a voice and how much of it, above a level', () => {
    const voice = new CallerVoice(16_000, { predict: (s) => (rms(s) > 1_000 ? 1 : 0) }, failed);
    hear(voice, 0, 3_200, 100);
    expect(voice.since(0)).toBeUndefined();
    hear(voice, 3_200, 640, 2_000);
    hear(voice, 3_840, 640, 4_000);
    hear(voice, 4_480, 640, 100);
    expect(voice.since(0)?.ms).toBeCloseTo(1_280, -2);
    expect(voice.since(3_840)?.ms).toBeCloseTo(640, -2);
    expect(voice.since(0, 3_000)?.from).toBe(3_840);
    expect(voice.level(0, 5_000)).toBe(4_000);
    expect(voice.level(5_000, 10_000)).toBe(0);
    expect(voice.lastAt).toBe(4_480);
    expect(voice.stretchFrom(5_980)).toBe(3_200);
    expect(voice.stretchFrom(5_981)).toBeUndefined();
  });

  test('less is needed for a voice to go on than to begin', () => {
    const voice = new CallerVoice(16_000, loud, failed);
    hear(voice, 0, 320, 500);
    expect(voice.since(-1)).toBeUndefined();
    hear(voice, 320, 320, 2_000);
    hear(voice, 640, 320, 500);
    expect(voice.since(-1)?.ms).toBeCloseTo(640, -2);
  });

  test('any rate is heard at 16 kHz', () => {
    for (const rate of [8_000, 16_000, 24_000]) {
      let windows = 0;
      const detector = { predict: () => ++windows && 0 };
      hear(new CallerVoice(rate, detector, failed), 0, 3_200, 2_000, rate);
      expect(windows).toBeGreaterThanOrEqual(99);
      expect(windows).toBeLessThanOrEqual(101);
    }
  });

  test('a detector that is loaded later gets what it missed; one that fails is reported', async () => {
    let load = (_: VoiceActivityDetector) => {};
    const errors: unknown[] = [];
    const loading = new Promise<VoiceActivityDetector>((resolve) => {
      load = resolve;
    });
    const voice = new CallerVoice(16_000, loading, (error) => errors.push(error));
    hear(voice, 0, 320, 2_000);
    load({ predict: async () => 1 });
    for (let i = 0; i < 100; i++) await Promise.resolve();
    expect(voice.since(-1)?.ms).toBe(320);
    const broken = new CallerVoice(
      16_000,
      {
        predict: () => {
          throw new Error('broken');
        },
      },
      (error) => errors.push(error),
    );
    hear(broken, 0, 32, 2_000);
    expect(errors).toHaveLength(1);
  });

  test('a detector that takes its time gets each window as it was heard, in order, and three seconds of them at most', async () => {
    const heard: number[] = [];
    const answers: Array<(probability: number) => void> = [];
    const voice = new CallerVoice(
      16_000,
      {
        predict: (samples) => {
          // The middle: at its edges a window may have a sample of the one beside it.
          heard.push(samples[256] as number);
          return new Promise((resolve) => answers.push(resolve));
        },
      },
      failed,
    );
    for (let i = 1; i <= 200; i += 1) hear(voice, i * 32, 32, 1_000 + i);
    expect(heard).toEqual([1_001]);
    while (answers.length > 0) {
      answers.shift()?.(0);
      for (let i = 0; i < 10; i += 1) await Promise.resolve();
    }
    expect(heard).toHaveLength(95);
    expect(heard.slice(1)).toEqual(Array.from({ length: 94 }, (_, i) => 1_107 + i));
  });

  test('silence costs nothing', () => {
    let asked = 0;
    const voice = new CallerVoice(16_000, { predict: () => ++asked }, failed);
    hear(voice, 0, 3_200, 5);
    expect(asked).toBe(0);
  });
});

describe('the detectors', () => {
  /** Shares of voiced windows in noise alone, and while somebody speaks over it. */
  async function voiced(detector: VoiceActivityDetector, kind: 'white' | 'music') {
    const background = noise(kind, 4_000, -26);
    const words = await speech('Could you please book a table for four people?', -22);
    const both = background.map((s, i) => s + (words[i] ?? 0));
    const share = async (samples: Int16Array, ms: number) => {
      let count = 0;
      const windows = Math.floor((ms * 16) / 512);
      for (let i = 0; i < windows; i++)
        if ((await detector.predict(samples.slice(i * 512, i * 512 + 512))) >= 0.5) count++;
      return count / windows;
    };
    // The detector without a model has to learn the background first.
    await share(background, 4_000);
    return { noise: await share(background, 4_000), speech: await share(both, words.length / 16) };
  }

  test.each(['white', 'music'] as const)(
    'Silero: speech over %s noise of -26 dBFS',
    async (kind) => {
      const silero = await createVoiceActivityDetector(failed);
      expect(silero).not.toBeInstanceOf(LevelDetector);
      const shares = await voiced(silero, kind);
      expect(shares.noise).toBeLessThan(0.02);
      expect(shares.speech).toBeGreaterThan(0.7);
    },
  );

  test('without a model steady noise of any level is no voice', async () => {
    const detector = new LevelDetector();
    for (let i = 0; i < 200; i++) detector.predict(noise('white', 32, -20));
    for (let i = 0; i < 200; i++) expect(detector.predict(noise('white', 32, -20))).toBe(0);
    expect(detector.predict(noise('white', 32, -6))).toBe(1);
  });
});
