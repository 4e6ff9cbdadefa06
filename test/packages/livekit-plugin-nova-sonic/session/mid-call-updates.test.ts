// SPDX-License-Identifier: Apache-2.0
// What Sonic takes only at the start of a stream, changed during a call: a real AgentSession against a scripted service.
import { describe, expect, test } from '@jest/globals';
import { llm, voice } from '@livekit/agents';
import type { StreamLifecycle } from 'livekit-plugin-nova-sonic';
import { z } from 'zod';
import { until } from '../../../support/wait.js';
import { SteppedClock } from '../support/clocks.js';
import { warnings } from '../support/log-capture.js';
import { answer, rig, server, startAgent } from '../support/scripted-call.js';
import * as serverEvents from '../support/server-events.js';

describe('what Sonic takes only at the start', () => {
  test('new instructions move the call to a new stream at a quiet moment', async () => {
    await startAgent({ instructions: 'First.' });
    await server.stream(0);
    await rig.agent.updateInstructions('Second.');
    const next = await server.stream(1);
    await next.received('audioInput');
    expect(next.texts[0]).toEqual({ role: 'SYSTEM', interactive: false, text: 'Second.' });
  });

  test('tools that are hidden for one reply and shown again make no renewal', async () => {
    const tools = {
      x: llm.tool({
        description: 'd',
        flags: llm.ToolFlag.IGNORE_ON_ENTER,
        execute: async () => 1,
      }),
    };
    class Greeter extends voice.Agent {
      override async onEnter(): Promise<void> {
        this.session.generateReply({ instructions: 'Greet.' });
        this.session.generateReply({ instructions: 'Greet again.' });
      }
    }
    const clock = new SteppedClock();
    await startAgent({ agent: new Greeter({ instructions: 'x', tools }), model: { clock } });
    const opened: unknown[] = [];
    rig.sonic.on('stream_lifecycle', ({ type, reason }) => {
      if (type === 'opening') opened.push(reason);
    });
    const stream = await server.stream(0);
    for (const [asked, reply] of [
      ['Greet.', 'Hello.'],
      ['Greet again.', 'Hello again.'],
    ] as const) {
      await stream.received((e) => e.body.content === asked);
      // Long enough for the change to count.
      clock.advance(200);
      stream.send(...serverEvents.reply(reply, 200));
    }
    await rig.item('assistant', 'Hello again');
    await until('the tool is back', () => rig.sonic.tools.getFunctionTool('x') !== undefined);
    clock.advance(1_000);
    stream.send(...serverEvents.userText('Hi.'), ...serverEvents.reply('Ho.', 200));
    await rig.item('assistant', 'Ho.');
    clock.advance(5_000);
    expect(opened).toEqual([]);
    expect(rig.speaker.playedMs).toBe(600);
  });

  test('the same tools again make no renewal, and take back what others had made', async () => {
    const make = (parameters: z.ZodObject) =>
      llm.tool({ name: 'x', description: 'd', parameters, execute: async () => 1 });
    await startAgent({ tools: [make(z.object({ a: z.string() }))] });
    const stream = await server.stream(0);
    await until('the stream is up', () => rig.sonic.connected);
    const reasons: unknown[] = [];
    rig.sonic.on('stream_lifecycle', ({ type, reason }: StreamLifecycle) => {
      if (type === 'opening') reasons.push(reason);
    });
    stream.send(
      ...serverEvents.userText('Talk.'),
      ...serverEvents.plan('Well.'),
      ...serverEvents.audioContent(200),
    );
    await rig.event('agent_state_changed', (e: { newState: string }) => e.newState === 'speaking');
    const settled = () =>
      new Promise((resolve) => rig.model.options.clock.after(60, () => resolve(0)));
    await rig.agent.updateTools([make(z.object({ b: z.number() }))]);
    await settled();
    await rig.agent.updateTools([make(z.object({ a: z.string() }))]);
    await settled();
    // Asked for last: a renewal that is still due for the tools would come first, with its own reason.
    const moved = rig.sonic.renew();
    stream.send(...serverEvents.audioContent(80, 'END_TURN'));
    await moved;
    expect(reasons).toEqual(['requested']);
    expect(server.streams).toHaveLength(2);
  });

  test('a tool choice waits for the next stream and is logged once', async () => {
    const tools = { x: llm.tool({ description: 'd', execute: async () => 1 }) };
    await startAgent({ tools });
    const stream = await server.stream(0);
    const logged = await warnings(() => {
      rig.sonic.updateOptions({ toolChoice: 'required' });
      rig.sonic.updateOptions({ toolChoice: null });
      rig.sonic.updateOptions({ toolChoice: { type: 'function', function: { name: 'x' } } });
    });
    expect(logged).toEqual([expect.stringContaining('takes effect on the next one')]);
    expect(JSON.stringify((await stream.received('promptStart')).body)).not.toContain('toolChoice');
    rig.sonic.initializeStreams(true);
    const next = await server.stream(1);
    expect((await next.received('promptStart')).body).toMatchObject({
      toolConfiguration: { toolChoice: { tool: { name: 'x' } } },
    });
    rig.sonic.updateOptions({ toolChoice: 'none' });
    void rig.sonic.renew({ immediately: true });
    const last = await server.stream(2);
    expect((await last.received('promptStart')).body.toolConfiguration).toBeUndefined();
  });

  test('the tool choice of one reply ends with it, also on a stream that was opened meanwhile', async () => {
    await startAgent({ tools: { x: llm.tool({ description: 'd', execute: async () => 1 }) } });
    const stream = await server.stream(0);
    const greeting = rig.session.generateReply({ instructions: 'Greet.', toolChoice: 'none' });
    await stream.received((e) => e.body.content === 'Greet.');
    rig.sonic.initializeStreams(true);
    const without = await server.stream(1);
    expect((await without.received('promptStart')).body.toolConfiguration).toBeUndefined();
    await without.received((e) => e.body.content === 'Greet.');
    without.send(...serverEvents.reply('Hello.', 80));
    await greeting.waitForPlayout();
    const next = await server.stream(2);
    const { toolConfiguration } = (await next.received('promptStart')).body;
    expect(toolConfiguration).toMatchObject({ tools: [{ toolSpec: { name: 'x' } }] });
    expect(toolConfiguration).not.toHaveProperty('toolChoice');
  });

  test('a temperature waits for the next stream and is logged; an invalid one throws', async () => {
    await startAgent();
    await server.stream(0);
    const logged = await warnings(() => {
      rig.sonic.updateOptions({ temperature: 0.1 });
      rig.sonic.updateOptions({ temperature: 0.2, maxTokens: 50 });
    });
    expect(logged).toEqual([expect.stringContaining('takes effect on the next one')]);
    expect(() => rig.sonic.updateOptions({ temperature: 1.5 })).toThrow(/temperature is 1\.5/);
    rig.sonic.initializeStreams(true);
    const next = await server.stream(1);
    expect((await next.received('sessionStart')).body).toMatchObject({
      inferenceConfiguration: { temperature: 0.2, topP: 0.9, maxTokens: 50 },
    });
  });

  test('a tool without a JSON schema is left out and reported; the call is served with the others', async () => {
    const make = (name: string, parameters: z.ZodObject) =>
      llm.tool({ name, description: 'd', parameters, execute: async () => 1 });
    const fine = make('fine', z.object({ a: z.string() }));
    await startAgent({ tools: [fine, make('dated', z.object({ a: z.date() }))] });
    const stream = await server.stream(0);
    const { body } = await stream.received('promptStart');
    expect(body).toMatchObject({
      toolConfiguration: { tools: [{ toolSpec: { name: 'fine' } }] },
    });
    expect(rig.errors).toEqual([
      { recoverable: true, message: expect.stringContaining('The tool dated is left out') },
    ]);
    // In the middle of a call as well.
    await rig.agent.updateTools([fine, make('big', z.object({ a: z.bigint() }))]);
    expect(rig.errors.at(-1)?.message).toContain('The tool big is left out');
    stream.send(...serverEvents.userText('Still there?'), ...serverEvents.reply('I am.', 80));
    await rig.item('assistant', 'I am.');
  });

  test('a tool may have a raw JSON schema instead of zod', async () => {
    const parameters = {
      type: 'object' as const,
      properties: { city: { type: 'string', enum: ['Rome', 'Paris'] } },
      required: ['city'],
      additionalProperties: false,
    };
    const given: unknown[] = [];
    const execute = async (args: unknown) => {
      given.push(args);
      return 'sunny';
    };
    await startAgent({ tools: { weather: llm.tool({ description: 'd', parameters, execute }) } });
    const stream = await server.stream(0);
    const { body } = await stream.received('promptStart');
    const { tools } = body.toolConfiguration as {
      tools: Array<{ toolSpec: { inputSchema: { json: string } } }>;
    };
    // Nova models refuse additionalProperties at the top.
    const { additionalProperties: _, ...declared } = parameters;
    expect(JSON.parse(tools[0]?.toolSpec.inputSchema.json as string)).toEqual(declared);
    stream.send(
      ...serverEvents.userText('Rome?'),
      ...serverEvents.toolUse('weather', { city: 'Rome' }, 'use-1'),
    );
    await stream.received('toolResult');
    expect(given).toEqual([{ city: 'Rome' }]);
  });

  test('an edited past opens a new stream with chatCtxUpdates renew', async () => {
    await startAgent({ model: { chatCtxUpdates: 'renew' } });
    const stream = await server.stream(0);
    stream.send(
      ...serverEvents.userText('My name is Ada.'),
      ...serverEvents.reply('Hello Ada.', 100),
    );
    await rig.item('assistant', 'Hello Ada');
    const edited = rig.agent.chatCtx.copy();
    edited.items = edited.items.filter((i) => i.type === 'message');
    (edited.items[0] as llm.ChatMessage).content = ['My name is Bea.'];
    await rig.agent.updateChatCtx(edited);
    const next = await server.stream(1);
    await next.received('audioInput');
    expect(next.texts.slice(1).map((t) => t.text)).toEqual(['My name is Bea.', 'Hello Ada.']);
  });

  test('another agent takes over in a session of its own, with the history', async () => {
    await startAgent({ instructions: 'First.' });
    const stream = await server.stream(0);
    stream.send(
      ...serverEvents.userText('Next, please.'),
      ...serverEvents.reply('Here is the next.', 100),
    );
    await rig.item('assistant', 'Here is the next');
    rig.session.updateAgent(
      new voice.Agent({ instructions: 'Second.', chatCtx: rig.agent.chatCtx.copy() }),
    );
    const next = await server.stream(1);
    await next.received('audioInput');
    expect(next.texts.map((t) => t.text)).toEqual([
      'Second.',
      'Next, please.',
      'Here is the next.',
    ]);
    await until('the first session is over', () => stream.names.at(-1) === 'sessionEnd');
    expect(rig.model.openSessions).toBe(1);
  });
});

describe('a handoff', () => {
  /** The caller asks, the agent answers, and hands the call to another. */
  const handOff = async (instructions: string) => {
    await startAgent({ instructions: 'You are reception.' });
    const first = await server.stream(0);
    answer(first, 'Hello?', 'Good morning.');
    await rig.item('assistant', 'Good morning.');
    const chatCtx = rig.agent.chatCtx.copy();
    rig.session.updateAgent(new voice.Agent({ instructions, chatCtx }));
    await rig.event(
      'conversation_item_added',
      ({ item }: { item: llm.ChatItem }) => item.type === 'agent_handoff',
    );
    const sonic = rig.sonic;
    await until('the next agent listens', () => rig.sonic.connected);
    return { first, sonic };
  };

  test('to an agent with the same instructions, tools and history keeps the stream', async () => {
    const { first } = await handOff('You are reception.');
    answer(first, 'And now?', 'It is noon.');
    await rig.item('assistant', 'It is noon.');
    expect(server.streams).toHaveLength(1);
    expect(rig.items.map(({ textContent }) => textContent)).toEqual([
      'Hello?',
      'Good morning.',
      'And now?',
      'It is noon.',
    ]);
    expect(rig.errors).toEqual([]);
  });

  test('to any other opens a stream with the instructions of the other', async () => {
    await handOff('You are billing.');
    const next = await server.stream(1);
    await next.received('audioInput');
    expect(next.texts[0]).toMatchObject({ role: 'SYSTEM', text: 'You are billing.' });
  });
});
