// SPDX-License-Identifier: Apache-2.0

import type { CallRecord } from '../supervision/call-record.js';
import type { FinishedSpan } from './trace-export.js';

/** The root span of a call, as the worker knows it at its end. @param seconds length of the call */
export function callSpan(record: CallRecord, seconds: number, endedAt: number): FinishedSpan {
  const { sums, errors, lanes, crashes, costUsd, tenant, endReason, failed } = record;
  return {
    name: 'call',
    startedAt: endedAt - seconds * 1000,
    endedAt,
    attributes: {
      'lk.job_id': record.job,
      'nova_sonic.room_sid': record.roomSid,
      'nova_sonic.end_reason': endReason ?? 'unknown',
      'nova_sonic.turns': sums.Turns ?? 0,
      'nova_sonic.renewals': sums.StreamRenewals ?? 0,
      'nova_sonic.failovers': sums.Failovers ?? 0,
      'nova_sonic.tool_errors': sums.ToolErrors ?? 0,
      'nova_sonic.crashes': crashes,
      'nova_sonic.cost_usd': Math.round(costUsd * 1e6) / 1e6,
      ...(lanes.length > 0 && { 'nova_sonic.lanes': [...new Set(lanes)] }),
      ...(tenant && { 'nova_sonic.tenant': tenant }),
      ...(Object.keys(errors).length > 0 && { 'nova_sonic.stream_errors': Object.keys(errors) }),
    },
    failed: failed || endReason === 'crashed',
  };
}
