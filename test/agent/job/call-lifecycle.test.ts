// SPDX-License-Identifier: Apache-2.0

// Long because it goes through every way in which a call begins, is disturbed and ends.

import { BedrockRuntimeClient } from '@aws-sdk/client-bedrock-runtime';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { initializeLogger, type JobProcess } from '@livekit/agents';
import { ConnectionState, ParticipantKind, type RemoteParticipant } from '@livekit/rtc-node';
import { SpanStatusCode } from '@opentelemetry/api';
import type { CallEventPublisher } from '../../../agent/src/call/call-event-publisher.js';
import { prewarmProcess } from '../../../agent/src/job/call-lifecycle.js';
import { SupervisorClient } from '../../../agent/src/supervision/supervisor-client.js';
import { until } from '../../support/wait.js';
import { keepTraces } from '../tracing/in-memory-traces.js';
import { fakeSession, startCall } from './call-lifecycle-rig.js';

initializeLogger({ pretty: false, level: 'silent' });
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

describe('a process that waits for a call', () => {
  const env = (more: Record<string, string> = {}) =>
    jest.spyOn(process, 'env', 'get').mockReturnValue({
      LIVEKIT_URL: 'ws://127.0.0.1:7880',
      LIVEKIT_API_KEY: 'key',
      LIVEKIT_API_SECRET: 'secret',
      ...more,
    });

  it('prewarms the AWS SDK', async () => {
    env();
    const send = jest.spyOn(BedrockRuntimeClient.prototype, 'send');
    await prewarmProcess({} as JobProcess);
    await expect(send.mock.results[0]?.value).resolves.toMatchObject({
      $metadata: { httpStatusCode: 200 },
    });
  });

  it('asks for the roles of its lanes: calls skip one that is refused', async () => {
    env({
      AWS_ACCESS_KEY_ID: 'key',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_REGION: 'us-east-1',
      // Nobody listens there.
      AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:1',
      BEDROCK_LANES: JSON.stringify([
        { region: 'us-east-1' },
        { region: 'us-east-1', role: 'arn:aws:iam::111111111111:role/lane' },
      ]),
    });
    const refused: unknown[] = [];
    jest.spyOn(SupervisorClient, 'ofProcess').mockReturnValue({
      reportConnect: (outcome: unknown) => refused.push(outcome),
    } as unknown as SupervisorClient);
    await prewarmProcess({} as JobProcess);
    await until('the role is refused', () => refused.length > 0);
    expect(refused).toMatchObject([{ lane: '111111111111/us-east-1', ok: false }]);
  });

  it('of the framework’s own is told by it that LiveKit took the job back', async () => {
    env();
    let withdrawn = 0;
    jest.spyOn(SupervisorClient, 'ofProcess').mockReturnValue({
      withdrawAll: () => (withdrawn += 1),
      reportConnect: () => {},
    } as unknown as SupervisorClient);
    const on = jest.spyOn(process, 'on');
    await prewarmProcess({} as JobProcess);
    const [, hear] = on.mock.calls.find(([event]) => event === 'message') ?? [];
    hear?.({ case: 'pingRequest' });
    hear?.(undefined);
    expect(withdrawn).toBe(0);
    hear?.({ case: 'shutdownRequest' });
    expect(withdrawn).toBe(1);
  });
});

describe('CallLifecycle', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
  const STARTED = 'started AJ_1 in hall RM_1';
  /** The caller is told that nobody can answer; a connection that has gone keeps no call from ending. */
  const PLAYS = 'plays: recording';
  /** Until the caller has heard the last word, in milliseconds. */
  const HEARD = 500;
  /** What happens when the agent ends a call. */
  const endedBy = (reason: string) => [`ended: ${reason}`, 'delete hall', `shutdown: ${reason}`];

  describe('a call without a caller', () => {
    const WAIT = { WAIT_FOR_CALLER_S: '10' };
    const ENDED = [STARTED, 'ended: no_caller', 'shutdown: no_caller'];

    it('ends when nobody has come in time', async () => {
      const { log } = startCall(WAIT);
      await pass(9_000);
      expect(log).toEqual([STARTED]);
      await pass(2_000);
      expect(log).toEqual(ENDED);
    });

    it('ends when the caller has left, the whole time after that', async () => {
      const { log, join, leave } = startCall(WAIT);
      join('ann');
      await pass(60_000);
      leave('ann');
      await pass(9_000);
      expect(log).toEqual([STARTED]);
      await pass(2_000);
      expect(log).toEqual(ENDED);
      // Once.
      await pass(60_000);
      expect(log).toEqual(ENDED);
    });

    it('goes on when the caller comes back in time', async () => {
      const { log, join, leave } = startCall(WAIT);
      for (let i = 0; i < 5; i += 1) {
        join('ann');
        await pass(3_000);
        leave('ann');
        await pass(9_000);
      }
      expect(log).toEqual([STARTED]);
    });

    it('does not take another agent for a caller', async () => {
      const { log, join } = startCall(WAIT);
      join('agent', ParticipantKind.AGENT);
      await pass(11_000);
      expect(log).toEqual(ENDED);
    });

    it.each([ConnectionState.CONN_RECONNECTING, ConnectionState.CONN_DISCONNECTED])(
      'misses nobody while the connection is in state %i, nor right after',
      async (state) => {
        const { log, room, join } = startCall(WAIT);
        join('ann');
        await pass(5_000);
        // While LiveKit reconnects the room may be empty.
        room.remoteParticipants.clear();
        room.connectionState = state;
        await pass(120_000);
        room.connectionState = ConnectionState.CONN_CONNECTED;
        await pass(9_000);
        expect(log).toEqual([STARTED]);
        await pass(2_000);
        expect(log).toEqual(ENDED);
      },
    );

    it('goes on without a limit', async () => {
      const { log } = startCall({ WAIT_FOR_CALLER_S: '0' });
      await pass(3_600_000);
      expect(log).toEqual([STARTED]);
    });

    it('is not watched any more once the job has been cleaned up', async () => {
      const { log, cleanUp } = startCall(WAIT);
      await cleanUp();
      log.length = 0;
      await pass(60_000);
      expect(log).toEqual([]);
      expect(jest.getTimerCount()).toBe(0);
    });
  });

  describe('a command of the worker', () => {
    const LAST = { END_CALL_INSTRUCTIONS: 'Say goodbye.', END_CALL_TIMEOUT_S: '12' };

    it('to end now ends the call', async () => {
      const { log, command } = startCall(LAST);
      command('end_now', 'task_stopping');
      await pass(HEARD);
      expect(log).toEqual([STARTED, ...endedBy('task_stopping')]);
    });

    it('to end gracefully ends it when the last reply has been played', async () => {
      const { log, command, lifecycle, join } = startCall(LAST);
      join('ann');
      const { session, replies, played } = fakeSession();
      lifecycle.attach(session);
      command('end_gracefully', 'max_call_length');
      await pass(5_000);
      expect(replies).toEqual([{ instructions: 'Say goodbye.' }]);
      expect(log).toEqual([STARTED]);
      played();
      await pass(HEARD - 1);
      expect(log).toEqual([STARTED, 'ended: max_call_length']);
      await pass(1);
      expect(log).toEqual([STARTED, ...endedBy('max_call_length')]);
    });

    it('does not wait for a last reply that takes longer than there is time', async () => {
      const { log, command, lifecycle, join } = startCall(LAST);
      join('ann');
      lifecycle.attach(fakeSession().session);
      command('end_gracefully', 'task_stopping');
      await pass(9_999);
      expect(log).toEqual([STARTED]);
      // Two of the twelve seconds are for closing.
      await pass(1 + HEARD);
      expect(log).toEqual([STARTED, ...endedBy('task_stopping')]);
    });

    it('ends the call also when the last reply fails', async () => {
      const { log, command, lifecycle } = startCall(LAST);
      const { session, broken } = fakeSession();
      lifecycle.attach(session);
      command('end_gracefully', 'task_stopping');
      await pass(0);
      broken();
      await pass(HEARD);
      expect(log.slice(1)).toEqual(endedBy('task_stopping'));
    });

    it.each([
      ['without instructions', { END_CALL_INSTRUCTIONS: 'off' }, true],
      ['before there is a session', LAST, false],
    ])('ends the call without a last reply %s', async (_, env, attached) => {
      const { log, command, lifecycle } = startCall(env);
      const { session, replies } = fakeSession();
      if (attached) lifecycle.attach(session);
      command('end_gracefully', 'task_stopping');
      await pass(HEARD);
      expect(replies).toEqual([]);
      expect(log.slice(1)).toEqual(endedBy('task_stopping'));
    });
  });

  describe('tells the supervisor why the call ended', () => {
    it('when the session closes', () => {
      const { log, lifecycle } = startCall();
      const { session, events } = fakeSession();
      lifecycle.attach(session);
      events.emit('close', { reason: 'participant_disconnected' });
      expect(log).toEqual([STARTED, 'ended: participant_disconnected']);
    });

    it('when the room is gone', () => {
      const { log, disconnect } = startCall();
      disconnect();
      expect(log).toEqual([STARTED, 'ended: room_disconnected']);
    });

    it('when the job is cleaned up', async () => {
      const { log, cleanUp } = startCall();
      await cleanUp();
      expect(log).toEqual([STARTED, 'ended: closed']);
    });

    it('when the agent throws: it has failed', async () => {
      const { log, done } = startCall({}, () => Promise.reject(new Error('broken')));
      const failed = expect(done).rejects.toThrow('broken');
      await pass(HEARD);
      await failed;
      expect(log).toEqual([STARTED, PLAYS, 'ended: failed (failed)', 'delete hall']);
    });

    it('when the agent throws because the room is gone: nothing has failed', async () => {
      let fail: (error: Error) => void = () => {};
      const { log, done, disconnect } = startCall(
        {},
        () => new Promise((_, reject) => (fail = reject)),
      );
      disconnect();
      fail(new Error('room closed'));
      await done;
      expect(log.filter((line) => line.includes('failed'))).toEqual([]);
      expect(log.at(-1)).toBe('shutdown: room_disconnected');
    });

    it('when the agent throws because the call was ended: nothing has failed', async () => {
      let fail: (error: Error) => void = () => {};
      const { log, done, command } = startCall(
        {},
        () => new Promise((_, reject) => (fail = reject)),
      );
      command('end_now', 'task_stopping');
      await pass(HEARD);
      fail(new Error('aborted'));
      await done;
      expect(log.filter((line) => line.includes('failed'))).toEqual([]);
    });
  });

  describe('disconnects nobody', () => {
    it('when the worker process is gone', async () => {
      const { log, loseWorker } = startCall();
      loseWorker();
      await pass(HEARD);
      expect(log).toEqual([STARTED, 'shutdown: worker lost']);
    });

    it('when the caller hung up, or LiveKit took the job back and the session closes', async () => {
      const hungUp = startCall();
      void hungUp.lifecycle.sessionClosed('participant_disconnected');
      const withdrawn = startCall();
      withdrawn.withdraw();
      void withdrawn.lifecycle.sessionClosed('user_initiated');
      await pass(HEARD);
      expect(hungUp.log).toEqual([STARTED, 'shutdown: participant_disconnected']);
      expect(withdrawn.log).toEqual([STARTED, 'shutdown: user_initiated']);
    });
  });

  it('ends the call for its caller when the session fails, and keeps the process until that is done', async () => {
    const { log, lifecycle, join, cleanUp } = startCall();
    join('ann');
    join('supervisor');
    lifecycle.answers(
      { identity: 'ann' } as RemoteParticipant,
      {
        end: async (reason: string) => void log.push(`published: ${reason}`),
      } as CallEventPublisher,
    );
    const { session, events } = fakeSession();
    lifecycle.attach(session);
    events.emit('close', { reason: 'error' });
    // It has not ended before its caller heard so.
    expect(log).toEqual([STARTED, 'caller: ann']);
    void lifecycle.sessionClosed('error: no stream');
    await pass(0);
    const cleaned = cleanUp().then(() => log.push('clean'));
    await pass(HEARD);
    await cleaned;
    expect(log.filter((line) => line !== 'ended: closed')).toEqual([
      STARTED,
      'caller: ann',
      PLAYS,
      'ended: error',
      'published: error: no stream',
      'remove ann',
      'shutdown: error: no stream',
      'clean',
    ]);
  });

  it('disconnects whoever is the caller at the end, not who was at the beginning', async () => {
    const { log, join, hear, command } = startCall();
    for (const identity of ['ann', 'bob']) join(identity);
    hear('ann');
    hear('bob', 'ann');
    hear();
    command('end_now', 'task_stopping');
    await pass(HEARD);
    expect(log).toEqual([
      STARTED,
      'caller: ann',
      'caller: bob',
      'ended: task_stopping',
      'remove bob',
      'shutdown: task_stopping',
    ]);
  });

  it('ends once, whoever asks for it how often', async () => {
    const { log, lifecycle } = startCall();
    void lifecycle.end('end_call_tool');
    void lifecycle.end('max_call_length');
    void lifecycle.leave('no_caller');
    await pass(HEARD);
    expect(log).toEqual([STARTED, ...endedBy('end_call_tool')]);
  });

  it('leaves a call to the agent that was there before, whose caller stays', async () => {
    const { log, lifecycle, join } = startCall({ WAIT_FOR_CALLER_S: '10' });
    join('ann');
    lifecycle.leaveToOther();
    await pass(60_000);
    expect(log).toEqual([STARTED, 'ended: already_answered', 'shutdown: already_answered']);
  });

  it('counts the tools of the session, and keeps what is said in it', () => {
    const { log, lifecycle } = startCall();
    const { session, events } = fakeSession();
    lifecycle.attach(session);
    const item = { type: 'message', id: 'm1', role: 'user', textContent: 'Hello', createdAt: 1 };
    events.emit('conversation_item_added', { item });
    events.emit('function_tools_executed', {
      functionCalls: [{ id: 'c1', type: 'function_call', createdAt: 1_000 }],
      functionCallOutputs: [
        { id: 'o1', type: 'function_call_output', createdAt: 1_250, isError: true },
      ],
    });
    expect(log.slice(1)).toEqual([
      'keep m1',
      'ToolDuration 250',
      'ToolErrors 1',
      'keep c1',
      'keep o1',
    ]);
  });

  describe('its trace', () => {
    const inMemory = keepTraces();
    const spans = () =>
      inMemory.exporter.getFinishedSpans().map(({ name, status }) => `${name} ${status.code}`);

    it('is complete, and sent, when the job has been cleaned up', async () => {
      const { cleanUp } = startCall();
      const cleaned = cleanUp();
      await pass(HEARD);
      await cleaned;
      // Nobody heard the agent.
      expect(spans()).toEqual([`answer ${SpanStatusCode.ERROR}`]);
    });

    it('has the first sound of the agent', async () => {
      const { cleanUp, lifecycle } = startCall();
      const { session, events } = fakeSession();
      lifecycle.attach(session);
      events.emit('agent_state_changed', { newState: 'speaking' });
      const cleaned = cleanUp();
      await pass(HEARD);
      await cleaned;
      expect(spans()).toEqual([`answer ${SpanStatusCode.UNSET}`]);
    });
  });

  it('ends a call with words', async () => {
    const { log, lifecycle } = startCall({ END_CALL_INSTRUCTIONS: 'Say goodbye.' });
    const { session, replies, played } = fakeSession();
    lifecycle.attach(session);
    void lifecycle.endWithWords('crashed');
    await pass(0);
    expect(replies).toEqual([{ instructions: 'Say goodbye.' }]);
    played();
    await pass(HEARD);
    expect(log).toEqual([STARTED, ...endedBy('crashed')]);
  });

  it('knows which lanes to skip', () => {
    const { lifecycle } = startCall();
    expect(lifecycle.cooldownUntil('us-east-1')).toBe(5);
    expect(lifecycle.cooldownUntil('us-west-2')).toBeUndefined();
  });
});
