// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import {
  applyReport,
  callFields,
  callSummary,
  costUsd,
  newCallRecord,
  streamsByLane,
} from '../../../agent/src/supervision/call-record.js';

const prices = { audioIn: 3, audioOut: 12, textIn: 0.33, textOut: 2.75 };
const record = () =>
  newCallRecord({ job: 'AJ_1', room: 'call-_+15551234567', roomSid: 'RM_1', pid: 100 }, 0);

describe('costUsd', () => {
  it.each([
    ['InputSpeechTokens', 3],
    ['OutputSpeechTokens', 12],
    ['InputTextTokens', 0.33],
    ['OutputTextTokens', 2.75],
    ['Turns', 0],
  ] as const)('prices a million %s at %d dollars', (metric, usd) => {
    expect(costUsd(metric, 1_000_000, prices)).toBeCloseTo(usd, 9);
  });
});

describe('streamsByLane', () => {
  it('counts each call in the lane of its last stream, and lanes without calls as 0', () => {
    const inLanes = (lanes: string[], ended = false) => ({ ...record(), lanes, ended });
    expect(
      streamsByLane(
        ['us-east-1', 'us-west-2', 'eu-north-1'],
        [
          inLanes(['us-east-1']),
          inLanes(['us-east-1', 'us-west-2']),
          inLanes(['us-west-2']),
          inLanes(['us-west-2'], true),
          inLanes([]),
        ],
      ),
    ).toEqual({ 'us-east-1': 1, 'us-west-2': 2, 'eu-north-1': 0 });
  });
});

describe('callFields', () => {
  it('masks the phone number in the name of the room, except in the PII field', () => {
    expect(callFields(record())).toEqual({
      call_id: 'AJ_1',
      room: 'call-_***',
      room_sid: 'RM_1',
      'lk.pii.room_name': 'call-_+15551234567',
    });
  });
});

describe('applyReport', () => {
  const job = 'AJ_1';

  it('keeps the first reason of the end', () => {
    const call = record();
    applyReport(call, { type: 'ended', job, reason: 'failed', failed: true }, prices);
    applyReport(call, { type: 'ended', job, reason: 'closed' }, prices);
    expect(call).toMatchObject({ endReason: 'failed', ended: true, failed: true });
  });

  it('lists a lane once when the stream is renewed there', () => {
    const call = record();
    for (const [id, lane] of [
      ['1', 'us-east-1'],
      ['2', 'us-east-1'],
      ['3', 'us-west-2'],
    ] as const) {
      applyReport(call, { type: 'stream', job, id, lane }, prices);
    }
    expect(call).toMatchObject({ streamId: '3', lanes: ['us-east-1', 'us-west-2'] });
  });
});

describe('callSummary', () => {
  it('has every field for a call without reports', () => {
    expect(callSummary(record(), 1_234)).toMatchObject({
      seconds: 1.2,
      turns: 0,
      errors: {},
      first_audio_ms: { median: null, max: null },
      cost_usd: 0,
      end_reason: 'unknown',
    });
  });
});
