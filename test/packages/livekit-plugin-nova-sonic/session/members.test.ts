// SPDX-License-Identifier: Apache-2.0
// The members of RealtimeModel and RealtimeSession in a real AgentSession against a scripted service; generateReply
// has a file of its own.
import { describe, expect, test } from '@jest/globals';
import { llm, log, type metrics, voice } from '@livekit/agents';
import type { BargeIn, BedrockEvent, StreamLifecycle, TurnTiming } from 'livekit-plugin-nova-sonic';
import { z } from 'zod';
import { until } from '../../../support/wait.js';
import { reason, warnings } from '../support/log-capture.js';
import { rig, server, startAgent } from '../support/scripted-call.js';
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
    await startAgent({ agent: new Greeter({ instructions: 'x', tools }) });
    const stream = await server.stream(0);
    await stream.received((e) => e.body.content === 'Greet.');
    stream.send(...serverEvents.reply('Hello.', 200));
    await stream.received((e) => e.body.content === 'Greet again.');
    stream.send(...serverEvents.reply('Hello again.', 200));
    await rig.item('assistant', 'Hello again');
    stream.send(...serverEvents.userText('Hi.'), ...serverEvents.reply('Ho.', 200));
    await rig.item('assistant', 'Ho.');
    expect(server.streams).toHaveLength(1);
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
      ...serverEvents.audio(200),
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
    stream.send(...serverEvents.audio(80, 'END_TURN'));
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
    expect(JSON.parse(tools[0]?.toolSpec.inputSchema.json as string)).toEqual(parameters);
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

describe('the small members', () => {
  test('truncate, pushVideo, commitAudio and clearAudio harm nothing and are logged once', async () => {
    await startAgent();
    const stream = await server.stream(0);
    await stream.received('audioInput');
    const logged = await warnings(async () => {
      for (let i = 0; i < 2; i += 1) {
        rig.sonic.pushVideo({});
        await rig.sonic.truncate({ messageId: 'x', audioEndMs: 1 });
        await rig.sonic.interrupt();
        await rig.sonic.clearAudio();
      }
    });
    expect(logged).toHaveLength(2);
    const before = stream.said.length;
    rig.hear(10);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await rig.sonic.commitAudio();
    await until('half a piece was sent', () =>
      stream.said.slice(before).some((e) => e.name === 'audioInput'),
    );
  });

  test('close of the model closes its sessions, and a closed session does nothing more', async () => {
    await startAgent();
    const stream = await server.stream(0);
    await until('the stream is up', () => rig.sonic.connected);
    const { sonic } = rig;
    await rig.model.close();
    expect(stream.names.slice(-3)).toEqual(['contentEnd', 'promptEnd', 'sessionEnd']);
    expect(rig.model.openSessions).toBe(0);
    expect(sonic.connected).toBe(false);
    rig.hear(100);
    await sonic.interrupt();
    await sonic.updateTools(llm.ToolContext.empty());
    expect(await reason(sonic.generateReply('Hello'))).toContain('closed');
    await sonic.close();
    expect(server.streams).toHaveLength(1);
  });

  test('events of Bedrock, streams and turns are emitted, audio as its length', async () => {
    await startAgent();
    const sent: BedrockEvent[] = [];
    const received: BedrockEvent[] = [];
    const streams: StreamLifecycle[] = [];
    rig.sonic.on('bedrock_client_event_queued', (e: BedrockEvent) => sent.push(e));
    rig.sonic.on('bedrock_server_event_received', (e: BedrockEvent) => received.push(e));
    rig.sonic.on('stream_lifecycle', (e: StreamLifecycle) => streams.push(e));
    const stream = await server.stream(0);
    rig.hear(1_000, { loud: true });
    await until(
      'it was sent',
      () => stream.said.filter((e) => e.name === 'audioInput').length > 50,
    );
    const timing = rig.sonicEvent<TurnTiming>('turn_timing');
    // Speech ends at 600 ms of the stream, of which the first 100 are silence of ours.
    stream.send(
      serverEvents.speechStart(200),
      serverEvents.speechEnd(600),
      ...serverEvents.userText('Hi.'),
      ...serverEvents.reply('Ho.', 400),
    );
    const t = await timing;
    expect(t).toMatchObject({ interrupted: false, toolWaitMs: 0, audioMs: 400 });
    const [ended, sentAt, arrived, given] = [
      t.userSpeechEndedAt,
      t.userSpeechSentAt,
      t.firstAudioReceivedAt,
      t.firstAudioAt,
    ] as number[];
    expect(ended).toBeLessThanOrEqual((sentAt as number) + 1);
    expect(sentAt).toBeLessThanOrEqual(arrived as number);
    expect(arrived).toBeLessThanOrEqual(given as number);
    expect(given as number).toBeLessThanOrEqual(Date.now());
    await rig.close();
    // 640 bytes are a chunk of 20 ms; on a slow machine silence of 100 ms may follow it.
    expect(sent.filter((e) => e.name === 'audioInput').map((e) => e.event)).toContainEqual({
      audioInput: expect.objectContaining({ content: 640 }),
    });
    expect(received.find((e) => e.name === 'audioOutput')?.event).toMatchObject({
      audioOutput: { content: 3_840 },
    });
    expect(streams.at(-1)).toMatchObject({ type: 'closed', region: 'us-east-1', reason: 'closed' });
    expect(sent.every((e) => e.streamId === streams[0]?.streamId)).toBe(true);
  });

  test('logEvents logs the events of Bedrock without audio, text only under lk.pii', async () => {
    const logger = log() as unknown as Record<string, (...args: unknown[]) => void>;
    const before = logger.debug as (...args: unknown[]) => void;
    const events: Array<Record<string, unknown>> = [];
    logger.debug = (fields, message) => {
      if (String(message).startsWith('bedrock_')) events.push(fields as Record<string, unknown>);
    };
    try {
      await startAgent({ model: { logEvents: true }, instructions: 'A secret.' });
      const stream = await server.stream(0);
      stream.send(...serverEvents.userText('Another secret.'), ...serverEvents.reply('Hello.'));
      await rig.item('assistant', 'Hello');
    } finally {
      logger.debug = before;
    }
    expect(events.map((e) => e.event)).toEqual(
      expect.arrayContaining(['promptStart', 'audioInput', 'textOutput', 'audioOutput']),
    );
    const text = JSON.stringify(events);
    expect(text).toContain('Another secret.');
    expect(text).toContain('A secret.');
    expect(events.find((e) => e.event === 'audioOutput')).toMatchObject({
      'lk.pii.content': { audioOutput: { content: 3_840 } },
    });
    const open = events.map((fields) =>
      Object.fromEntries(Object.entries(fields).filter(([key]) => !key.startsWith('lk.pii.'))),
    );
    expect(JSON.stringify(open)).not.toContain('secret.');
  });

  test('turn_timing reports an interrupted generation, barge_in the reply that was spoken over', async () => {
    await startAgent({ speed: 1 });
    const logged: string[] = [];
    rig.sonic.on('turn_timing', (t: TurnTiming) => {
      logged.push(`${t.responseId} ${t.interrupted ? 'cut' : 'whole'}`);
    });
    rig.sonic.on('barge_in', (b: BargeIn) => logged.push(`${b.responseId} spoken over`));
    const created: string[] = [];
    rig.sonic.on('generation_created', (e: llm.GenerationCreatedEvent) =>
      created.push(e.responseId ?? ''),
    );
    const cancelled: boolean[] = [];
    rig.sonic.on('metrics_collected', (m: metrics.RealtimeModelMetrics) =>
      cancelled.push(m.cancelled),
    );
    const stream = await server.stream(0);
    const speaking = () =>
      rig.event('agent_state_changed', (e: { newState: string }) => e.newState === 'speaking');
    const bargedIn = () => rig.sonicEvent<BargeIn>('barge_in');
    // The first is generated as a whole and only its playback is cut, the second is cut in the making.
    let heard: Promise<unknown> = speaking();
    stream.send(...serverEvents.userText('Talk.'), ...serverEvents.reply('A long story.', 20_000));
    await heard;
    let over = bargedIn();
    stream.send(serverEvents.speechStart(1));
    await over;
    heard = speaking();
    stream.send(
      serverEvents.speechEnd(2),
      ...serverEvents.userText('Another.'),
      ...serverEvents.plan('Well.'),
    );
    stream.send(...serverEvents.audio(20_000));
    await heard;
    over = bargedIn();
    stream.send(serverEvents.speechStart(3));
    await over;
    const [first, second] = created;
    expect(logged).toEqual([
      `${first} whole`,
      `${first} spoken over`,
      `${second} cut`,
      `${second} spoken over`,
    ]);
    expect(cancelled).toEqual([false, true]);
  });

  test('no timer delays the start: a session takes audio as soon as it is configured', async () => {
    // The Python plugin sleeps for half a second here. On this clock no timer ever fires.
    const clock = { now: () => Date.now(), after: () => () => {} };
    const x = llm.tool({ description: 'd', parameters: z.object({}), execute: async () => 1 });
    await startAgent({ model: { clock }, tools: { x } });
    const stream = await server.stream(0);
    await stream.received('audioInput');
    await rig.close();
  });
});
