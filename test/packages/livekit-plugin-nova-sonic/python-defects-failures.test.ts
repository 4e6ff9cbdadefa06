// SPDX-License-Identifier: Apache-2.0
// Defects of the Python plugin (docs/parity.md) that ours must not have: failures, at the connect and later.
import { describe, expect, test } from '@jest/globals';
import { llm, voice } from '@livekit/agents';
import type { StreamLifecycle } from 'livekit-plugin-nova-sonic';
import { z } from 'zod';
import { settle } from '../../support/manual-clock.js';
import { until } from '../../support/wait.js';
import { expectLegal } from './support/assert-protocol-order.js';
import { SteppedClock } from './support/clocks.js';
import { answer, rig, server, startAgent } from './support/scripted-call.js';
import { type ScriptedStream, welcome } from './support/scripted-server.js';
import * as serverEvents from './support/server-events.js';

const tools = (execute: () => Promise<unknown>) => ({
  look_up: llm.tool({
    description: 'Looks something up',
    parameters: z.object({}),
    execute,
  }),
});

describe('failures at the connect', () => {
  test('4: a rejection is emitted with its reason, and a call that cannot be served ends', async () => {
    server.onStream = (s) => s.refuse(403, 'AccessDeniedException', 'You may not.');
    await startAgent();
    const close = await rig.event<{ reason: string; error: { error: Error } }>('close');
    expect(close.reason).toBe(voice.CloseReason.ERROR);
    expect(rig.errors.at(-1)?.recoverable).toBe(false);
    expect(rig.errors.at(-1)?.message).toMatch(
      /AccessDeniedException: You may not.*allow bedrock:Invoke/,
    );
    expect(server.streams).toHaveLength(1);
  });

  test('4: a throttle is emitted, audio is buffered meanwhile, and the call continues', async () => {
    server.onStream = (s, i) =>
      i === 0 ? s.refuse(429, 'ThrottlingException', 'Too many requests') : welcome(s, i);
    await startAgent({ model: { retry: { baseDelayMs: 100 } } });
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

  test('4: the next Region is tried at once, and the one that throttles cools down', async () => {
    server.onStream = (s, i) =>
      s.region === 'us-east-1' ? s.refuse(429, 'ThrottlingException', 'full') : welcome(s, i);
    await startAgent({
      model: {
        region: ['us-east-1', 'us-west-2'],
        renewAfterMs: 200,
        retry: { baseDelayMs: 8_000 },
      },
    });
    const stream = await server.stream(1);
    expect(stream.region).toBe('us-west-2');
    answer(stream, 'Hello?', 'Hello.');
    await rig.item('assistant', 'Hello.');
    expect((await server.stream(2)).region).toBe('us-west-2');
  });

  test('5: under constant throttling there are at most 8 connects in 12 s, then the call ends', async () => {
    server.onStream = (s) => s.refuse(429, 'ThrottlingException', 'full');
    const clock = new SteppedClock();
    await startAgent({
      model: {
        clock,
        region: ['us-east-1', 'us-west-2', 'eu-north-1', 'ap-northeast-1'],
        // So patient that nothing but the pace holds it back.
        retry: { maxAttempts: 100, budget: 100, maxOutageMs: 40_000 },
      },
    });
    const connects: number[] = [];
    server.on('stream', () => connects.push(clock.now()));
    let closed = false;
    void rig.event('close').then(() => {
      closed = true;
    });
    // Time passes only while no connect is under way, however slow the machine is.
    for (let ms = 0; !closed && ms < 60_000; ms += 100) {
      await until(
        'each connect is answered',
        () => rig.errors.length >= server.streams.length || closed,
      );
      clock.advance(100);
      await settle();
    }
    await until('the call has ended', () => closed);
    for (const at of connects) {
      expect(connects.filter((c) => c >= at && c < at + 12_000).length).toBeLessThanOrEqual(8);
    }
    expect(server.streams.length).toBeGreaterThanOrEqual(7);
    expect(rig.errors.at(-1)).toMatchObject({ recoverable: false });
    expect(rig.errors.at(-1)?.message).toContain('cannot be served');
  });

  test('23: no throttle, expired key or broken connection reaches the process as an exception', async () => {
    // Jest fails a test that leaves an exception or a rejection to the process; listeners of ours would hear nothing.
    const clock = new SteppedClock();
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
    await startAgent({
      model: { clock, retry: { maxOutageMs: 600_000, maxAttempts: 20 } },
    });
    let opening = 1;
    rig.sonic.on('stream_lifecycle', ({ type }: StreamLifecycle) => {
      if (type === 'opening') opening += 1;
    });
    // Some of them only time shows, as a stream without a first event.
    while (server.streams.length <= failures.length) {
      await until('the next connect is here', () => server.streams.length >= opening);
      clock.advance(100);
      await settle();
    }
    const stream = await server.stream(failures.length);
    answer(stream, 'Hello?', 'Hello.');
    await rig.item('assistant', 'Hello.');
    expect(rig.errors.every((e) => e.recoverable)).toBe(true);
    expect(rig.errors).toHaveLength(failures.length);
    await rig.close();

    server.onStream = (s) =>
      s.refuse(403, 'ExpiredTokenException', 'The security token is expired');
    await startAgent();
    await rig.event('close');
    expect(rig.errors.at(-1)?.message).toContain('credentials');
    await settle();
  });
});

describe('failures in the middle of a call', () => {
  test('6: after a failure the next stream is legal, has the tool result, and replies do not mix', async () => {
    let finish: (value: string) => void = () => {};
    await startAgent({
      tools: tools(() => new Promise((resolve) => (finish = resolve))),
    });
    const first = await server.stream(0);
    answer(first, 'Hello?', 'Hello.');
    await rig.item('assistant', 'Hello.');
    first.send(
      ...serverEvents.userText('Look it up.'),
      ...serverEvents.plan('One moment.'),
      ...serverEvents.audioContent(200),
    );
    first.send(...serverEvents.toolUse('look_up', {}, 'use-1'));
    await rig.item('assistant', 'One moment.');
    first.throw('modelStreamErrorException', 'It broke.');
    rig.hear(300, { loud: true });
    const second = await server.stream(1);
    await second.received('audioInput');
    finish('forty-two');
    const result = await second.received(
      (e) => e.name === 'textInput' && /forty-two/.test(String(e.body.content)),
    );
    expect(result.body.content).toBe(
      '[The tool look_up was called with {} and returned "forty-two".]',
    );
    expect(second.said.some((e) => e.name === 'toolResult')).toBe(false);
    second.send(...serverEvents.reply('It is forty-two.'));
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

  test('6: a reply that a failure cut off stays as it is, what follows is another', async () => {
    await startAgent();
    const created: Array<string | undefined> = [];
    rig.sonic.on('generation_created', (e: llm.GenerationCreatedEvent) =>
      created.push(e.responseId),
    );
    const first = await server.stream(0);
    first.send(
      ...serverEvents.userText('Tell me.'),
      ...serverEvents.plan('Once upon'),
      ...serverEvents.audioContent(200),
    );
    await rig.event('agent_state_changed', (e: { newState: string }) => e.newState === 'speaking');
    first.kill();
    const second = await server.stream(1);
    const ask = await second.received((e) => /Finish that answer/.test(String(e.body.content)));
    expect(ask.body.content).toContain('"Once upon"');
    second.send(...serverEvents.reply('a time.'));
    await rig.item('assistant', 'a time.');
    expect(new Set(created).size).toBe(2);
    expect(rig.items.map((i) => `${i.role}: ${i.textContent}`)).toEqual([
      'user: Tell me.',
      'assistant: Once upon',
      'assistant: a time.',
    ]);
    expect(rig.speaker.playedMs).toBe(600);
    expectLegal(second);
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
    await startAgent({ model: { retry: { baseDelayMs: 10 } } });
    const first = await server.stream(0);
    first.send(
      serverEvents.speechStart(10),
      serverEvents.speechEnd(90),
      ...serverEvents.userText('What is two and two?'),
    );
    await until('it was understood', () => rig.transcripts.length > 0);
    fail(first);
    const second = await server.stream(1);
    await second.received(
      (e) => e.name === 'textInput' && e.body.content === 'What is two and two?',
    );
    expect(second.texts.filter((t) => t.role === 'USER')).toEqual([
      { role: 'USER', interactive: true, text: 'What is two and two?' },
    ]);
    second.send(...serverEvents.reply('Four.'));
    await rig.item('assistant', 'Four.');
    expect(rig.items.map((i) => i.textContent)).toEqual(['What is two and two?', 'Four.']);
    expect(rig.errors).toHaveLength(1);
    expect(rig.errors[0]).toMatchObject({ recoverable: true });
  });

  test('8: speech that was cut off by a failure is replayed from its beginning', async () => {
    await startAgent();
    const first = await server.stream(0);
    await first.received('audioInput');
    const begun = first.said.length;
    rig.hear(2_000, { loud: true });
    await until('it was sent', () => first.said.length >= begun + 100);
    first.send(serverEvents.speechStart(200));
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

  test('8: a service that falls silent is detected', async () => {
    await startAgent({ model: { timeouts: { progress: 300 } } });
    const first = await server.stream(0);
    first.send(...serverEvents.userText('Anybody there?'));
    const second = await server.stream(1);
    await second.received((e) => e.body.content === 'Anybody there?');
    expect(rig.errors[0]?.message).toContain('did not answer a question');
  });
});
