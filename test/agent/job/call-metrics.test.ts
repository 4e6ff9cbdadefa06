// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { initializeLogger, log, type voice } from '@livekit/agents';
import type { Room } from '@livekit/rtc-node';
import type { RealtimeSession } from 'livekit-plugin-nova-sonic';
import { CallMetrics } from '../../../agent/src/job/call-metrics.js';

initializeLogger({ pretty: false, level: 'silent' });

/** Observes a session and its realtime session, both reduced to their events. */
function setUp() {
  const reports: unknown[][] = [];
  const report =
    (type: string) =>
    (...args: unknown[]) =>
      reports.push([type, ...args]);
  const waits = { now: false };
  const metrics = new CallMetrics(
    'AJ_1',
    {
      addMetric: report('metric'),
      reportStream: report('stream'),
      reportCaller: report('caller'),
      keep: report('keep'),
      ended: report('ended'),
    },
    { reportConnect: report('connect') },
    () => waits.now,
  );
  const session = Object.assign(new EventEmitter(), { agentState: 'speaking' });
  const sonic = new EventEmitter();
  metrics.observeSession(session as unknown as voice.AgentSession);
  metrics.observeRealtimeSession(sonic as unknown as RealtimeSession);
  const stream = (type: string, at: number, kind?: string) =>
    sonic.emit('stream_lifecycle', {
      type,
      streamId: 's',
      region: 'us-east-1',
      lane: 'us-east-1',
      at,
      kind,
    });
  return { metrics, reports, session, sonic, stream, waits };
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe('CallMetrics', () => {
  it('reports how long a stream took to open, and uses it', () => {
    const { reports, stream } = setUp();
    stream('opening', 1_000);
    stream('opened', 1_080);
    expect(reports).toEqual([
      ['connect', { lane: 'us-east-1', ok: true, ms: 80 }],
      ['stream', 's', 'us-east-1'],
    ]);
  });

  it.each([
    ['throttled', 'throttled', true],
    ['failed', 'service', true],
    ['failed', 'validation', false],
  ])('blames the lane for %s with the error kind %s: %s', (type, kind, blamed) => {
    const { reports, stream } = setUp();
    stream('opening', 1_000);
    stream(type, 1_080, kind);
    const full = kind === 'throttled';
    expect(reports.filter(([what]) => what === 'connect')).toEqual(
      blamed ? [['connect', { lane: 'us-east-1', ok: false, ...(full && { full }), ms: 80 }]] : [],
    );
  });

  it.each([
    ['gave_up', 'throttled', 1],
    ['gave_up', 'service', 0],
    ['throttled', 'throttled', 0],
    ['gave_up', undefined, 0],
  ])(
    'counts a call that ends with %s because of %s as one that found no lane: %i',
    (kind, cause, count) => {
      const { reports, sonic } = setUp();
      sonic.emit('error', {
        error: Object.assign(new Error('x'), { kind, ...(cause && { cause: { kind: cause } }) }),
        recoverable: kind !== 'gave_up',
      });
      expect(reports.filter(([, name]) => name === 'CallsWithoutRegion')).toHaveLength(count);
    },
  );

  it('logs a refusal as a warning, and those of a call that waits for a lane only in detail', () => {
    const logged: string[] = [];
    for (const level of ['debug', 'warn'] as const)
      jest.spyOn(log(), level).mockImplementation((_, msg) => void logged.push(`${level} ${msg}`));
    const { stream, waits } = setUp();
    stream('throttled', 1_000, 'throttled');
    waits.now = true;
    stream('throttled', 2_000, 'throttled');
    expect(logged).toEqual(['warn stream throttled', 'debug stream throttled']);
  });

  it('does not blame the lane for a failure after the stream had opened', () => {
    const { reports, stream } = setUp();
    stream('opening', 1_000);
    stream('opened', 1_080);
    stream('failed', 9_000, 'service');
    expect(reports.slice(2)).toEqual([['metric', 'StreamErrors', 1, 'service']]);
  });

  it.each([
    ['before the agent is silent', 'speaking', 250],
    ['after the agent has fallen silent', 'listening', 1],
  ])('measures an interruption that is reported %s, once', (_, agentState, ms) => {
    const { reports, session, sonic } = setUp();
    const now = jest.spyOn(Date, 'now').mockReturnValue(1_000);
    session.agentState = agentState;
    sonic.emit('barge_in', { at: 1_000 });
    for (const newState of ['speaking', 'listening', 'thinking']) {
      now.mockReturnValue(newState === 'speaking' ? 1_100 : 1_250);
      session.emit('agent_state_changed', { newState });
    }
    expect(reports).toEqual([['metric', 'InterruptionLatency', ms]]);
  });

  it.each([
    ['the first sound of the agent', 'caller', [], 3_000],
    ['the sound for a caller who has left', 'somebody', [], undefined],
    ['the sound of an agent who is not the first', 'caller', ['other'], undefined],
  ])('measures the time to answer at %s, once', async (_, caller, earlier, ms) => {
    const { metrics, reports, session } = setUp();
    jest.spyOn(Date, 'now').mockReturnValue(4_000);
    const asked: string[] = [];
    const ask =
      <T>(answer: T[]) =>
      async (room: string) => {
        asked.push(room);
        return answer;
      };
    const jobs = [...earlier, 'agent'].map((identity, i) => ({ identity, startedAt: i }));
    const member = { identity: 'caller', joinedAt: 1_000 };
    metrics.observeAnswer(
      session as unknown as voice.AgentSession,
      { name: 'hall', localParticipant: { identity: 'agent' } } as Room,
      caller,
      { listMembers: ask([member]), listDispatches: ask([{ jobs }]) } as never,
    );
    let heard = false;
    for (const newState of ['listening', 'speaking', 'listening', 'speaking']) {
      session.emit('agent_state_changed', { newState });
      // LiveKit has answered.
      await new Promise(setImmediate);
      heard ||= newState === 'speaking';
      expect(asked).toEqual(heard ? ['hall', 'hall'] : []);
    }
    expect(reports).toEqual(ms ? [['metric', 'TimeToAnswer', ms]] : []);
  });

  it('does without the time to answer when LiveKit does not tell', async () => {
    const { metrics, reports, session } = setUp();
    const refuse = () => Promise.reject(new Error('unavailable'));
    metrics.observeAnswer(session as unknown as voice.AgentSession, {} as Room, 'caller', {
      listMembers: refuse,
      listDispatches: refuse,
    });
    session.emit('agent_state_changed', { newState: 'speaking' });
    await new Promise(setImmediate);
    expect(reports).toEqual([]);
  });

  it('counts a turn without the end of the caller’s speech or without audio, but not its latency', () => {
    const { reports, sonic } = setUp();
    sonic.emit('turn_timing', { firstAudioAt: 2_000 });
    sonic.emit('turn_timing', { userSpeechEndedAt: 1_000 });
    sonic.emit('turn_timing', { userSpeechEndedAt: 1_000, firstAudioAt: 2_000 });
    expect(reports).toEqual([
      ['metric', 'Turns'],
      ['metric', 'Turns'],
      ['metric', 'Turns'],
      ['metric', 'TimeToFirstAudio', 1_000],
    ]);
  });

  it('counts the tokens of speech and of text each under its name', () => {
    const { reports, sonic } = setUp();
    sonic.emit('metrics_collected', {
      inputTokenDetails: { audioTokens: 11, textTokens: 12 },
      outputTokenDetails: { audioTokens: 13, textTokens: 14 },
    });
    expect(reports).toEqual([
      ['metric', 'InputSpeechTokens', 11],
      ['metric', 'InputTextTokens', 12],
      ['metric', 'OutputSpeechTokens', 13],
      ['metric', 'OutputTextTokens', 14],
    ]);
  });

  it.each([
    ['renewed', ['StreamRenewals'], true],
    ['failed_over', ['Failovers'], true],
    ['throttled', ['Throttles', 1, 'us-east-1'], false],
    ['failed', ['StreamErrors', 1, 'unknown'], false],
    ['closed', undefined, false],
  ])('counts a stream that is %s, and which one serves the call', (type, metric, serves) => {
    const { reports, stream } = setUp();
    stream(type, 1_000);
    expect(reports).toEqual([
      ...(serves ? [['stream', 's', 'us-east-1']] : []),
      ...(metric ? [['metric', ...metric]] : []),
    ]);
  });

  it('measures each tool, and counts those that failed', () => {
    const { reports, session } = setUp();
    session.emit('function_tools_executed', {
      functionCalls: [{ createdAt: 1_000 }, { createdAt: 2_000 }, { createdAt: 3_000 }],
      // The last one has no answer yet; the clock was set back during the second.
      functionCallOutputs: [{ createdAt: 1_400 }, { createdAt: 1_900, isError: true }],
    });
    expect(reports).toEqual([
      ['metric', 'ToolDuration', 400],
      ['metric', 'ToolDuration', 0],
      ['metric', 'ToolErrors'],
    ]);
  });
});
