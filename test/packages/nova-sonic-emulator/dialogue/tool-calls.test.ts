// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { ScenarioTurn } from '../../../../packages/nova-sonic-emulator/src/scenario/scenario.js';
import { Stage } from './dialogue-harness.js';

let stage: Stage;

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
    stage.of('toolUse').find(({ body }) => body.toolName === name)?.body.toolUseId;

  beforeEach(async () => {
    stage = new Stage(turns);
    await stage.speak();
    await stage.clock.advance(2000);
  });

  it('is a TOOL block per tool, and does not end the turn', () => {
    expect(stage.outline().slice(6)).toEqual([
      ...[
        'contentStart TOOL TOOL',
        'toolUse {"city":"What time is it?"}',
        'contentEnd TOOL TOOL_USE',
      ],
      ...['contentStart TOOL TOOL', 'toolUse {}', 'contentEnd TOOL TOOL_USE'],
    ]);
  });

  it('waits for every result, then answers with them', async () => {
    stage.conversation.toolResult(call('calendar'), { day: { name: 'Monday' } });
    await stage.clock.advance(5000);
    expect(stage.texts('ASSISTANT', 'SPECULATIVE')).toEqual([]);
    stage.conversation.toolResult(call('clock'), { time: 'nine' });
    await stage.clock.advance(5000);
    expect(stage.texts('ASSISTANT', 'SPECULATIVE')).toEqual(['It is nine on Monday.']);
  });

  it('lets speech go on meanwhile, and is answered later', async () => {
    await stage.speak();
    await stage.clock.advance(5000);
    expect(stage.texts('ASSISTANT', 'SPECULATIVE')).toEqual(['One moment.']);
    stage.conversation.toolResult(call('clock'), { time: 'nine' });
    stage.conversation.toolResult(call('calendar'), { day: { name: 'Monday' } });
    await stage.clock.advance(5000);
    expect(stage.texts('ASSISTANT', 'SPECULATIVE').at(-1)).toBe('It is nine on Monday.');
  });

  it('holds a result that comes while the user speaks', async () => {
    await stage.begin();
    stage.conversation.toolResult(call('clock'), { time: 'nine' });
    stage.conversation.toolResult(call('calendar'), { day: { name: 'Monday' } });
    await stage.clock.advance(5000);
    expect(stage.texts('ASSISTANT', 'SPECULATIVE')).toEqual([]);
    await stage.finish();
    await stage.clock.advance(9000);
    expect(stage.texts('ASSISTANT', 'SPECULATIVE')).toEqual([
      'It is nine on Monday.',
      'One moment.',
    ]);
  });

  it('knows which calls wait', () => {
    expect(stage.conversation.awaits(call('clock'))).toBe(true);
    stage.conversation.toolResult(call('clock'), {});
    expect(stage.conversation.awaits(call('clock'))).toBe(false);
    expect(stage.conversation.awaits('unknown')).toBe(false);
  });

  it('tells of a field that the result lacks', async () => {
    stage.conversation.toolResult(call('clock'), {});
    stage.conversation.toolResult(call('calendar'), { day: { name: 'Monday' } });
    await stage.clock.advance(5000);
    expect(stage.texts('ASSISTANT', 'SPECULATIVE')).toEqual(['It is (no clock.time) on Monday.']);
    expect(stage.notes.find(({ name }) => name === 'warning')?.body.text).toContain('clock.time');
  });

  it('of a tool that is not declared is told, not made', async () => {
    stage = new Stage([{ user: 'Hm', tools: [{ name: 'weather' }], reply: 'It is {{tool.sky}}.' }]);
    await stage.speak();
    await stage.clock.advance(5000);
    expect(stage.of('toolUse')).toEqual([]);
    expect(stage.texts('ASSISTANT', 'SPECULATIVE')).toEqual([
      'I would call the tool weather, but it is not declared.',
    ]);
    expect(stage.notes.find(({ name }) => name === 'warning')?.body.text).toContain('weather');
  });
});
