// SPDX-License-Identifier: Apache-2.0
import { afterAll, describe, expect, it } from '@jest/globals';
import { SpeechSynthesizer } from '../../../../packages/nova-sonic-emulator/src/speech/speech-synthesizer.js';

const american = { locale: 'en-US', register: 'feminine' } as const;

const synthesizer = new SpeechSynthesizer();
afterAll(() => synthesizer.close());

describe('speech', () => {
  it.each([8000, 16_000, 24_000])('has the length of the sentence at %i Hz', async (rate) => {
    const samples = await synthesizer.say(
      'The quick brown fox jumps over the dog.',
      american,
      rate,
    );
    expect(samples.length / rate).toBeGreaterThan(1.5);
    expect(samples.length / rate).toBeLessThan(4);
    const energy = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    expect(Math.sqrt(energy)).toBeGreaterThan(500);
  });

  it.each([
    ['en-GB', 'Good morning.'],
    ['fr-FR', 'Bonjour à tous.'],
    ['it-IT', 'Buongiorno a tutti.'],
    ['de-DE', 'Schönen guten Morgen.'],
    ['es-US', 'Buenos días a todos.'],
    ['pt-BR', 'Bom dia a todos.'],
    ['hi-IN', 'नमस्ते दोस्तों'],
  ])('is spoken in %s', async (locale, text) => {
    const samples = await synthesizer.say(text, { locale, register: 'masculine' }, 16_000);
    expect(samples.length / 16_000).toBeGreaterThan(0.4);
  });

  it('of the same sentence is made once', () => {
    const first = synthesizer.say('Once.', american, 16_000);
    expect(synthesizer.say('Once.', american, 16_000)).toBe(first);
    expect(synthesizer.say('Once.', american, 8000)).not.toBe(first);
    return first;
  });

  it('of nothing to pronounce is a short silence', async () => {
    expect(await synthesizer.say('… 💥', american, 8000)).toEqual(new Int16Array(1600));
  });

  it('does not hold up the event loop', async () => {
    await synthesizer.say('Warm up.', american, 24_000);
    let turns = 0;
    const turn = () => {
      turns += 1;
      immediate = setImmediate(turn);
    };
    let immediate = setImmediate(turn);
    // On the event loop nothing else would run before the sentence is there.
    await synthesizer.say('This is a sentence that takes a while.', american, 24_000);
    clearImmediate(immediate);
    expect(turns).toBeGreaterThan(1);
  });

  it('that is pending when it closes is rejected', async () => {
    const synthesizer = new SpeechSynthesizer();
    const pending = synthesizer.say('Never heard.', american, 24_000);
    await Promise.all([expect(pending).rejects.toThrow('was closed'), synthesizer.close()]);
  });
});
