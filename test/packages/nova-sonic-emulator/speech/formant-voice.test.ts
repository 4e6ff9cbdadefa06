// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import { FormantVoice } from '../../../../packages/nova-sonic-emulator/src/speech/formant-voice.js';
import { createSileroVad } from '../../../../packages/nova-sonic-emulator/src/speech/speech-detector.js';

const voice = new FormantVoice();
const woman = { locale: 'en-US', register: 'feminine' } as const;
const man = { locale: 'de-DE', register: 'masculine' } as const;

describe('the voice without words', () => {
  it.each([woman, man])('is speech to a voice activity detector: $register', async (who) => {
    const samples = await voice.say('What time is it in Tokyo, please?', who, 16_000);
    const vad = createSileroVad();
    let voiced = 0;
    let windows = 0;
    for (let at = 0; at + 512 <= samples.length; at += 512, windows++) {
      if ((await vad.predict(samples.slice(at, at + 512))) >= 0.5) voiced++;
    }
    expect(voiced / windows).toBeGreaterThan(0.7);
  });

  it('is as long as its text, at any rate, and never clips', async () => {
    const seconds = async (text: string, rate: number) =>
      (await voice.say(text, woman, rate)).length / rate;
    expect(await seconds('One two three.', 8000)).toBeCloseTo(
      await seconds('One two three.', 24_000),
      2,
    );
    expect(await seconds('One two three four five six.', 8000)).toBeGreaterThan(
      await seconds('One.', 8000),
    );
    expect(await seconds('…', 8000)).toBeCloseTo(0.2, 2);
    const loudest = (await voice.say('Aaah!', man, 24_000)).reduce(
      (max, sample) => Math.max(max, Math.abs(sample)),
      0,
    );
    expect(loudest).toBeGreaterThan(5000);
    expect(loudest).toBeLessThan(20_000);
  });

  it('says the same in the same way', async () => {
    expect(await voice.say('Hello there.', woman, 16_000)).toEqual(
      await voice.say('Hello there.', woman, 16_000),
    );
  });
});
