// SPDX-License-Identifier: Apache-2.0

import { type TokenPrices, tokenCostUsd } from 'livekit-plugin-nova-sonic/models';
import { maskPhoneNumbers } from '../telemetry/redaction.js';
import { traceFields } from '../tracing/tracing.js';
import type { CallCounter, CallReport } from './supervisor-messages.js';

const TOKENS_OF: Partial<Record<CallCounter, keyof TokenPrices>> = {
  InputSpeechTokens: 'audioIn',
  OutputSpeechTokens: 'audioOut',
  InputTextTokens: 'textIn',
  OutputTextTokens: 'textOut',
};

/** US dollars that an addition to a metric costs; 0 for all but tokens. */
export function costUsd(metric: CallCounter, value: number, prices: TokenPrices): number {
  const kind = TOKENS_OF[metric];
  return kind ? tokenCostUsd({ [kind]: value }, prices) : 0;
}

/** One call as the worker process knows it: complete up to the last report, however the job process ended. */
export interface CallRecord {
  job: string;
  room: string;
  roomSid: string;
  /** Identity of the caller, once known. A personal datum, like the name of the room: not for the log. */
  caller?: string;
  /** See TENANT_METADATA_KEY. */
  tenant?: string;
  /** The process that carries it. */
  pid: number;
  /** Milliseconds of the worker's clock. */
  startedAt: number;
  sums: Partial<Record<CallCounter, number>>;
  firstAudioMs: number[];
  errors: Record<string, number>;
  streamId: string;
  /** Names of the lanes that its streams were in, in order. */
  lanes: string[];
  costUsd: number;
  /** Highest memory use that the process reported. */
  memoryMB: number;
  /** Processes that died under it. */
  crashes: number;
  endReason?: string;
  /** Its process died, and the call is over all the same: no other one should answer its caller. */
  over?: boolean;
  /** The process itself reported the end of the call. */
  ended: boolean;
  /** Our own code threw. */
  failed: boolean;
}

export function newCallRecord(
  call: { job: string; room: string; roomSid: string; tenant?: string; pid: number },
  now: number,
): CallRecord {
  return {
    job: call.job,
    room: call.room,
    roomSid: call.roomSid,
    ...(call.tenant && { tenant: call.tenant }),
    pid: call.pid,
    startedAt: now,
    sums: {},
    firstAudioMs: [],
    errors: {},
    streamId: '',
    lanes: [],
    costUsd: 0,
    memoryMB: 0,
    crashes: 0,
    ended: false,
    failed: false,
  };
}

/** Adds one report to the record of its call. */
export function applyReport(record: CallRecord, report: CallReport, prices: TokenPrices): void {
  switch (report.type) {
    case 'add': {
      const { metric, value } = report;
      record.sums[metric] = (record.sums[metric] ?? 0) + value;
      record.costUsd += costUsd(metric, value, prices);
      if (metric === 'TimeToFirstAudio') record.firstAudioMs.push(value);
      if (metric === 'StreamErrors') {
        const kind = report.split ?? 'unknown';
        record.errors[kind] = (record.errors[kind] ?? 0) + value;
      }
      return;
    }
    case 'stream':
      record.streamId = report.id;
      if (record.lanes.at(-1) !== report.lane) record.lanes.push(report.lane);
      return;
    case 'caller':
      record.caller = report.identity;
      return;
    case 'said':
      // Not for the record, which is logged.
      return;
    case 'ended':
      // The first reason is the cause; closing may add others.
      record.endReason ??= report.reason;
      record.ended = true;
      if (report.failed) record.failed = true;
      return;
  }
}

/** Streams of these calls by lane, zeros included; a call that is being renewed counts once. */
export function streamsByLane(
  lanes: readonly string[],
  calls: readonly CallRecord[],
): Record<string, number> {
  return Object.fromEntries(
    lanes.map((lane) => [
      lane,
      calls.filter((call) => !call.ended && call.lanes.at(-1) === lane).length,
    ]),
  );
}

/** The log fields that identify a call. */
export function callFields({ job, room, roomSid, tenant }: CallRecord): Record<string, string> {
  return {
    call_id: job,
    ...traceFields(job),
    ...(tenant && { tenant }),
    room: maskPhoneNumbers(room),
    room_sid: roomSid,
    'lk.pii.room_name': room,
  };
}

/** The log fields of `call ended`. */
export function callSummary(record: CallRecord, now: number): Record<string, unknown> {
  const sum = (metric: CallCounter) => record.sums[metric] ?? 0;
  const sorted = [...record.firstAudioMs].sort((a, b) => a - b);
  return {
    ...callFields(record),
    stream_id: record.streamId,
    seconds: Math.round((now - record.startedAt) / 100) / 10,
    turns: sum('Turns'),
    renewals: sum('StreamRenewals'),
    failovers: sum('Failovers'),
    lanes: record.lanes,
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
    crashes: record.crashes,
    end_reason: record.endReason ?? 'unknown',
  };
}
