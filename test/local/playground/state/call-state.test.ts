// SPDX-License-Identifier: Apache-2.0

import type { CallEvent } from '../../../../agent/src/call/call-events.js';
import {
  apply,
  type CallRecord,
  type Happening,
  newRecord,
} from '../../../../local/playground/state/call-state.js';
import { noClock, observed, toPage } from '../../../../local/playground/state/clock-offset.js';
import { cost, dollars } from '../../../../local/playground/state/cost.js';
import { figures, silences } from '../../../../local/playground/state/replies.js';

/** A call of one question, as the agent and the page tell it; the agent's clock is `ahead` of the page's. */
function held(ahead = 0): CallRecord {
  const feed = (message: CallEvent): Happening => ({
    kind: 'feed',
    at: message.at + 2,
    message: { ...message, at: message.at + ahead },
  });
  const turn = (of: Record<string, number | boolean | string>) =>
    Object.fromEntries(
      Object.entries(of).map(([key, value]) => [
        key,
        key.endsWith('At') ? Number(value) + ahead : value,
      ]),
    );
  const happenings: Happening[] = [
    { kind: 'answered', at: 1000 },
    feed({
      type: 'ready',
      at: 1100,
      model: 'amazon.nova-2-sonic-v1:0',
      voice: 'tiffany',
      regions: ['us-east-1'],
      greets: true,
      wire: true,
      prices: { audioIn: 3, audioOut: 12, textIn: 0.33, textOut: 2.75 },
    }),
    feed({ type: 'stream', at: 1200, event: 'opened', streamId: 's1', region: 'us-east-1' }),
    feed({ type: 'state', at: 2000, who: 'user', state: 'speaking' }),
    feed({ type: 'state', at: 4000, who: 'user', state: 'listening' }),
    feed({ type: 'state', at: 6000, who: 'agent', state: 'speaking' }),
    { kind: 'sound', at: 6080, audible: true },
    feed({
      type: 'turn',
      at: 6500,
      responseId: 'r1',
      interrupted: false,
      toolWaitMs: 100,
      ...turn({ userSpeechEndedAt: 4000, firstAudioReceivedAt: 5990, firstAudioAt: 6000 }),
    }),
    feed({
      type: 'usage',
      at: 6500,
      audioIn: 1_000_000,
      audioOut: 500_000,
      textIn: 0,
      textOut: 1000,
    }),
    feed({ type: 'barge_in', at: 8000, sign: 'user_speech', responseId: 'r1' }),
    { kind: 'sound', at: 8120, audible: false },
    feed({ type: 'state', at: 8050, who: 'agent', state: 'listening' }),
    feed({ type: 'state', at: 7900, who: 'user', state: 'speaking' }),
    { kind: 'hung_up', at: 9000 },
  ];
  return happenings.reduce(apply, newRecord(0));
}

describe('the record of a call', () => {
  it('knows who spoke when, and what else happened', () => {
    const { timeline, answeredAt, endedAt } = held();
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
    'has each part of the latency, whatever the clocks (agent %i ms ahead)',
    (ahead) => {
      const record = held(ahead);
      const [row] = figures(record.replies, record.clock);
      expect(row).toMatchObject({ model: 1890, tools: 100, agent: 10, interrupted: true });
      // With clocks apart the way of the messages themselves, 2 ms here, cannot be told from the difference.
      expect(row?.way).toBeGreaterThanOrEqual(77);
      expect(row?.way).toBeLessThanOrEqual(80);
      expect(row?.total).toBe(2000 + (row?.way ?? 0));
      const [silence] = silences(record.replies);
      expect(silence).toBeGreaterThanOrEqual(117);
      expect(silence).toBeLessThanOrEqual(120);
    },
  );

  it('leaves out what it cannot know: a greeting has no question, a reply may not have been heard', () => {
    const turn = {
      type: 'turn',
      at: 10,
      responseId: 'g',
      firstAudioReceivedAt: 5,
      firstAudioAt: 6,
      toolWaitMs: 0,
      interrupted: false,
    } as const;
    const record = apply(newRecord(0), { kind: 'feed', at: 10, message: turn });
    expect(figures(record.replies, record.clock)).toEqual([
      { id: 'g', interrupted: false, tools: 0, agent: 1 },
    ]);
  });

  it('takes a later telling of the same reply as the better one', () => {
    const turn = { type: 'turn', responseId: 'r', firstAudioAt: 1, toolWaitMs: 0 } as const;
    let record = newRecord(0);
    for (const interrupted of [false, true])
      record = apply(record, { kind: 'feed', at: 1, message: { ...turn, at: 1, interrupted } });
    expect(figures(record.replies, record.clock)).toMatchObject([{ id: 'r', interrupted: true }]);
  });

  it('counts silence from the barge-in, none when the agent was silent already', () => {
    let record = newRecord(0);
    const bargeIn = { type: 'barge_in', at: 500, sign: 'user_speech' } as const;
    record = apply(record, { kind: 'feed', at: 500, message: bargeIn });
    expect(silences(record.replies)).toEqual([0]);
  });

  it('marks a tool when it is asked for, and again when it fails', () => {
    const call = { callId: 'c', name: 'book', args: '{}' };
    let record = newRecord(0);
    const told: CallEvent[] = [
      { type: 'tool_started', at: 10, ...call },
      { type: 'tool', at: 25, ...call, result: 'no', isError: true, ms: 15 },
    ];
    for (const message of told) record = apply(record, { kind: 'feed', at: message.at, message });
    expect(record.timeline.marks.map(({ at, kind, text }) => `${at} ${kind} ${text}`)).toEqual([
      '10 tool book',
      '25 error book failed',
    ]);
    expect(record.lines).toHaveLength(1);
  });

  it('knows why the agent ended the call, by whichever way it learns that', () => {
    const ended = { type: 'ended', at: 5, reason: 'no access' } as const;
    for (const happening of [
      { kind: 'feed', at: 6, message: ended },
      { kind: 'agent_left', at: 6, reason: 'no access' },
    ] as const)
      expect(apply(newRecord(0), happening).endReason).toBe('no access');
  });

  it('adds up what the call costs', () => {
    const { tokens, about } = held();
    expect(about && cost(tokens, about.prices)).toBeCloseTo(3 + 6 + 0.00275, 6);
  });

  it.each([
    [0, '$0'],
    [0.001234, '$0.00123'],
    [0.25, '$0.2500'],
    [12.345, '$12.35'],
  ])('writes %d dollars as %s', (usd, text) => {
    expect(dollars(usd)).toBe(text);
  });
});

describe('the two clocks', () => {
  it('are one while they agree to 60 ms', () => {
    const clock = observed(observed(noClock, 1000, 1040), 2000, 2005);
    expect(toPage(clock, 3000)).toBe(3000);
  });

  it('differ by the least that a message took', () => {
    const clock = observed(observed(noClock, 1000, 61_500), 2000, 62_020);
    expect(toPage(clock, 3000)).toBe(63_020);
  });
});
