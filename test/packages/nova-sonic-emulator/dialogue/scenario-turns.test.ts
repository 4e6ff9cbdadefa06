// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from '@jest/globals';
import { AUDIO, DialogueHarness } from './dialogue-harness.js';

let harness: DialogueHarness;
beforeEach(() => {
  harness = new DialogueHarness([
    { user: 'What is a clock?', reply: 'A clock tells time. It has hands, mostly.' },
    { user: 'And a watch?', reply: 'A watch is a small clock.' },
  ]);
});

describe('what a scenario may do besides', () => {
  it('pauses before a reply', async () => {
    harness = new DialogueHarness([{ user: 'A', delay: 3000, reply: 'B.' }]);
    await harness.speak();
    await harness.clock.pass(3200);
    expect(harness.texts('ASSISTANT', 'SPECULATIVE')).toEqual([]);
    await harness.clock.pass(1000);
    expect(harness.texts('ASSISTANT', 'SPECULATIVE')).toEqual(['B.']);
  });

  it('interrupts itself', async () => {
    harness = new DialogueHarness([{ user: 'A', interrupt: 500, reply: 'One, two. Three.' }]);
    await harness.speak();
    await harness.clock.pass(5000);
    expect(harness.notes.filter(({ name }) => name === 'bargeIn').map(({ body }) => body)).toEqual([
      { cause: 'scenario' },
    ]);
    expect(harness.texts('ASSISTANT', 'FINAL')).toEqual(['{ "interrupted" : true }']);
  });

  it('ends the stream with an exception, after what it says first', async () => {
    harness = new DialogueHarness([
      {
        user: 'A',
        reply: 'One.',
        error: { exception: 'modelStreamErrorException', message: 'gone' },
      },
    ]);
    await harness.speak();
    await harness.clock.pass(5000);
    expect(harness.texts('ASSISTANT', 'SPECULATIVE')).toEqual(['One.']);
    expect(harness.failures).toMatchObject([
      { type: 'modelStreamErrorException', message: 'gone' },
    ]);
  });

  it('speaks before and after a tool', async () => {
    harness = new DialogueHarness([
      {
        user: 'A',
        steps: [
          { say: 'Let me see.' },
          { tools: [{ name: 'clock' }] },
          { pause: 1000 },
          { say: 'It is {{tool.time}}.' },
        ],
      },
    ]);
    await harness.speak();
    await harness.clock.pass(4000);
    const [use] = harness.of('toolUse');
    harness.dialogue.toolResult(use?.body.toolUseId, { time: 'noon' });
    await harness.clock.pass(5000);
    expect(
      harness
        .outline()
        .filter((line) => /AUDIO|TOOL_USE|textOutput/.test(line))
        .slice(1, 8),
    ).toEqual([
      'textOutput Let me see.',
      ...AUDIO('PARTIAL_TURN'),
      'contentEnd TOOL TOOL_USE',
      'textOutput It is noon.',
      ...AUDIO('END_TURN'),
    ]);
  });

  it('sends the USER text before userSpeechEnd where asked to', async () => {
    harness.quirks.textBeforeSpeechEnd = true;
    await harness.speak();
    await harness.clock.pass(1000);
    const outline = harness.outline();
    expect(outline.indexOf('userSpeechEnd')).toBeGreaterThan(
      outline.indexOf('contentEnd TEXT PARTIAL_TURN'),
    );
  });

  it('sends no FINAL texts where asked not to', async () => {
    harness.quirks.noFinalText = true;
    await harness.speak();
    await harness.clock.pass(30_000);
    expect(harness.texts('ASSISTANT', 'FINAL')).toEqual([]);
  });
});
