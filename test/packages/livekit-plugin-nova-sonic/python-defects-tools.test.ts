// SPDX-License-Identifier: Apache-2.0
// Defects of the Python plugin (docs/parity.md) that ours must not have: tools.
import { describe, expect, test } from '@jest/globals';
import { llm, voice } from '@livekit/agents';
import type { ToolCallEnded, ToolCallStarted } from 'livekit-plugin-nova-sonic';
import { z } from 'zod';
import { until } from '../../support/wait.js';
import { rig, server, startAgent } from './support/scripted-call.js';
import * as serverEvents from './support/server-events.js';
import { toolResultOf, toolRunning } from './support/tool-calls.js';

describe('tools', () => {
  const large = 'x'.repeat(200_000);
  const results: Array<[string, () => Promise<unknown>, unknown]> = [
    ['a number', async () => 42, { result: 42 }],
    ['a list', async () => [1, 2], { result: [1, 2] }],
    ['a string', async () => 'fine', { result: 'fine' }],
    ['a string that is a JSON list', async () => '[1, 2]', { result: '[1, 2]' }],
    ['true', async () => true, { result: true }],
    ['null', async () => null, { result: null }],
    ['nothing', async () => undefined, { result: 'done' }],
    ['an object', async () => ({ a: { b: [null, 1.5] } }), { a: { b: [null, 1.5] } }],
    ['something large', async () => ({ large }), { large }],
    ['an Error', async () => new llm.ToolError('no such city'), { error: 'no such city' }],
    [
      'an exception',
      () => Promise.reject(new Error('secret')),
      { error: 'An internal error occurred' },
    ],
    ['a function', async () => () => 1, { result: 'done' }],
    [
      'StopResponse',
      () => Promise.reject(new voice.StopResponse()),
      { result: 'done; no reply is needed' },
    ],
  ];

  test('7: a result of any type arrives as a JSON object, and so does the next', async () => {
    await startAgent({
      tools: Object.fromEntries(results.map(([, run], i) => [`tool_${i}`, toolRunning(run)])),
    });
    const stream = await server.stream(0);
    for (const [i, [name, , expected]] of results.entries()) {
      stream.send(
        ...serverEvents.userText(`Call ${name}.`),
        ...serverEvents.toolUse(`tool_${i}`, {}, `use-${i}`),
      );
      const got = await toolResultOf(stream, `use-${i}`);
      expect([name, got]).toEqual([name, name === 'a function' ? expect.anything() : expected]);
      stream.send(...serverEvents.reply(`Done ${i}.`, 80));
      await rig.item('assistant', `Done ${i}.`);
    }
  });

  test('7: parallel calls, unknown tools and bad arguments are all answered', async () => {
    await startAgent({
      tools: {
        add: llm.tool({
          description: 'Adds',
          parameters: z.object({ a: z.number(), b: z.number() }),
          execute: async ({ a, b }) => a + b,
        }),
      },
    });
    const stream = await server.stream(0);
    stream.send(
      ...serverEvents.userText('Add a lot.'),
      ...serverEvents.toolUse('add', { a: 1, b: 2 }, 'use-a'),
      ...serverEvents.toolUse('add', JSON.stringify(JSON.stringify({ a: 3, b: 4 })), 'use-b'),
      ...serverEvents.toolUse('subtract', {}, 'use-c'),
      ...serverEvents.toolUse('add', { a: 'one' }, 'use-d'),
      ...serverEvents.toolUse('add', 'no JSON', 'use-e'),
    );
    expect(await toolResultOf(stream, 'use-a')).toEqual({ result: 3 });
    expect(await toolResultOf(stream, 'use-b')).toEqual({ result: 7 });
    expect(await toolResultOf(stream, 'use-c')).toEqual({
      error: expect.stringContaining('Unknown function'),
    });
    expect(await toolResultOf(stream, 'use-d')).toEqual({
      error: expect.stringContaining('Invalid arguments'),
    });
    expect(await toolResultOf(stream, 'use-e')).toEqual({
      error: expect.stringContaining('Invalid arguments'),
    });
  });

  test('each call emits its start and its end, also while words are still spoken', async () => {
    let finish: ((value: unknown) => void) | undefined;
    await startAgent({
      speed: 1,
      tools: {
        slow: toolRunning(() => new Promise((resolve) => (finish = resolve))),
        last: toolRunning(() => Promise.reject(new voice.StopResponse())),
      },
    });
    const calls: string[] = [];
    rig.sonic.on('tool_call_started', ({ callId, name, args }: ToolCallStarted) =>
      calls.push(`${callId} ${name} ${args}`),
    );
    rig.sonic.on('tool_call_ended', ({ callId, output, isError, ms }: ToolCallEnded) =>
      calls.push(`${callId} ${isError ? 'failed' : 'got'} ${output}${ms >= 0 ? '' : ' early'}`),
    );
    const ended = (id: string) =>
      rig.sonicEvent<ToolCallEnded>('tool_call_ended', ({ callId }) => callId === id);
    const stream = await server.stream(0);
    stream.send(
      ...serverEvents.userText('Go.'),
      ...serverEvents.plan('Let me see.'),
      ...serverEvents.audioContent(20_000),
    );
    const slow = ended('use-1');
    stream.send(...serverEvents.toolUse('slow', { a: 1 }, 'use-1'));
    await rig.event('agent_state_changed', (e: { newState: string }) => e.newState === 'speaking');
    await until('the tool runs', () => finish !== undefined);
    expect(calls).toEqual(['use-1 slow {"a":1}']);
    finish?.('done');
    await slow;
    // The framework hands the result over only when these words have been spoken.
    expect(rig.session.agentState).toBe('speaking');
    expect(stream.said.some((e) => e.name === 'toolResult')).toBe(false);
    stream.send(
      serverEvents.speechStart(1),
      serverEvents.speechEnd(2),
      ...serverEvents.userText('And?'),
    );
    const [missing, last] = [ended('use-2'), ended('use-3')];
    stream.send(...serverEvents.toolUse('missing', {}, 'use-2'));
    await missing;
    stream.send(...serverEvents.toolUse('last', {}, 'use-3'));
    await last;
    expect(calls).toEqual([
      'use-1 slow {"a":1}',
      'use-1 got "done"',
      'use-2 missing {}',
      expect.stringMatching(/^use-2 failed Unknown function/),
      'use-3 last {}',
      'use-3 got done; no reply is needed',
    ]);
  });

  test('a result that the framework drops at a barge-in is answered all the same', async () => {
    let finish: (value: unknown) => void = () => {};
    let calls = 0;
    await startAgent({
      speed: 1,
      tools: {
        quick: toolRunning(async () => ({ booked: true })),
        slow: toolRunning(() => {
          calls += 1;
          return new Promise((resolve) => (finish = resolve));
        }),
      },
    });
    const stream = await server.stream(0);
    const words = () => [...serverEvents.plan('Let me see.'), ...serverEvents.audioContent(20_000)];
    // The tool has finished, its words are still being spoken: the framework drops the result.
    stream.send(
      ...serverEvents.userText('Book it.'),
      ...words(),
      ...serverEvents.toolUse('quick', {}, 'use-1'),
    );
    await rig.event('agent_state_changed', (e: { newState: string }) => e.newState === 'speaking');
    stream.send(serverEvents.speechStart(1));
    expect(await toolResultOf(stream, 'use-1')).toEqual({ booked: true });
    // The tool still runs: it is cancelled, and the model gets an error.
    stream.send(serverEvents.speechEnd(2), ...serverEvents.userText('And that.'), ...words());
    stream.send(...serverEvents.toolUse('slow', {}, 'use-2'));
    await until('the tool runs', () => calls === 1);
    stream.send(serverEvents.speechStart(3), ...serverEvents.interruptedText());
    expect(await toolResultOf(stream, 'use-2')).toEqual({
      error: expect.stringContaining('caller spoke'),
    });
    finish('late');
    // Answered once each: a second answer would end the stream.
    stream.send(
      serverEvents.speechEnd(4),
      ...serverEvents.userText('Well?'),
      ...serverEvents.reply('Yes.', 80),
    );
    await rig.item('assistant', 'Yes.');
    expect(stream.said.filter((e) => e.name === 'toolResult')).toHaveLength(2);
  });
});
