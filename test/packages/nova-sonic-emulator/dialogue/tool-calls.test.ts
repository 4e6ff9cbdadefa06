// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { ScenarioTurn } from '../../../../packages/nova-sonic-emulator/src/scenario/scenario.js';
import { DialogueHarness } from './dialogue-harness.js';

let harness: DialogueHarness;

describe('a tool call', () => {
  const turns: ScenarioTurn[] = [
    {
      user: 'What time is it?',
      tools: [{ name: 'clock', args: { city: '{{user}}' } }, { name: 'calendar' }],
      reply: 'It is {{clock.time}} on {{calendar.day.name}}.',
    },
    { user: 'Hello?', reply: 'One moment.' },
  ];
  const call = (name: string) =>
    harness.of('toolUse').find(({ body }) => body.toolName === name)?.body.toolUseId;

  beforeEach(async () => {
    harness = new DialogueHarness(turns);
    await harness.speak();
    await harness.clock.pass(2000);
  });

  it('is a TOOL block per tool, and does not end the turn', () => {
    expect(harness.outline().slice(6)).toEqual([
      ...[
        'contentStart TOOL TOOL',
        'toolUse {"city":"What time is it?"}',
        'contentEnd TOOL TOOL_USE',
      ],
      ...['contentStart TOOL TOOL', 'toolUse {}', 'contentEnd TOOL TOOL_USE'],
    ]);
  });

  it('waits for every result, then answers with them', async () => {
    harness.dialogue.toolResult(call('calendar'), { day: { name: 'Monday' } });
    await harness.clock.pass(5000);
    expect(harness.texts('ASSISTANT', 'SPECULATIVE')).toEqual([]);
    harness.dialogue.toolResult(call('clock'), { time: 'nine' });
    await harness.clock.pass(5000);
    expect(harness.texts('ASSISTANT', 'SPECULATIVE')).toEqual(['It is nine on Monday.']);
  });

  it('lets speech go on meanwhile, and is answered later', async () => {
    await harness.speak();
    await harness.clock.pass(5000);
    expect(harness.texts('ASSISTANT', 'SPECULATIVE')).toEqual(['One moment.']);
    harness.dialogue.toolResult(call('clock'), { time: 'nine' });
    harness.dialogue.toolResult(call('calendar'), { day: { name: 'Monday' } });
    await harness.clock.pass(5000);
    expect(harness.texts('ASSISTANT', 'SPECULATIVE').at(-1)).toBe('It is nine on Monday.');
  });

  it('holds a result that comes while the user speaks', async () => {
    await harness.begin();
    harness.dialogue.toolResult(call('clock'), { time: 'nine' });
    harness.dialogue.toolResult(call('calendar'), { day: { name: 'Monday' } });
    await harness.clock.pass(5000);
    expect(harness.texts('ASSISTANT', 'SPECULATIVE')).toEqual([]);
    await harness.finish();
    await harness.clock.pass(9000);
    expect(harness.texts('ASSISTANT', 'SPECULATIVE')).toEqual([
      'It is nine on Monday.',
      'One moment.',
    ]);
  });

  it('knows which calls wait', () => {
    expect(harness.dialogue.awaits(call('clock'))).toBe(true);
    harness.dialogue.toolResult(call('clock'), {});
    expect(harness.dialogue.awaits(call('clock'))).toBe(false);
    expect(harness.dialogue.awaits('unknown')).toBe(false);
  });

  it('warns about a field that the result lacks', async () => {
    harness.dialogue.toolResult(call('clock'), {});
    harness.dialogue.toolResult(call('calendar'), { day: { name: 'Monday' } });
    await harness.clock.pass(5000);
    expect(harness.texts('ASSISTANT', 'SPECULATIVE')).toEqual(['It is (no clock.time) on Monday.']);
    expect(harness.notes.find(({ name }) => name === 'warning')?.body.text).toContain('clock.time');
  });

  it('of a tool that is not declared is a warning, not a call', async () => {
    harness = new DialogueHarness([
      { user: 'Hm', tools: [{ name: 'weather' }], reply: 'It is {{tool.sky}}.' },
    ]);
    await harness.speak();
    await harness.clock.pass(5000);
    expect(harness.of('toolUse')).toEqual([]);
    expect(harness.texts('ASSISTANT', 'SPECULATIVE')).toEqual([
      'I would call the tool weather, but it is not declared.',
    ]);
    expect(harness.notes.find(({ name }) => name === 'warning')?.body.text).toContain('weather');
  });
});
