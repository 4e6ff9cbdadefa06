// SPDX-License-Identifier: Apache-2.0
// What the real service does at times: noise, typed text in mid-reply, very long replies, the timing of 2.5.
import { describe, expect, it } from '@jest/globals';
import { PROFILES } from '../../../../packages/nova-sonic-emulator/src/dialogue/profile.js';
import { profileFor, resolveConfig } from '../../../../packages/nova-sonic-emulator/src/options.js';
import { DialogueHarness } from './dialogue-harness.js';

const spoken = (harness: DialogueHarness) => harness.texts('ASSISTANT', 'SPECULATIVE');
const LONG = 'Once upon a time, there was a clock, and it ticked.';

describe('noise that is taken for speech', () => {
  it('is a pair of events without a transcript and without a reply', async () => {
    const harness = new DialogueHarness([{ user: 'Hello', reply: 'Hi.' }]);
    await harness.clock.pass(1000);
    harness.dialogue.falseSpeech(640, 500);
    await harness.clock.pass(5000);
    expect(harness.outline()).toEqual(['userSpeechStart', 'completionStart', 'userSpeechEnd']);
    const [end] = harness.of('userSpeechEnd');
    expect(end?.body.inputAudioOffsetMs).toBe(1140);
  });

  it('interrupts a reply, and only postpones one that has not begun', async () => {
    const harness = new DialogueHarness([
      { user: 'Hello', reply: 'Hi.' },
      { user: 'Tell me', reply: LONG },
    ]);
    await harness.speak();
    await harness.clock.pass(220);
    harness.dialogue.falseSpeech(3000, 500);
    await harness.clock.pass(400);
    expect(spoken(harness)).toEqual([]);
    await harness.clock.pass(5000);
    expect(spoken(harness)).toEqual(['Hi.']);
    await harness.speak();
    await harness.clock.pass(1000);
    harness.dialogue.falseSpeech(9000, 500);
    await harness.clock.pass(3000);
    expect(harness.notes.filter(({ name }) => name === 'bargeIn')).toHaveLength(1);
  });
});

describe('a user who types while the model speaks', () => {
  const turns = [
    { user: 'Tell me', reply: LONG },
    { on: 'text' as const, reply: 'As you wish.' },
  ];
  const typing = async (quirks: Partial<DialogueHarness['quirks']>) => {
    const harness = new DialogueHarness(turns);
    Object.assign(harness.quirks, quirks);
    await harness.speak();
    await harness.clock.pass(1000);
    harness.dialogue.typedText('Stop');
    await harness.clock.pass(9000);
    return harness;
  };

  it('interrupts it and is answered', async () => {
    const harness = await typing({});
    expect(harness.texts('ASSISTANT', 'FINAL')).toContain('{ "interrupted" : true }');
    expect(spoken(harness)).toEqual([LONG, 'As you wish.']);
    expect(harness.texts('USER', 'FINAL')).toEqual(['Tell me']);
  });

  it('may be followed by an empty USER text', async () => {
    expect((await typing({ emptyUserText: true })).texts('USER', 'FINAL')).toEqual(['Tell me', '']);
  });

  it('may interrupt without being answered', async () => {
    const harness = await typing({ typedTextIgnored: true });
    expect(harness.texts('ASSISTANT', 'FINAL')).toContain('{ "interrupted" : true }');
    expect(spoken(harness)).toEqual([LONG]);
  });
});

it('a reply of 300 sentences arrives whole and in order, faster than it plays', async () => {
  const words = Array.from({ length: 300 }, (_, i) => `Sentence number ${i}.`);
  const harness = new DialogueHarness([{ user: 'All', reply: words.join(' ') }]);
  await harness.speak();
  await harness.clock.pass(200_000);
  expect(spoken(harness)).toEqual(words);
  const bytes = harness
    .of('audioOutput')
    .reduce((sum, { body }) => sum + Buffer.byteLength(body.content, 'base64'), 0);
  expect(bytes).toBe(300 * 8000 * 2);
  const audio = harness.of('audioOutput');
  expect((audio.at(-1)?.t ?? 0) - (audio[0]?.t ?? 0)).toBeLessThan(300_000);
});

describe('the timing of Nova 2.5', () => {
  const config = resolveConfig({});
  it('differs where it was measured, and is that of Nova 2 elsewhere', () => {
    expect(profileFor(config, '2')).toEqual(PROFILES.capture);
    const profile = profileFor(config, '2.5');
    expect(profile).toMatchObject({ think: [266, 309], pause: { MEDIUM: 240 } });
    expect(profile.finalText).toEqual(PROFILES.capture.finalText);
  });

  it('yields to timings that are given, and to the fast profile', () => {
    expect(profileFor(resolveConfig({ timings: { think: 1 } }), '2.5').think).toBe(1);
    expect(profileFor(resolveConfig({ profile: 'fast' }), '2.5')).toEqual(PROFILES.fast);
  });

  it('is that of the measurement: a tool at 266…309 ms, the audio some 735…766 ms after the end of speech', async () => {
    const harness = new DialogueHarness(
      [{ user: 'What time?', tools: [{ name: 'clock' }], reply: 'Nine.' }],
      { profile: profileFor(config, '2.5') },
    );
    await harness.speak(240);
    await harness.clock.pass(700);
    const end = harness.of('userSpeechEnd')[0]?.t as number;
    const [call] = harness.of('toolUse');
    expect((call?.t as number) - end).toBeGreaterThanOrEqual(266);
    expect((call?.t as number) - end).toBeLessThanOrEqual(311);
    harness.dialogue.toolResult(call?.body.toolUseId, {});
    await harness.clock.pass(2000);
    const gap =
      (harness.of('audioOutput')[0]?.t as number) - (harness.of('toolUse')[0]?.t as number);
    // The test's own wait of up to 700 ms stands for the tool.
    expect(gap).toBeGreaterThan(442);
  });
});
