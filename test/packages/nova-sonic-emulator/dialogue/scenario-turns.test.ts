// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from '@jest/globals';
import { AUDIO, Stage } from './dialogue-harness.js';

let stage: Stage;
beforeEach(() => {
  stage = new Stage([
    { user: 'What is a clock?', reply: 'A clock tells time. It has hands, mostly.' },
    { user: 'And a watch?', reply: 'A watch is a small clock.' },
  ]);
});

describe('what a scenario may do besides', () => {
  it('pauses before a reply', async () => {
    stage = new Stage([{ user: 'A', delay: 3000, reply: 'B.' }]);
    await stage.speak();
    await stage.clock.advance(3200);
    expect(stage.texts('ASSISTANT', 'SPECULATIVE')).toEqual([]);
    await stage.clock.advance(1000);
    expect(stage.texts('ASSISTANT', 'SPECULATIVE')).toEqual(['B.']);
  });

  it('interrupts itself', async () => {
    stage = new Stage([{ user: 'A', interrupt: 500, reply: 'One, two. Three.' }]);
    await stage.speak();
    await stage.clock.advance(5000);
    expect(stage.notes.filter(({ name }) => name === 'bargeIn').map(({ body }) => body)).toEqual([
      { cause: 'scenario' },
    ]);
    expect(stage.texts('ASSISTANT', 'FINAL')).toEqual(['{ "interrupted" : true }']);
  });

  it('ends the stream with an exception, after what it says first', async () => {
    stage = new Stage([
      {
        user: 'A',
        reply: 'One.',
        error: { exception: 'modelStreamErrorException', message: 'gone' },
      },
    ]);
    await stage.speak();
    await stage.clock.advance(5000);
    expect(stage.texts('ASSISTANT', 'SPECULATIVE')).toEqual(['One.']);
    expect(stage.failures).toMatchObject([{ type: 'modelStreamErrorException', message: 'gone' }]);
  });

  it('speaks before and after a tool', async () => {
    stage = new Stage([
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
    await stage.speak();
    await stage.clock.advance(4000);
    const [use] = stage.of('toolUse');
    stage.conversation.toolResult(use?.body.toolUseId, { time: 'noon' });
    await stage.clock.advance(5000);
    expect(
      stage
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
    stage.quirks.textBeforeSpeechEnd = true;
    await stage.speak();
    await stage.clock.advance(1000);
    const outline = stage.outline();
    expect(outline.indexOf('userSpeechEnd')).toBeGreaterThan(
      outline.indexOf('contentEnd TEXT PARTIAL_TURN'),
    );
  });

  it('sends no FINAL texts where asked not to', async () => {
    stage.quirks.noFinalText = true;
    await stage.speak();
    await stage.clock.advance(30_000);
    expect(stage.texts('ASSISTANT', 'FINAL')).toEqual([]);
  });
});
