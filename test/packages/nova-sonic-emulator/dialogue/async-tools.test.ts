// SPDX-License-Identifier: Apache-2.0
// Asynchronous tools: what is said and asked while a tool runs (nova2-userguide, sonic-async-tools).
import { expect, it } from '@jest/globals';
import type { ScenarioTurn } from '../../../../packages/nova-sonic-emulator/src/scenario/scenario.js';
import { DialogueHarness } from './dialogue-harness.js';

const spoken = (harness: DialogueHarness) => harness.texts('ASSISTANT', 'SPECULATIVE');
const call = (harness: DialogueHarness, name: string) =>
  harness.of('toolUse').find(({ body }) => body.toolName === name)?.body.toolUseId;

const MEANWHILE: ScenarioTurn = {
  user: 'What time is it?',
  tools: [{ name: 'clock' }],
  meanwhile: 'Let me look that up.',
  reply: 'It is {{clock.time}}.',
};

it('speaks while a tool runs, as a turn of its own, and answers after the result', async () => {
  const harness = new DialogueHarness([MEANWHILE]);
  await harness.speak();
  await harness.clock.pass(5000);
  expect(spoken(harness)).toEqual(['Let me look that up.']);
  const order = harness.outline();
  expect(order.indexOf('contentEnd TOOL TOOL_USE')).toBeLessThan(
    order.indexOf('textOutput Let me look that up.'),
  );
  expect(order).toContain('contentEnd AUDIO END_TURN');
  harness.dialogue.toolResult(call(harness, 'clock'), { time: 'nine' });
  await harness.clock.pass(5000);
  expect(spoken(harness)).toEqual(['Let me look that up.', 'It is nine.']);
});

it('answers after what it says meanwhile when the result is there first', async () => {
  const harness = new DialogueHarness([MEANWHILE]);
  await harness.speak();
  await harness.clock.pass(500);
  harness.dialogue.toolResult(call(harness, 'clock'), { time: 'nine' });
  await harness.clock.pass(9000);
  expect(spoken(harness)).toEqual(['Let me look that up.', 'It is nine.']);
});

it('still answers when the user interrupts what it says meanwhile', async () => {
  const harness = new DialogueHarness([
    { ...MEANWHILE, meanwhile: 'Well, let me look that up, it takes a while.' },
    { user: 'And the day?', reply: 'Tuesday.' },
  ]);
  await harness.speak();
  await harness.clock.pass(600);
  expect(harness.of('audioOutput').length).toBeGreaterThan(0);
  await harness.begin();
  expect(harness.texts('ASSISTANT', 'FINAL')).toContain('{ "interrupted" : true }');
  await harness.finish(720);
  await harness.clock.pass(6000);
  expect(spoken(harness).at(-1)).toBe('Tuesday.');
  harness.dialogue.toolResult(call(harness, 'clock'), { time: 'nine' });
  await harness.clock.pass(6000);
  expect(spoken(harness).at(-1)).toBe('It is nine.');
});

it('calls a second tool before the first has answered', async () => {
  const harness = new DialogueHarness([
    {
      user: 'What time and day is it?',
      steps: [
        { asyncTools: [{ name: 'clock' }] },
        { pause: 700 },
        { asyncTools: [{ name: 'calendar' }] },
        { say: 'One moment.' },
        { results: 'all' },
        { say: 'It is {{clock.time}} on {{calendar.day}}.' },
      ],
    },
  ]);
  await harness.speak();
  await harness.clock.pass(4000);
  const [first, second] = harness.of('toolUse');
  expect((second?.t ?? 0) - (first?.t ?? 0)).toBeGreaterThanOrEqual(700);
  harness.dialogue.toolResult(call(harness, 'calendar'), { day: 'Monday' });
  await harness.clock.pass(4000);
  expect(spoken(harness)).toEqual(['One moment.']);
  harness.dialogue.toolResult(call(harness, 'clock'), { time: 'nine' });
  await harness.clock.pass(4000);
  expect(spoken(harness)).toEqual(['One moment.', 'It is nine on Monday.']);
  expect(harness.dialogue.toolPending).toBe(false);
});

it('answers a new question, with a tool of its own, while the first one runs', async () => {
  const harness = new DialogueHarness([
    { user: 'What time is it?', tools: [{ name: 'clock' }], reply: 'It is {{clock.time}}.' },
    { user: 'What day?', tools: [{ name: 'calendar' }], reply: 'It is {{calendar.day}}.' },
  ]);
  await harness.speak();
  await harness.clock.pass(2000);
  await harness.speak();
  await harness.clock.pass(2000);
  harness.dialogue.toolResult(call(harness, 'calendar'), { day: 'Monday' });
  await harness.clock.pass(4000);
  harness.dialogue.toolResult(call(harness, 'clock'), { time: 'nine' });
  await harness.clock.pass(4000);
  expect(spoken(harness)).toEqual(['It is Monday.', 'It is nine.']);
});
