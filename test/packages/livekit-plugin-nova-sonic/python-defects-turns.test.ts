// SPDX-License-Identifier: Apache-2.0
// Defects of the Python plugin (docs/parity.md) that ours must not have: turns, replies and history.
import { beforeEach, describe, expect, test } from '@jest/globals';
import { type llm, type metrics, voice } from '@livekit/agents';
import { until } from '../../support/wait.js';
import { rig, server, startAgent } from './support/scripted-call.js';
import { type ScriptedStream, usage } from './support/scripted-server.js';
import * as says from './support/server-events.js';

let stream: ScriptedStream;

const dialogue = () => rig.items.map((i) => `${i.role}: ${i.textContent}`);

beforeEach(async () => {
  await startAgent();
  stream = await server.stream(0);
});

describe('turns', () => {
  test('2: when the user speaks first, the first reply is played', async () => {
    stream.send(says.completionStart(), says.speechStart(300));
    stream.send(
      says.speechEnd(900),
      ...says.userText('Hello?'),
      ...says.reply('Hi, how can I help?'),
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
    const id = says.newContentId();
    stream.send(says.completionStart(), ...says.plan('Welcome.'), says.audioStart(id));
    stream.send(...says.audioData(id, 4_000), says.audioEnd(id, 'END_TURN'));
    await rig.event('agent_state_changed', (e: { newState: string }) => e.newState === 'speaking');
    expect(ended).toBe(false);
    await handle.waitForPlayout();
    expect(created.map((e) => e.userInitiated)).toEqual([true]);
    expect(rig.handles).toHaveLength(1);
    expect(rig.speaker.playedMs).toBe(4_000);
    expect(dialogue()).toEqual(['assistant: Welcome.']);

    stream.send(...says.userText('And now?'), ...says.reply('Now we talk.'));
    await rig.item('assistant', 'Now we talk');
    expect(created.map((e) => e.userInitiated)).toEqual([true, false]);
    expect(new Set(created.map((e) => e.responseId)).size).toBe(2);
  });

  test('11: a reply without speech of the user adds no empty user message', async () => {
    const handle = rig.session.generateReply({ instructions: 'Greet.' });
    await stream.received((e) => e.body.content === 'Greet.');
    stream.send(...says.userText('  '), ...says.reply('Welcome.'));
    await handle.waitForPlayout();
    // A cough: speech that has no words.
    stream.send(says.speechStart(100), says.speechEnd(200), ...says.reply('Go on.'));
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
    stream.send(says.speechStart(1_000));
    await speaking;
    expect(rig.transcripts).toEqual([]);
    const listening = rig.event(
      'user_state_changed',
      (e: { newState: string }) => e.newState === 'listening',
    );
    stream.send(says.speechEnd(1_500));
    await listening;
    stream.send(...says.userText('Good morning.'), ...says.reply('Morning!'));
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
    const id = says.newContentId();
    stream.send(...says.userText('Talk.'), ...says.plan('One.'), says.audioStart(id));
    stream.send(...says.audioData(id, 800));
    await rig.event('agent_state_changed', (e: { newState: string }) => e.newState === 'speaking');
    rig.session.interrupt();
    const heard = rig.speaker.frames.length;
    stream.send(...says.audioData(id, 800), says.audioEnd(id, 'PARTIAL_TURN'));
    stream.send(...says.plan('Two.'), ...says.audio(800, 'END_TURN'));
    stream.send(...says.userText('Again.'), ...says.reply('Three.', 400));
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
    stream.send(...says.userText('Tell me.'), ...says.plan('First.'), ...says.audio(200));
    stream.send(...says.plan('Second.'), ...says.audio(200, 'END_TURN'));
    await rig.item('assistant', 'Second');
    stream.send(...says.spoken('First.'), ...says.spoken('Second.'));
    stream.send(
      ...says.userText('More.'),
      ...says.plan('A long story.'),
      ...says.audio(60_000, 'END_TURN'),
    );
    await rig.event('agent_state_changed', (e: { newState: string }) => e.newState === 'speaking');
    stream.send(says.speechStart(500), ...says.interruptedText(), ...says.spoken('A long'));
    stream.send(says.speechEnd(900), ...says.userText('Stop.'), ...says.reply('Sorry.'));
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
    stream.send(...says.userText('My name is Ada.'), ...says.reply('Hello Ada.'));
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
    stream.send(...says.reply('Bye.'));
    await handle.waitForPlayout();
    // The edit is told to the next stream.
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
    rig.sonic.on('metrics_collected', (m: metrics.RealtimeModelMetrics) => all.push(m));
    rig.sonic.on('generation_created', (e: llm.GenerationCreatedEvent) =>
      created.push(e.responseId ?? ''),
    );
    const asked = Date.now();
    const handle = rig.session.generateReply({ instructions: 'Greet.' });
    await stream.received((e) => e.body.content === 'Greet.');
    stream.send(
      usage(100, 0),
      ...says.plan('Welcome.'),
      usage(0, 20),
      ...says.audio(400, 'END_TURN'),
    );
    await handle.waitForPlayout();
    stream.send(
      usage(7, 0),
      ...says.userText('Hi.'),
      usage(0, 10),
      ...says.reply('Ho.'),
      usage(0, 5),
    );
    await rig.item('assistant', 'Ho');
    expect(all.map((m) => m.requestId)).toEqual(created);
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
    stream.send(...says.userText('Still there?'), ...says.reply('I am.', 60_000));
    await rig.event('agent_state_changed', (e: { newState: string }) => e.newState === 'speaking');
    const barged = rig.sonicEvent<{ sign: string }>('barge_in');
    stream.send(...says.interruptedText('{\n  "interrupted":true}', 'PARTIAL_TURN'));
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
    stream.send(...says.userText('Hello?'), ...says.reply('Hi.'));
    await rig.item('assistant', 'Hi');
  });
});
