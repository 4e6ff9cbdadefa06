// SPDX-License-Identifier: Apache-2.0
// What a reply is made of: its speech, and the tokens that each step of a turn counts.

import { expect, it } from '@jest/globals';
import { DialogueHarness, RATE } from './dialogue-harness.js';

const spoken = (harness: DialogueHarness) => harness.texts('ASSISTANT', 'SPECULATIVE');
/** Tokens of each usage event since a time: of the input and the output, speech and text. */
const tokens = (harness: DialogueHarness, since: number) =>
  harness
    .of('usageEvent')
    .filter(({ t }) => t >= since)
    .map(({ body }) => {
      const { input, output } = body.details.delta;
      return [input.speechTokens, input.textTokens, output.speechTokens, output.textTokens];
    });

it('every step of a call is counted, as in the capture', async () => {
  const harness = new DialogueHarness([
    { user: 'What time is it?', tools: [{ name: 'clock' }], reply: 'Nine.' },
  ]);
  await harness.clock.pass(1_000);
  expect(tokens(harness, 0)).toEqual([
    [0, 22, 0, 0],
    [157, 0, 0, 0],
    [0, 1, 0, 0],
    [0, 43, 0, 0],
  ]);
  const asked = harness.clock.now();
  await harness.speak();
  await harness.clock.pass(2_000);
  expect(tokens(harness, asked)).toEqual([
    // A second of speech and 1.6 s until its end was detected, 25 a second; its 16 letters, and what the model adds.
    [65, 0, 0, 0],
    [0, 274, 0, 0],
  ]);
  const answered = harness.clock.now();
  harness.dialogue.toolResult(harness.of('toolUse')[0]?.body.toolUseId, { time: 9 });
  await harness.clock.pass(1_500);
  expect(tokens(harness, answered)).toEqual([
    [0, 3, 0, 0],
    [0, 0, 0, 2],
    [0, 0, 20, 0],
    [0, 0, 5, 0],
  ]);
  const barged = harness.clock.now();
  harness.dialogue.typedText('Stop.');
  expect(tokens(harness, barged)).toEqual([[0, 1, 0, 0]]);
});

it('a sentence that cannot be spoken is a second of silence, and a warning', async () => {
  const harness = new DialogueHarness([{ user: 'A', reply: 'One. Two.' }], {
    textToSpeech: { say: () => Promise.reject(new Error('no voice')) },
  });
  await harness.speak();
  await harness.clock.pass(9_000);
  expect(spoken(harness)).toEqual(['One.', 'Two.']);
  const bytes = harness
    .of('audioOutput')
    .reduce((sum, { body }) => sum + Buffer.byteLength(body.content, 'base64'), 0);
  expect(bytes).toBe(2 * RATE * 2);
  expect(harness.notes.map(({ name, body }) => `${name}: ${body.text}`)).toEqual([
    'warning: no speech for "One.": Error: no voice',
    'warning: no speech for "Two.": Error: no voice',
  ]);
  expect(harness.failures).toEqual([]);
});

it('a text that interrupts what is still heard does not take the place of the one before it', async () => {
  const harness = new DialogueHarness([
    { on: 'text', reply: 'One, two.' },
    { on: 'text', reply: 'Three.' },
    { on: 'text', reply: 'Four.' },
  ]);
  harness.dialogue.typedText('A?');
  // All of it is sent, and heard for another second.
  await harness.clock.pass(1_800);
  harness.dialogue.typedText('B?');
  harness.dialogue.typedText('C?');
  await harness.clock.pass(9_000);
  expect(spoken(harness)).toEqual(['One, two.', 'Three.', 'Four.']);
  expect(harness.notes.filter(({ name }) => name === 'bargeIn').map(({ body }) => body)).toEqual([
    { cause: 'text' },
  ]);
});

it('a script without a turn is an error of the emulator', async () => {
  const harness = new DialogueHarness([], { script: { take: () => undefined } as never });
  await harness.speak();
  await harness.clock.pass(1_000);
  expect(harness.failures).toMatchObject([{ type: 'internalServerException' }]);
  expect(harness.failures[0]?.why).toContain('no turn');
});
