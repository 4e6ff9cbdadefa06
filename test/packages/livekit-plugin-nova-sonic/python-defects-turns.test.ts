// SPDX-License-Identifier: Apache-2.0
// Defects of the Python plugin (docs/parity.md) that ours must not have: turns, replies and history.
import { beforeEach, describe, expect, test } from '@jest/globals';
import { type llm, type metrics, voice } from '@livekit/agents';
import { until } from '../../support/wait.js';
import { rig, server, startAgent } from './support/scripted-call.js';
import { type ScriptedStream, usage } from './support/scripted-server.js';
import * as serverEvents from './support/server-events.js';

let stream: ScriptedStream;

const dialogue = () => rig.items.map((i) => `${i.role}: ${i.textContent}`);

beforeEach(async () => {
  await startAgent();
  stream = await server.stream(0);
});

describe('turns', () => {
  test('2: when the user speaks first, the first reply is played', async () => {
    stream.send(serverEvents.completionStart(), serverEvents.speechStart(300));
    stream.send(
      serverEvents.speechEnd(900),
      ...serverEvents.userText('Hello?'),
      ...serverEvents.reply('Hi, how can I help?'),
    );
    await rig.item('assistant', 'how can I help');
    expect(rig.speaker.playedMs).toBe(400);
    // One generation, opened by the reply: one opened before would have been interrupted by the caller's speech.
    expect(rig.handles.map((h) => h.interrupted)).toEqual([false]);
    expect(dialogue()).toEqual(['user: Hello?', 'assistant: Hi, how can I help?']);
  });

  test('3: one generation_created for a reply, user-initiated when requested, awaited until it was played', async () => {
    const created: llm.GenerationCreatedEvent[] = [];
    rig.sonic.on('generation_created', (e: llm.GenerationCreatedEvent) => created.push(e));
    const handle = rig.session.generateReply({ instructions: 'Greet.' });
    let ended = false;
    void handle.waitForPlayout().then(() => {
      ended = true;
    });
    await stream.received((e) => e.body.content === 'Greet.');
    // 4 s of audio at 20 times the speed: 200 ms.
    const id = serverEvents.newContentId();
    stream.send(
      serverEvents.completionStart(),
      ...serverEvents.plan('Welcome.'),
      serverEvents.audioContentStart(id),
    );
    stream.send(...serverEvents.audioData(id, 4_000), serverEvents.audioEnd(id, 'END_TURN'));
    await rig.event('agent_state_changed', (e: { newState: string }) => e.newState === 'speaking');
    expect(ended).toBe(false);
    await handle.waitForPlayout();
    expect(created.map((e) => e.userInitiated)).toEqual([true]);
    expect(rig.handles).toHaveLength(1);
    expect(rig.speaker.playedMs).toBe(4_000);
    expect(dialogue()).toEqual(['assistant: Welcome.']);

    stream.send(...serverEvents.userText('And now?'), ...serverEvents.reply('Now we talk.'));
    await rig.item('assistant', 'Now we talk');
    expect(created.map((e) => e.userInitiated)).toEqual([true, false]);
    expect(new Set(created.map((e) => e.responseId)).size).toBe(2);
  });

  test('11: a reply without speech of the user adds no empty user message', async () => {
    const handle = rig.session.generateReply({ instructions: 'Greet.' });
    await stream.received((e) => e.body.content === 'Greet.');
    stream.send(...serverEvents.userText('  '), ...serverEvents.reply('Welcome.'));
    await handle.waitForPlayout();
    // A cough: speech that has no words.
    stream.send(
      serverEvents.speechStart(100),
      serverEvents.speechEnd(200),
      ...serverEvents.reply('Go on.'),
    );
    await rig.item('assistant', 'Go on');
    expect(dialogue()).toEqual(['assistant: Welcome.', 'assistant: Go on.']);
    expect(rig.transcripts.filter((t) => t.final)).toEqual([]);
  });

  test('15: the start of speech is emitted at once, not when its text arrives', async () => {
    rig.hear(2_000);
    const pieces = () => stream.said.filter((e) => e.name === 'audioInput').length;
    await until('all of it was sent', () => pieces() > 100);
    const heardAt = Date.now();
    await until('the clock has moved on', () => Date.now() > heardAt);
    const states: string[] = [];
    rig.session.on(voice.AgentSessionEventTypes.UserStateChanged, (e) => {
      states.push(e.newState);
    });
    const speaking = rig.event(
      'user_state_changed',
      (e: { newState: string }) => e.newState === 'speaking',
    );
    stream.send(serverEvents.speechStart(1_000));
    await speaking;
    expect(rig.transcripts).toEqual([]);
    const listening = rig.event(
      'user_state_changed',
      (e: { newState: string }) => e.newState === 'listening',
    );
    stream.send(serverEvents.speechEnd(1_500));
    await listening;
    stream.send(...serverEvents.userText('Good morning.'), ...serverEvents.reply('Morning!'));
    const message = await rig.item('user', 'Good morning');
    await rig.item('assistant', 'Morning');
    // The turn began when its first sample came, not when its text did.
    expect(message.createdAt).toBeLessThanOrEqual(heardAt);
    expect(rig.transcripts).toEqual([
      { text: 'Good morning.', final: false },
      { text: 'Good morning.', final: true },
    ]);
    expect(states).toEqual(['speaking', 'listening']);
  });

  test('21: a client-side interrupt drops the rest of the reply and nothing of the next', async () => {
    const id = serverEvents.newContentId();
    stream.send(
      ...serverEvents.userText('Talk.'),
      ...serverEvents.plan('One.'),
      serverEvents.audioContentStart(id),
    );
    stream.send(...serverEvents.audioData(id, 800));
    await rig.event('agent_state_changed', (e: { newState: string }) => e.newState === 'speaking');
    rig.session.interrupt();
    const heard = rig.speaker.frames.length;
    stream.send(...serverEvents.audioData(id, 800), serverEvents.audioEnd(id, 'PARTIAL_TURN'));
    stream.send(...serverEvents.plan('Two.'), ...serverEvents.audioContent(800, 'END_TURN'));
    stream.send(...serverEvents.userText('Again.'), ...serverEvents.reply('Three.', 400));
    await rig.item('assistant', 'Three');
    expect(rig.speaker.frames.slice(heard).reduce((ms, f) => ms + f.ms, 0)).toBe(400);
    expect(dialogue().filter((line) => line.includes('Two'))).toEqual([]);
    expect(rig.handles).toHaveLength(2);
    const own = rig.sonic.chatCtx.items.map((i) => (i.type === 'message' ? i.textContent : ''));
    expect(own).toEqual(['Talk.', 'One.', 'Again.', 'Three.']);
  });
});

describe('history', () => {
  test('10: the history has each sentence once, as it was spoken', async () => {
    stream.send(
      ...serverEvents.userText('Tell me.'),
      ...serverEvents.plan('First.'),
      ...serverEvents.audioContent(200),
    );
    stream.send(...serverEvents.plan('Second.'), ...serverEvents.audioContent(200, 'END_TURN'));
    await rig.item('assistant', 'Second');
    stream.send(...serverEvents.spokenReply('First.'), ...serverEvents.spokenReply('Second.'));
    stream.send(
      ...serverEvents.userText('More.'),
      ...serverEvents.plan('A long story.'),
      ...serverEvents.audioContent(60_000, 'END_TURN'),
    );
    await rig.event('agent_state_changed', (e: { newState: string }) => e.newState === 'speaking');
    stream.send(
      serverEvents.speechStart(500),
      ...serverEvents.interruptedText(),
      ...serverEvents.spokenReply('A long'),
    );
    stream.send(
      serverEvents.speechEnd(900),
      ...serverEvents.userText('Stop.'),
      ...serverEvents.reply('Sorry.'),
    );
    await rig.item('assistant', 'Sorry');
    const own = rig.sonic.chatCtx.items.flatMap((i) =>
      i.type === 'message' ? [[i.role, i.textContent, i.interrupted]] : [],
    );
    expect(own).toEqual([
      ['user', 'Tell me.', false],
      ['assistant', 'First. Second.', false],
      ['user', 'More.', false],
      ['assistant', 'A long', true],
      ['user', 'Stop.', false],
      ['assistant', 'Sorry.', false],
    ]);
    expect(rig.items.map((i) => i.role)).toEqual([
      'user',
      'assistant',
      'user',
      'assistant',
      'user',
      'assistant',
    ]);
  });

  test('12: giving the agent its own context back sends nothing', async () => {
    stream.send(...serverEvents.userText('My name is Ada.'), ...serverEvents.reply('Hello Ada.'));
    await rig.item('assistant', 'Hello Ada');
    const before = stream.texts.length;
    await rig.agent.updateChatCtx(rig.agent.chatCtx);
    await rig.agent.updateChatCtx(rig.session.history);
    const edited = rig.agent.chatCtx.copy();
    edited.addMessage({ role: 'user', content: 'Old remark', createdAt: 1 });
    await rig.agent.updateChatCtx(edited);
    // A reply that is asked for proves that nothing came before it.
    const handle = rig.session.generateReply({ instructions: 'Say bye.' });
    await stream.received((e) => e.body.content === 'Say bye.');
    expect(stream.texts.slice(before).map((t) => t.text)).toEqual(['Say bye.']);
    stream.send(...serverEvents.reply('Bye.'));
    await handle.waitForPlayout();
    // The edit reaches the next stream.
    await rig.sonic.renew({ immediately: true });
    const next = await server.stream(1);
    await next.received((e) => e.name === 'contentStart' && e.body.type === 'AUDIO');
    expect(next.texts.filter((t) => t.role === 'USER').map((t) => t.text)).toEqual([
      'Old remark\nMy name is Ada.',
      'Say bye.',
    ]);
    expect(next.texts.some((t) => t.interactive)).toBe(false);
  });
});

describe('metrics and parsing', () => {
  test('18: one metrics event a reply, with its id, its times and its own tokens', async () => {
    const all: metrics.RealtimeModelMetrics[] = [];
    const created: string[] = [];
    const opened: metrics.RealtimeModelMetrics[] = [];
    rig.sonic.on('metrics_collected', (m: metrics.RealtimeModelMetrics) =>
      (m.acquireTimeMs === undefined ? all : opened).push(m),
    );
    rig.sonic.on('generation_created', (e: llm.GenerationCreatedEvent) =>
      created.push(e.responseId ?? ''),
    );
    const asked = Date.now();
    const handle = rig.session.generateReply({ instructions: 'Greet.' });
    await stream.received((e) => e.body.content === 'Greet.');
    stream.send(
      usage(100, 0),
      ...serverEvents.plan('Welcome.'),
      usage(0, 20),
      ...serverEvents.audioContent(400, 'END_TURN'),
    );
    await handle.waitForPlayout();
    stream.send(
      usage(7, 0),
      ...serverEvents.userText('Hi.'),
      usage(0, 10),
      ...serverEvents.reply('Ho.'),
      usage(0, 5),
    );
    await rig.item('assistant', 'Ho');
    expect(all.map((m) => m.requestId)).toEqual(created);
    // The stream was opened, for no reply.
    expect(opened).toEqual([
      expect.objectContaining({ requestId: '', totalTokens: 0, connectionReused: false }),
    ]);
    expect(opened[0]?.acquireTimeMs).toBeGreaterThanOrEqual(0);
    expect(all.map((m) => [m.inputTokens, m.outputTokens])).toEqual([
      [122, 20],
      [7, 10],
    ]);
    for (const m of all) {
      expect(m.ttftMs).toBeGreaterThanOrEqual(0);
      expect(m.durationMs).toBeGreaterThanOrEqual(m.ttftMs);
      expect(m.timestamp).toBeGreaterThanOrEqual(asked - 1);
      expect(m.timestamp).toBeLessThanOrEqual(Date.now());
      expect(m.metadata).toEqual({ modelName: rig.model.model, modelProvider: 'Amazon' });
      expect(m.cancelled).toBe(false);
    }
    await until('the last usage has come', () => stream.raw.writableLength === 0);
    await rig.close();
    const usageOfAll = rig.session.usage.modelUsage[0] as {
      inputTokens: number;
      outputTokens: number;
    };
    expect([usageOfAll.inputTokens, usageOfAll.outputTokens]).toEqual([129, 35]);
  });

  test('19: unknown and unreadable events are ignored, the call continues', async () => {
    stream.sendRaw('this is no JSON');
    stream.sendRaw('{}');
    stream.send(
      { brandNew: { contentId: 'x' } },
      { toolUse: { toolName: 'x' } },
      { contentStart: {} },
    );
    stream.send({ textOutput: { content: 5 } }, { usageEvent: {} }, { audioOutput: {} });
    stream.send(...serverEvents.userText('Still there?'), ...serverEvents.reply('I am.', 60_000));
    await rig.event('agent_state_changed', (e: { newState: string }) => e.newState === 'speaking');
    const barged = rig.sonicEvent<{ sign: string }>('barge_in');
    stream.send(...serverEvents.interruptedText('{\n  "interrupted":true}', 'PARTIAL_TURN'));
    expect((await barged).sign).toBe('interrupted_text');
    expect(rig.errors).toEqual([]);
    expect(server.streams).toHaveLength(1);
  });

  test('a listener that throws stops neither the reader nor the other listeners', async () => {
    rig.sonic.prependListener('generation_created', () => {
      throw new Error('a mistake of the application');
    });
    rig.sonic.on('stream_lifecycle', () => {
      throw new Error('another one');
    });
    stream.send(...serverEvents.userText('Hello?'), ...serverEvents.reply('Hi.'));
    await rig.item('assistant', 'Hi');
  });
});
