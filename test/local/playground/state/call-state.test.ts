// SPDX-License-Identifier: Apache-2.0

import { tokenCostUsd } from 'livekit-plugin-nova-sonic/models';
import type { CallEvent } from '../../../../agent/src/call/call-events.js';
import {
  type CallAction,
  type CallState,
  initialCallState,
  reduce,
} from '../../../../local/playground/state/call-state.js';
import {
  bargeInSilences,
  replyLatencies,
} from '../../../../local/playground/state/reply-latency.js';

/** A call with one question; the agent's clock is `ahead` of the page's. */
function exampleCall(ahead = 0): CallState {
  const published = (event: CallEvent): CallAction => ({
    kind: 'call_event',
    at: event.at + 2,
    event: { ...event, at: event.at + ahead },
  });
  const turn = (of: Record<string, number | boolean | string>) =>
    Object.fromEntries(
      Object.entries(of).map(([key, value]) => [
        key,
        key.endsWith('At') ? Number(value) + ahead : value,
      ]),
    );
  const actions: CallAction[] = [
    { kind: 'answered', at: 1000 },
    published({
      type: 'ready',
      at: 1100,
      model: 'amazon.nova-2-sonic-v1:0',
      voice: 'tiffany',
      regions: ['us-east-1'],
      greets: true,
      wire: true,
      prices: { audioIn: 3, audioOut: 12, textIn: 0.33, textOut: 2.75 },
    }),
    published({ type: 'stream', at: 1200, event: 'opened', streamId: 's1', region: 'us-east-1' }),
    published({ type: 'state', at: 2000, who: 'user', state: 'speaking' }),
    published({ type: 'state', at: 4000, who: 'user', state: 'listening' }),
    published({ type: 'state', at: 6000, who: 'agent', state: 'speaking' }),
    { kind: 'sound', at: 6080, audible: true },
    published({
      type: 'turn',
      at: 6500,
      responseId: 'r1',
      interrupted: false,
      toolWaitMs: 100,
      ...turn({ userSpeechEndedAt: 4000, firstAudioReceivedAt: 5990, firstAudioAt: 6000 }),
    }),
    published({
      type: 'usage',
      at: 6500,
      audioIn: 1_000_000,
      audioOut: 500_000,
      textIn: 0,
      textOut: 1000,
    }),
    published({ type: 'barge_in', at: 8000, sign: 'user_speech', responseId: 'r1' }),
    { kind: 'sound', at: 8120, audible: false },
    published({ type: 'state', at: 8050, who: 'agent', state: 'listening' }),
    published({ type: 'state', at: 7900, who: 'user', state: 'speaking' }),
    { kind: 'hung_up', at: 9000 },
  ];
  return actions.reduce(reduce, initialCallState(0));
}

describe('reduce', () => {
  it('records who spoke when, and what else happened', () => {
    const { timeline, answeredAt, endedAt } = exampleCall();
    expect({ answeredAt, endedAt }).toEqual({ answeredAt: 1000, endedAt: 9000 });
    expect(timeline.spans).toEqual([
      { who: 'you', from: 2000, to: 4000 },
      { who: 'agent', from: 6000, to: 8050 },
      // The end of the call ends what was being said.
      { who: 'you', from: 7900, to: 9000 },
    ]);
    expect(timeline.marks.map(({ at, kind, text }) => `${at} ${kind} ${text}`)).toEqual([
      '1200 stream stream opened, us-east-1',
      '8000 barge_in barge-in',
    ]);
  });

  it.each([0, 90_000, -90_000])(
    'computes each part of the latency, whatever the clocks (agent %i ms ahead)',
    (ahead) => {
      const state = exampleCall(ahead);
      const [row] = replyLatencies(state.replies, state.clockOffset);
      expect(row).toMatchObject({ model: 1890, tools: 100, agent: 10, interrupted: true });
      // If the clocks differ, the latency of the messages (2 ms here) cannot be told from the difference.
      expect(row?.network).toBeGreaterThanOrEqual(77);
      expect(row?.network).toBeLessThanOrEqual(80);
      expect(row?.total).toBe(2000 + (row?.network ?? 0));
      const [silence] = bargeInSilences(state.replies);
      expect(silence).toBeGreaterThanOrEqual(117);
      expect(silence).toBeLessThanOrEqual(120);
    },
  );

  it('omits unknown parts: a greeting has no question, a reply may not have been audible', () => {
    const turn = {
      type: 'turn',
      at: 10,
      responseId: 'g',
      firstAudioReceivedAt: 5,
      firstAudioAt: 6,
      toolWaitMs: 0,
      interrupted: false,
    } as const;
    const state = reduce(initialCallState(0), { kind: 'call_event', at: 10, event: turn });
    expect(replyLatencies(state.replies, state.clockOffset)).toEqual([
      { id: 'g', interrupted: false, tools: 0, agent: 1 },
    ]);
  });

  it('replaces a turn by a later event of the same reply', () => {
    const turn = { type: 'turn', responseId: 'r', firstAudioAt: 1, toolWaitMs: 0 } as const;
    let state = initialCallState(0);
    for (const interrupted of [false, true])
      state = reduce(state, { kind: 'call_event', at: 1, event: { ...turn, at: 1, interrupted } });
    expect(replyLatencies(state.replies, state.clockOffset)).toMatchObject([
      { id: 'r', interrupted: true },
    ]);
  });

  it('counts silence from the barge-in, 0 when the agent was silent already', () => {
    let state = initialCallState(0);
    const bargeIn = { type: 'barge_in', at: 500, sign: 'user_speech' } as const;
    state = reduce(state, { kind: 'call_event', at: 500, event: bargeIn });
    expect(bargeInSilences(state.replies)).toEqual([0]);
  });

  it('marks a tool when it is called, and again when it fails', () => {
    const call = { callId: 'c', name: 'book', args: '{}' };
    let state = initialCallState(0);
    const events: CallEvent[] = [
      { type: 'tool_started', at: 10, ...call },
      { type: 'tool', at: 25, ...call, result: 'no', isError: true, ms: 15 },
    ];
    for (const event of events) state = reduce(state, { kind: 'call_event', at: event.at, event });
    expect(state.timeline.marks.map(({ at, kind, text }) => `${at} ${kind} ${text}`)).toEqual([
      '10 tool book',
      '25 error book failed',
    ]);
    expect(state.transcript).toHaveLength(1);
  });

  it('knows why the agent ended the call, from its event or its attribute', () => {
    const ended = { type: 'ended', at: 5, reason: 'no access' } as const;
    for (const action of [
      { kind: 'call_event', at: 6, event: ended },
      { kind: 'agent_left', at: 6, reason: 'no access' },
    ] as const)
      expect(reduce(initialCallState(0), action).endReason).toBe('no access');
  });

  it('keeps the tokens and prices, from which the cost follows', () => {
    const { tokens, agent } = exampleCall();
    expect(agent && tokenCostUsd(tokens, agent.prices)).toBeCloseTo(3 + 6 + 0.00275, 6);
  });
});
