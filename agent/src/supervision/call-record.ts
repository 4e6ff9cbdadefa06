// SPDX-License-Identifier: Apache-2.0

import type { Counter } from '../telemetry/metrics.js';
import { withoutNumbers } from '../telemetry/redaction.js';
import type { Connect } from './region-cooldowns.js';

/** What a call's process tells the main process, one JSON line each, as it happens. */
export type Report =
  /** The process is warm and waits for a call. */
  | { type: 'hello'; pid: number }
  /** It was given a call. */
  | { type: 'call'; job: string; room: string; roomSid: string }
  /** Something to add to a metric. */
  | { type: 'add'; metric: CallCounter; value: number; split?: string }
  /** What came of asking a Region for a stream. */
  | ({ type: 'connect' } & Connect)
  /** The Bedrock stream that the call is on now. */
  | { type: 'stream'; id: string; region: string }
  /** A sign of life, and the megabytes that the process takes. */
  | { type: 'alive'; rssMB: number }
  /** The call is over, and why; `failed` when our own code threw. What comes later, comes from closing. */
  | { type: 'ended'; reason: string; failed?: boolean };

/** What the main process tells a call's process. */
export type Order =
  /** The task must go: say goodbye, then end. */
  { type: 'goodbye'; reason: string } | { type: 'end'; reason: string };

/** What the main process tells every process: milliseconds that each resting Region still rests. */
export interface Rests {
  type: 'rests';
  regions: Record<string, number>;
}

/** The metrics that a call adds to. */
export type CallCounter = Exclude<
  Counter,
  'CallsAccepted' | 'CallsRefused' | 'CallSeconds' | 'ProtectionFailures' | 'CostUsd' | 'JobCrashes'
>;

/** US dollars for a million tokens; PRICE_*_PER_M. */
export interface Prices {
  audioIn: number;
  audioOut: number;
  textIn: number;
  textOut: number;
}

const PRICE_OF: Partial<Record<CallCounter, keyof Prices>> = {
  InputSpeechTokens: 'audioIn',
  OutputSpeechTokens: 'audioOut',
  InputTextTokens: 'textIn',
  OutputTextTokens: 'textOut',
};

/** US dollars that an addition to a metric costs; 0 for all but tokens. */
export function cost(metric: CallCounter, value: number, prices: Prices): number {
  const kind = PRICE_OF[metric];
  return kind ? (value * prices[kind]) / 1_000_000 : 0;
}

/** One call as the main process knows it: complete up to the last report, however the process ended. */
export interface CallRecord {
  job: string;
  room: string;
  roomSid: string;
  /** Clock milliseconds. */
  startedAt: number;
  sums: Partial<Record<CallCounter, number>>;
  firstAudioMs: number[];
  errors: Record<string, number>;
  streamId: string;
  regions: string[];
  costUsd: number;
  /** The most that the process was seen to take, in megabytes. */
  memoryMB: number;
  endReason?: string;
  /** The process itself said that the call is over. */
  ended: boolean;
  /** Our own code threw. */
  failed: boolean;
}

export function newRecord(
  call: { job: string; room: string; roomSid: string },
  now: number,
): CallRecord {
  return {
    job: call.job,
    room: call.room,
    roomSid: call.roomSid,
    startedAt: now,
    sums: {},
    firstAudioMs: [],
    errors: {},
    streamId: '',
    regions: [],
    costUsd: 0,
    memoryMB: 0,
    ended: false,
    failed: false,
  };
}

/** Enters one report into the record of its call. */
export function enter(record: CallRecord, report: Report, prices: Prices): void {
  switch (report.type) {
    case 'add': {
      const { metric, value } = report;
      record.sums[metric] = (record.sums[metric] ?? 0) + value;
      record.costUsd += cost(metric, value, prices);
      if (metric === 'FirstAudioMs') record.firstAudioMs.push(value);
      if (metric === 'StreamErrors') {
        const kind = report.split ?? 'unknown';
        record.errors[kind] = (record.errors[kind] ?? 0) + value;
      }
      return;
    }
    case 'stream':
      record.streamId = report.id;
      if (record.regions.at(-1) !== report.region) record.regions.push(report.region);
      return;
    case 'alive':
      record.memoryMB = Math.max(record.memoryMB, report.rssMB);
      return;
    case 'ended':
      // The first reason is the cause; closing may add others.
      record.endReason ??= report.reason;
      record.ended = true;
      if (report.failed) record.failed = true;
      return;
  }
}

/** The fields that name a call in the log. */
export function naming({ job, room, roomSid }: CallRecord): Record<string, string> {
  return {
    call_id: job,
    room: withoutNumbers(room),
    room_sid: roomSid,
    'lk.pii.room_name': room,
  };
}

/** The fields of the line that ends a call in the log. */
export function summary(record: CallRecord, now: number): Record<string, unknown> {
  const sum = (metric: CallCounter) => record.sums[metric] ?? 0;
  const sorted = [...record.firstAudioMs].sort((a, b) => a - b);
  return {
    ...naming(record),
    stream_id: record.streamId,
    seconds: Math.round((now - record.startedAt) / 100) / 10,
    turns: sum('Turns'),
    renewals: sum('StreamRenewals'),
    fail_overs: sum('FailOvers'),
    regions: record.regions,
    errors: record.errors,
    tool_errors: sum('ToolErrors'),
    tokens: {
      input_speech: sum('InputSpeechTokens'),
      output_speech: sum('OutputSpeechTokens'),
      input_text: sum('InputTextTokens'),
      output_text: sum('OutputTextTokens'),
    },
    cost_usd: Math.round(record.costUsd * 1e6) / 1e6,
    first_audio_ms: {
      median: sorted[Math.floor((sorted.length - 1) / 2)] ?? null,
      max: sorted.at(-1) ?? null,
    },
    memory_mb: Math.round(record.memoryMB),
    end_reason: record.endReason ?? 'unknown',
  };
}
