// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { initializeLogger, type voice } from '@livekit/agents';
import { SpanStatusCode } from '@opentelemetry/api';
import type { RealtimeSession } from 'livekit-plugin-nova-sonic';
import { newCallRecord } from '../../../agent/src/supervision/call-record.js';
import { callSpan } from '../../../agent/src/tracing/call-span.js';
import { CallTrace } from '../../../agent/src/tracing/call-trace.js';
import { callSpanContext } from '../../../agent/src/tracing/call-trace-ids.js';
import { runInTrace } from '../../../agent/src/tracing/tracing.js';
import { keepTraces } from './in-memory-traces.js';

initializeLogger({ pretty: false, level: 'silent' });

const inMemory = keepTraces();

/** The moment 0 of these tests: OpenTelemetry takes a small number for one of `performance.now`. */
const ZERO = 1_800_000_000_000;
/** Milliseconds of a span's times. */
const ms = ([seconds, nanoseconds]: readonly [number, number]) =>
  Math.round(seconds * 1_000 + nanoseconds / 1e6) - ZERO;

/** Follows a session and its realtime session, both reduced to their events, at a time of the test. */
function beginCall(jobId = 'AJ_1') {
  const clock = { now: ZERO + 1_000 };
  const observed = runInTrace(jobId, () => new CallTrace(() => clock.now));
  const session = Object.assign(new EventEmitter(), { agentState: 'listening' });
  const sonic = new EventEmitter();
  observed.observeSession(session as unknown as voice.AgentSession);
  observed.observeRealtimeSession(sonic as unknown as RealtimeSession);
  const state = (newState: string, at: number) => {
    clock.now = ZERO + at;
    session.agentState = newState;
    session.emit('agent_state_changed', { newState });
  };
  const stream = (type: string, at: number, more: object = {}) =>
    sonic.emit('stream_lifecycle', {
      type,
      streamId: 's1',
      region: 'us-east-1',
      lane: 'us-east-1',
      at: ZERO + at,
      ...more,
    });
  const end = (at: number) => {
    clock.now = ZERO + at;
    observed.end();
  };
  return { end, sonic, state, stream };
}

async function spans() {
  await inMemory.traces.flush(1_000);
  return inMemory.exporter
    .getFinishedSpans()
    .map(({ name, startTime, endTime, attributes, status, parentSpanContext }) => ({
      name,
      times: [ms(startTime), ms(endTime)],
      attributes,
      failed: status.code === SpanStatusCode.ERROR,
      parent: parentSpanContext?.spanId,
    }));
}

describe('CallTrace', () => {
  it('shows a stream from its request to its end, and the renewal that replaced it', async () => {
    const { end, stream } = beginCall();
    stream('opening', 1_000, { reason: 'start' });
    stream('opened', 1_080, { reason: 'start', openMs: 80 });
    stream('opening', 400_000, { streamId: 's2', reason: 'age' });
    stream('opened', 400_070, { streamId: 's2', openMs: 70 });
    stream('renewed', 401_000, { streamId: 's2', reason: 'age', livedMs: 400_000 });
    stream('closed', 401_200, { reason: 'renewed' });
    end(500_000);
    const of = (id: string) => ({ 'nova_sonic.stream_id': id, 'nova_sonic.lane': 'us-east-1' });
    expect((await spans()).filter(({ name }) => name !== 'answer')).toMatchObject([
      {
        name: 'renewal',
        times: [400_000, 401_000],
        attributes: { ...of('s2'), 'nova_sonic.reason': 'age' },
      },
      {
        name: 'bedrock_stream',
        times: [1_000, 401_200],
        attributes: { ...of('s1'), 'nova_sonic.open_ms': 80, 'nova_sonic.end_reason': 'renewed' },
        failed: false,
      },
      { name: 'bedrock_stream', times: [400_000, 500_000], attributes: of('s2') },
    ]);
  });

  it('shows a stream that failed with the kind of the error and without its message, and the failover', async () => {
    const { stream } = beginCall();
    stream('opening', 1_000, { reason: 'start' });
    stream('failed', 2_000, { kind: 'service', error: 'Input "my card" refused' });
    stream('opening', 2_000, { streamId: 's2', region: 'us-west-2', reason: 'failure' });
    stream('failed_over', 2_300, { streamId: 's2', region: 'us-west-2', reason: 'failure' });
    const [failed, failover] = await spans();
    expect(failed).toMatchObject({ failed: true, attributes: { 'error.type': 'service' } });
    expect(failover).toMatchObject({
      name: 'failover',
      times: [2_000, 2_300],
      attributes: { 'nova_sonic.region': 'us-west-2' },
    });
    expect(JSON.stringify([failed, failover])).not.toContain('my card');
  });

  it('shows the answer, the time to the first audio, and an interruption until the agent is silent', async () => {
    const { end, sonic, state } = beginCall();
    state('speaking', 3_500);
    sonic.emit('turn_timing', {
      ...{ responseId: 'r1', userSpeechEndedAt: ZERO + 5_000, firstAudioAt: ZERO + 5_900 },
      ...{ interrupted: false, toolWaitMs: 300, audioMs: 2_000 },
    });
    sonic.emit('barge_in', { at: ZERO + 7_000, sign: 'interrupted', responseId: 'r1' });
    state('listening', 7_120);
    state('speaking', 8_000);
    end(9_000);
    const response = { 'gen_ai.response.id': 'r1' };
    expect(
      (await spans()).map(({ name, times, attributes }) => [name, ...times, attributes]),
    ).toEqual([
      ['answer', 1_000, 3_500, {}],
      [
        ...['first_audio', 5_000, 5_900],
        {
          ...response,
          'nova_sonic.interrupted': false,
          'nova_sonic.tool_wait_ms': 300,
          'nova_sonic.audio_ms': 2_000,
        },
      ],
      ['barge_in', 7_000, 7_120, { ...response, 'nova_sonic.sign': 'interrupted' }],
    ]);
  });

  it('ends an interruption with the next one, and without sound at once', async () => {
    const { sonic, state } = beginCall();
    state('speaking', 3_500);
    sonic.emit('barge_in', { at: ZERO + 7_000, sign: 'interrupted' });
    sonic.emit('barge_in', { at: ZERO + 7_400, sign: 'interrupted' });
    state('listening', 7_500);
    sonic.emit('barge_in', { at: ZERO + 7_500, sign: 'interrupted' });
    const found = (await spans()).slice(1);
    expect(found.map(({ times }) => times)).toEqual([
      [7_000, 7_400],
      [7_400, 7_500],
      [7_500, 7_500],
    ]);
    // None of them was of a response.
    expect(found[0]?.attributes).toEqual({ 'nova_sonic.sign': 'interrupted' });
  });

  it.each([
    ['a lane and a reason', { lane: 'eu', reason: 'age' }, { lane: 'eu', reason: 'age' }],
    ['neither', { lane: undefined }, {}],
  ])('has of a stream with %s no attribute that is empty', async (_, more, shown) => {
    const { stream } = beginCall();
    stream('opening', 1_000, more);
    stream('opened', 1_100);
    // It ends for the reason for which it was opened, which is not told twice.
    stream('closed', 2_000, more);
    expect((await spans())[0]?.attributes).toEqual({
      'nova_sonic.stream_id': 's1',
      'nova_sonic.region': 'us-east-1',
      ...Object.fromEntries(
        Object.entries(shown).map(([key, value]) => [`nova_sonic.${key}`, value]),
      ),
    });
  });

  it('shows a renewal and a failover from now on when their beginning is unknown, and no end of an unknown stream', async () => {
    const { stream } = beginCall();
    for (const type of ['opened', 'renewed', 'failed_over', 'closed', 'failed'])
      stream(type, 2_000, { reason: 'age', openMs: 1 });
    expect((await spans()).map(({ name, times }) => [name, ...times])).toEqual([
      ['renewal', 2_000, 2_000],
      ['failover', 2_000, 2_000],
    ]);
  });

  it.each(['userSpeechEndedAt', 'firstAudioAt'])(
    'has no time to the first audio without %s',
    async (missing) => {
      const { sonic } = beginCall();
      const times = { userSpeechEndedAt: ZERO + 5_000, firstAudioAt: ZERO + 5_900 };
      sonic.emit('turn_timing', { responseId: 'r1', ...times, [missing]: undefined });
      expect(await spans()).toEqual([]);
    },
  );

  it('marks the answer of a call that ended before the agent spoke', async () => {
    beginCall().end(9_000);
    expect(await spans()).toMatchObject([{ name: 'answer', times: [1_000, 9_000], failed: true }]);
  });

  it("puts events into its own call, in whatever call's context they come", async () => {
    const [first, second] = [beginCall('AJ_1'), beginCall('AJ_2')];
    runInTrace('AJ_2', () => first.stream('opening', 1_000));
    runInTrace('AJ_1', () => second.stream('opening', 1_000));
    first.end(2_000);
    second.end(3_000);
    const parents = (await spans())
      .filter(({ name }) => name === 'bedrock_stream')
      .map(({ times, parent }) => [times[1], parent]);
    expect(parents).toEqual([
      [2_000, callSpanContext('AJ_1').spanId],
      [3_000, callSpanContext('AJ_2').spanId],
    ]);
  });
});

describe('callSpan', () => {
  it('sums a call up, without who was in it', () => {
    const record = {
      ...newCallRecord(
        { job: 'AJ_1', room: 'call-+4915112345678', roomSid: 'RM_1', tenant: 'acme', pid: 7 },
        0,
      ),
      caller: '+4915112345678',
      sums: { Turns: 4, StreamRenewals: 1 },
      errors: { service: 2 },
      lanes: ['us-east-1', 'us-west-2', 'us-east-1'],
      costUsd: 0.01234567,
      endReason: 'participant_disconnected',
    };
    const span = callSpan(record, 12.5, 50_000);
    expect(span).toMatchObject({ name: 'call', startedAt: 37_500, endedAt: 50_000, failed: false });
    expect(span.attributes).toEqual({
      'lk.job_id': 'AJ_1',
      'nova_sonic.room_sid': 'RM_1',
      'nova_sonic.end_reason': 'participant_disconnected',
      'nova_sonic.turns': 4,
      'nova_sonic.renewals': 1,
      'nova_sonic.failovers': 0,
      'nova_sonic.tool_errors': 0,
      'nova_sonic.crashes': 0,
      'nova_sonic.cost_usd': 0.012346,
      'nova_sonic.lanes': ['us-east-1', 'us-west-2'],
      'nova_sonic.tenant': 'acme',
      'nova_sonic.stream_errors': ['service'],
    });
    expect(callSpan({ ...record, endReason: 'crashed' }, 1, 2).failed).toBe(true);
  });
});
