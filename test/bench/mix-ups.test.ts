// SPDX-License-Identifier: Apache-2.0

import { expect, test } from '@jest/globals';
import type { CallEvent } from '../../agent/src/call/call-events.js';
import { findMixUps } from '../../bench/soak/mix-ups.js';
import type { LogLine } from '../../local/fleet/worker-process.js';

const events = (n: number): CallEvent[] => [
  { at: 0, type: 'stream', event: 'opened', streamId: `stream-${n}`, region: 'us-east-1' },
  { at: 1, type: 'turn', responseId: `reply-${n}`, toolWaitMs: 0, interrupted: false },
  { at: 2, type: 'usage', audioIn: 10 * n, audioOut: 20, textIn: 3, textOut: 4 },
];
const calls = [1, 2].map((n) => ({ callId: `AJ_${n}`, events: events(n) }));
const ended = (n: number, more: Partial<LogLine> = {}): LogLine => ({
  msg: 'call ended',
  call_id: `AJ_${n}`,
  stream_id: `stream-${n}`,
  room_sid: `RM_${n}`,
  ...{ turns: 1, renewals: 0, failovers: 0 },
  tokens: { input_speech: 10 * n, output_speech: 20, input_text: 3, output_text: 4 },
  ...more,
});
const of = (n: number, more: Partial<LogLine>): LogLine => ({
  msg: 'something',
  call_id: `AJ_${n}`,
  ...more,
});

test('calls that do not know of each other', () => {
  const log = [of(1, { responseId: 'reply-1' }), { msg: 'of no call' }, ended(1), ended(2)];
  expect(findMixUps(calls, log)).toEqual([]);
});

test.each<[what: string, log: LogLine[], problem: string]>([
  [
    'the id of another call',
    [of(1, { error: { message: 'AJ_2 failed' } })],
    '"something" of AJ_1 names the call AJ_2',
  ],
  [
    'the stream of another call',
    [of(1, { streamId: 'stream-2' })],
    '"something" of AJ_1 has the streamId stream-2 of AJ_2',
  ],
  [
    'the reply of another call',
    [of(2, { responseId: 'reply-1' })],
    '"something" of AJ_2 has the responseId reply-1 of AJ_1',
  ],
  [
    'the room of another call',
    [of(2, { room_sid: 'RM_2' }), of(1, { room_sid: 'RM_2' })],
    '"something" of AJ_1 has the room_sid RM_2 of AJ_2',
  ],
])('a line with %s is found', (_, log, problem) => {
  expect(findMixUps(calls, [...log, ended(1), ended(2)])).toEqual([problem]);
});

test('a figure that was counted for another call is missing', () => {
  const tokens = { input_speech: 4, output_speech: 26, input_text: 3, output_text: 4 };
  expect(findMixUps(calls, [ended(1, { tokens, turns: 0 }), ended(2)])).toEqual([
    'AJ_1 ended with turns 0, and its room saw 1',
    'AJ_1 ended with input_speech 4, and its room saw 10',
  ]);
});

test('a call that did not end, or ended twice, is found', () => {
  expect(findMixUps(calls, [ended(2), ended(2)])).toEqual([
    'AJ_1 ended 0 times',
    'AJ_2 ended 2 times',
  ]);
});
