// SPDX-License-Identifier: Apache-2.0
// Defects of the Python plugin (docs/plugin-parity.md) that ours must not have: streams, failures, renewal, close.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { initializeLogger, llm, voice } from '@livekit/agents';
import type { StreamLifecycle } from 'livekit-plugin-nova-sonic';
import { z } from 'zod';
import { type Rig, startRig } from './support/agent-rig.js';
import { fastClock } from './support/clocks.js';
import { ScriptedServer, type ScriptedStream, welcome } from './support/scripted-server.js';
import * as says from './support/sonic-says.js';
import { until } from './support/wait.js';

initializeLogger({ pretty: false, level: process.env.TEST_LOG ?? 'silent' });

let server: ScriptedServer;
let rig: Rig;

beforeEach(async () => {
  server = await ScriptedServer.start();
});
afterEach(async () => {
  await rig.close();
  await server.close();
});

/** The opening is whole and in order: nothing but silence of ours comes before the audio content. */
function expectLegal(stream: ScriptedStream): void {
  const { said } = stream;
  const names = said.map((e) => e.name);
  expect(names.slice(0, 2)).toEqual(['sessionStart', 'promptStart']);
  const audio = said.findIndex((e) => e.name === 'contentStart' && e.body.type === 'AUDIO');
  expect(audio).toBeGreaterThan(1);
  expect(names.indexOf('audioInput')).toBe(audio + 1);
  const open = new Set<unknown>();
  for (const { name, body } of said) {
    if (name === 'contentStart') {
      expect(open.has(body.contentName)).toBe(false);
      open.add(body.contentName);
    } else if (['textInput', 'audioInput', 'toolResult', 'contentEnd'].includes(name)) {
      expect(open.has(body.contentName)).toBe(true);
      if (name === 'contentEnd') open.delete(body.contentName);
    }
  }
  const end = names.indexOf('sessionEnd');
  if (end >= 0) expect(names.slice(end - 2)).toEqual(['contentEnd', 'promptEnd', 'sessionEnd']);
}

const answer = (stream: ScriptedStream, question: string, reply: string) =>
  stream.send(...says.userText(question), ...says.reply(reply));

const tools = (execute: () => Promise<unknown>) => ({
  look_up: llm.tool({
    description: 'Looks something up',
    parameters: z.object({}),
    execute,
  }),
});

describe('renewal', () => {
  test('1: a call outlives many renewals: history, audio and replies go on', async () => {
    rig = await startRig(server.url, { model: { renewAfter: 0.3 } });
    let reconnected = 0;
    rig.sonic.on('session_reconnected', () => {
      reconnected += 1;
    });
    for (let i = 0; i < 4; i += 1) {
      const stream = await server.stream(i);
      await stream.heard('audioInput');
      await until('the call has moved here', () => reconnected >= i);
      const before = stream.said.length;
      rig.hear(200);
      await until('the audio comes here', () => stream.said.length >= before + 10);
      answer(stream, `Question ${i}?`, `Answer ${i}.`);
      await rig.item('assistant', `Answer ${i}.`);
    }
    await server.stream(4);
    for (const [i, stream] of server.streams.slice(0, 5).entries()) {
      await stream.heard('audioInput');
      const told = stream.texts.filter((t) => t.role !== 'SYSTEM');
      expect(told.map((t) => t.text)).toEqual(
        Array.from({ length: i }, (_, n) => [`Question ${n}?`, `Answer ${n}.`]).flat(),
      );
      expect(told.some((t) => t.interactive)).toBe(false);
      expectLegal(stream);
    }
    expect(rig.errors).toEqual([]);
    await until('old streams are closed', () => server.open.length <= 2);
    for (const stream of server.streams.slice(0, 3)) {
      expect(stream.names.slice(-3)).toEqual(['contentEnd', 'promptEnd', 'sessionEnd']);
    }
  });

  test('13: a caller who never speaks does not hold a renewal up', async () => {
    // Six seconds of the clock; the hard limit, which needs no quiet, would come 90 s after.
    rig = await startRig(server.url, { model: { renewAfter: 6, clock: fastClock(20) } });
    const renewal = () =>
      rig.sonicEvent<StreamLifecycle>('stream_lifecycle', (e) => e.type === 'renewed');
    const first = await renewal();
    expect(first).toMatchObject({ reason: 'age' });
    expect(first.livedMs).toBeLessThan(60_000);
    // Nor does one who only ever barges in, so that no turn ends.
    const stream = server.streams.at(-1) as ScriptedStream;
    const id = says.newContentId();
    stream.send(...says.userText('Talk.'), ...says.plan('Well.'), says.audioStart(id));
    stream.send(...says.audioData(id, 200), says.audioEnd(id, 'INTERRUPTED'));
    stream.send(says.speechEnd(10));
    expect((await renewal()).livedMs).toBeLessThan(60_000);
  });

  test('16: the credentials of a stream stay, and it is renewed before they end', async () => {
    let provided = 0;
    const credentials = async () => {
      provided += 1;
      return {
        accessKeyId: `KEY${provided}`,
        secretAccessKey: 'secret',
        sessionToken: `token${provided}`,
        expiration: new Date(Date.now() + (provided === 1 ? 60_300 : 3_600_000)),
      };
    };
    rig = await startRig(server.url, { model: { credentials } });
    rig.hear(1_000);
    const renewed = rig.sonicEvent<StreamLifecycle>(
      'stream_lifecycle',
      (e) => e.type === 'renewed',
    );
    expect((await renewed).reason).toBe('credentials');
    rig.hear(1_000);
    const [first, second] = server.streams as [ScriptedStream, ScriptedStream];
    await until('audio on the second', () => second.said.length > 40);
    expect(first.headers.authorization).toContain('Credential=KEY1/');
    expect(second.headers.authorization).toContain('Credential=KEY2/');
    expect(provided).toBe(2);
  });

  test('17: changed tools take effect after the reply, several changes make one renewal', async () => {
    const make = (parameters: z.ZodObject) => ({
      look_up: llm.tool({ description: 'd', parameters, execute: async () => 'x' }),
    });
    rig = await startRig(server.url, { tools: make(z.object({})), speed: 20 });
    const stream = await server.stream(0);
    const id = says.newContentId();
    stream.send(...says.userText('Talk.'), ...says.plan('A reply.'), says.audioStart(id));
    stream.send(...says.audioData(id, 400));
    await rig.event('agent_state_changed', (e: { newState: string }) => e.newState === 'speaking');
    // The same name with another schema, twice, in the middle of the reply.
    await rig.agent.updateTools(Object.entries(make(z.object({ a: z.string() }))).map(named));
    await rig.agent.updateTools(Object.entries(make(z.object({ b: z.number() }))).map(named));
    // Time enough for a renewal that would not wait for the end of the reply.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(server.streams).toHaveLength(1);
    stream.send(...says.audioData(id, 400), says.audioEnd(id, 'END_TURN'));
    await rig.item('assistant', 'A reply.');
    expect(rig.speaker.playedMs).toBe(800);
    const next = await server.stream(1);
    const start = await next.heard('promptStart');
    expect(JSON.stringify(start.body)).toContain('\\"b\\"');
    await until('the old stream is closed in order', () => stream.names.at(-1) === 'sessionEnd');
    answer(next, 'And?', 'Fine.');
    await rig.item('assistant', 'Fine.');
    expect(server.streams).toHaveLength(2);
    expectLegal(next);
  });
});

const named = ([name, tool]: [string, llm.AnonFunctionTool]) =>
  ({ ...tool, id: name, name }) as unknown as llm.FunctionTool;

describe('failures at the connect', () => {
  test('4: a refusal is told with its reason, and a call that cannot be served is ended', async () => {
    server.onStream = (s) => s.refuse(403, 'AccessDeniedException', 'You may not.');
    rig = await startRig(server.url);
    const close = await rig.event<{ reason: string; error: { error: Error } }>('close');
    expect(close.reason).toBe(voice.CloseReason.ERROR);
    expect(rig.errors.at(-1)?.recoverable).toBe(false);
    expect(rig.errors.at(-1)?.message).toMatch(
      /AccessDeniedException: You may not.*allow bedrock:Invoke/,
    );
    expect(server.streams).toHaveLength(1);
  });

  test('4: a throttle is told, the audio said meanwhile is kept, and the call goes on', async () => {
    server.onStream = (s, i) =>
      i === 0 ? s.refuse(429, 'ThrottlingException', 'Too many requests') : welcome(s, i);
    rig = await startRig(server.url, { model: { retry: { baseDelayMs: 100 } } });
    rig.hear(1_000, { loud: true });
    const stream = await server.stream(1);
    await until(
      'all that was said is here',
      () => stream.said.filter((e) => e.name === 'audioInput').length >= 51,
    );
    expect(rig.errors).toEqual([
      { recoverable: true, message: expect.stringContaining('Throttling') },
    ]);
    answer(stream, 'Hello?', 'Hello.');
    await rig.item('assistant', 'Hello.');
  });

  test('4: the next Region is tried at once, and the one that throttles rests', async () => {
    server.onStream = (s, i) =>
      s.region === 'us-east-1' ? s.refuse(429, 'ThrottlingException', 'full') : welcome(s, i);
    rig = await startRig(server.url, {
      model: { region: ['us-east-1', 'us-west-2'], renewAfter: 0.2, retry: { baseDelayMs: 8_000 } },
    });
    const stream = await server.stream(1);
    expect(stream.region).toBe('us-west-2');
    answer(stream, 'Hello?', 'Hello.');
    await rig.item('assistant', 'Hello.');
    expect((await server.stream(2)).region).toBe('us-west-2');
  });

  test('5: under constant throttling there are at most 8 connects in 12 s, then the call ends', async () => {
    server.onStream = (s) => s.refuse(429, 'ThrottlingException', 'full');
    const clock = fastClock(20);
    rig = await startRig(server.url, {
      model: {
        clock,
        region: ['us-east-1', 'us-west-2', 'eu-north-1', 'ap-northeast-1'],
        // So patient that nothing but the pace holds it back.
        retry: { maxAttempts: 100, budget: 100, maxOutageMs: 40_000 },
      },
    });
    const connects: number[] = [];
    server.on('stream', () => connects.push(clock.now()));
    await rig.event('close');
    for (const at of connects) {
      expect(connects.filter((c) => c >= at && c < at + 12_000).length).toBeLessThanOrEqual(8);
    }
    expect(server.streams.length).toBeGreaterThanOrEqual(7);
    expect(rig.errors.at(-1)).toMatchObject({ recoverable: false });
    expect(rig.errors.at(-1)?.message).toContain('cannot be served');
  });

  test('23: no throttle, expired key or torn connection ever reaches the process as an exception', async () => {
    const outside: unknown[] = [];
    const note = (error: unknown) => outside.push(error);
    process.on('uncaughtException', note);
    process.on('unhandledRejection', note);
    const failures: Array<(s: ScriptedStream) => void> = [
      (s) => s.refuse(429, 'ThrottlingException', 'full'),
      (s) => {
        s.refuse(429, 'ThrottlingException', 'full');
        s.raw.close(8);
      },
      (s) => {
        s.refuse(429, 'ThrottlingException', 'full');
        setImmediate(() => s.kill());
      },
      (s) => s.kill(),
      (s) => s.raw.close(2),
      (s) => s.end(),
    ];
    server.onStream = (s, i) => (failures[i] ?? welcome)(s, i);
    rig = await startRig(server.url, {
      model: { clock: fastClock(20), retry: { maxOutageMs: 600_000, maxAttempts: 20 } },
    });
    const stream = await server.stream(failures.length);
    answer(stream, 'Hello?', 'Hello.');
    await rig.item('assistant', 'Hello.');
    expect(rig.errors.every((e) => e.recoverable)).toBe(true);
    expect(rig.errors).toHaveLength(failures.length);
    await rig.close();

    server.onStream = (s) =>
      s.refuse(403, 'ExpiredTokenException', 'The security token is expired');
    rig = await startRig(server.url);
    await rig.event('close');
    expect(rig.errors.at(-1)?.message).toContain('credentials');
    await new Promise((resolve) => setImmediate(resolve));
    process.off('uncaughtException', note);
    process.off('unhandledRejection', note);
    expect(outside).toEqual([]);
  });
});

describe('failures in the middle of a call', () => {
  test('6: after a failure the next stream is legal, has the tool result, and replies do not mix', async () => {
    let finish: (value: string) => void = () => {};
    rig = await startRig(server.url, {
      tools: tools(() => new Promise((resolve) => (finish = resolve))),
    });
    const first = await server.stream(0);
    answer(first, 'Hello?', 'Hello.');
    await rig.item('assistant', 'Hello.');
    first.send(...says.userText('Look it up.'), ...says.plan('One moment.'), ...says.audio(200));
    first.send(...says.toolUse('look_up', {}, 'use-1'));
    await rig.item('assistant', 'One moment.');
    first.throw('modelStreamErrorException', 'It broke.');
    rig.hear(300, { loud: true });
    const second = await server.stream(1);
    await second.heard('audioInput');
    finish('forty-two');
    const told = await second.heard(
      (e) => e.name === 'textInput' && /forty-two/.test(String(e.body.content)),
    );
    expect(told.body.content).toBe(
      '[The tool look_up was called with {} and returned "forty-two".]',
    );
    expect(second.said.some((e) => e.name === 'toolResult')).toBe(false);
    second.send(...says.reply('It is forty-two.'));
    await rig.item('assistant', 'forty-two');
    expectLegal(second);
    expect(second.texts.filter((t) => t.interactive)).toHaveLength(1);
    expect(rig.items.map((i) => i.textContent)).toEqual([
      'Hello?',
      'Hello.',
      'Look it up.',
      'One moment.',
      'It is forty-two.',
    ]);
    await until('the old stream is gone', () => server.open.length === 1);
    expect(server.streams).toHaveLength(2);
  });

  test.each<[string, (s: ScriptedStream) => void]>([
    ['an end without a word', (s) => s.end()],
    ['a torn connection', (s) => s.kill()],
    ['RST_STREAM', (s) => s.raw.close(2)],
    ['InternalServerException', (s) => s.throw('internalServerException', 'Oops.')],
    ['ServiceUnavailableException', (s) => s.throw('serviceUnavailableException', 'Later.')],
    ['ThrottlingException', (s) => s.throw('throttlingException', 'Slow down.')],
    [
      'ModelTimeoutException',
      (s) => s.throw('modelTimeoutException', 'Model has timed out in processing the request.'),
    ],
    [
      'the 55 s rule',
      (s) =>
        s.throw('validationException', 'Timed out waiting for audio bytes or interactive content.'),
    ],
    [
      'Tool Response parsing error',
      (s) => s.throw('validationException', 'Tool Response parsing error'),
    ],
    ['an exception without a name', (s) => s.throw('somethingNewException', 'What?')],
  ])('8: %s between the question and the answer: the question is answered', async (_, fail) => {
    rig = await startRig(server.url, { model: { retry: { baseDelayMs: 10 } } });
    const first = await server.stream(0);
    first.send(says.speechStart(10), says.speechEnd(90), ...says.userText('What is two and two?'));
    await until('it was understood', () => rig.transcripts.length > 0);
    fail(first);
    const second = await server.stream(1);
    await second.heard((e) => e.name === 'textInput' && e.body.content === 'What is two and two?');
    expect(second.texts.filter((t) => t.role === 'USER')).toEqual([
      { role: 'USER', interactive: true, text: 'What is two and two?' },
    ]);
    second.send(...says.reply('Four.'));
    await rig.item('assistant', 'Four.');
    expect(rig.items.map((i) => i.textContent)).toEqual(['What is two and two?', 'Four.']);
    expect(rig.errors).toHaveLength(1);
    expect(rig.errors[0]).toMatchObject({ recoverable: true });
  });

  test('8: speech that was cut off by a failure is heard again, from its beginning', async () => {
    rig = await startRig(server.url);
    const first = await server.stream(0);
    await first.heard('audioInput');
    const begun = first.said.length;
    rig.hear(2_000, { loud: true });
    await until('it was sent', () => first.said.length >= begun + 100);
    first.send(says.speechStart(200));
    await rig.event('user_state_changed', (e: { newState: string }) => e.newState === 'speaking');
    first.kill();
    rig.hear(500, { loud: true });
    const second = await server.stream(1);
    await until(
      'all is here',
      () => second.said.filter((e) => e.name === 'audioInput').length >= 125,
    );
    expectLegal(second);
    answer(second, 'A long question.', 'An answer.');
    await rig.item('assistant', 'An answer.');
    expect(rig.items.map((i) => i.textContent)).toEqual(['A long question.', 'An answer.']);
  });

  test('8: a service that falls silent is noticed', async () => {
    rig = await startRig(server.url, { model: { timeouts: { progress: 300 } } });
    const first = await server.stream(0);
    first.send(...says.userText('Anybody there?'));
    const second = await server.stream(1);
    await second.heard((e) => e.body.content === 'Anybody there?');
    expect(rig.errors[0]?.message).toContain('did not answer a question');
  });
});

describe('close', () => {
  test('9: closed at any moment, nothing stays open', async () => {
    const silent = (s: ScriptedStream) => s;
    for (const behaviour of [
      welcome,
      silent,
      (s: ScriptedStream) => s.refuse(429, 'ThrottlingException', 'full'),
    ]) {
      for (const delay of [0, 5, 40]) {
        server.onStream = behaviour as never;
        rig = await startRig(server.url, { model: { renewAfter: 0.1 } });
        await new Promise((resolve) => setTimeout(resolve, delay));
        await rig.close();
        expect(rig.model.openSessions).toBe(0);
      }
    }
    await until('no stream is open', () => server.open.length === 0);
    const count = server.streams.length;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(server.streams).toHaveLength(count);
  }, 60_000);

  test('9: a stream that is up is ended in order, also during a renewal', async () => {
    server.onStream = (s, i) => {
      if (i === 0) welcome(s, i);
    };
    rig = await startRig(server.url, { model: { renewAfter: 0.1 } });
    const first = await server.stream(0);
    await server.stream(1);
    await rig.close();
    expect(first.names.slice(-3)).toEqual(['contentEnd', 'promptEnd', 'sessionEnd']);
    await until('no stream is open', () => server.open.length === 0);
  });
});
