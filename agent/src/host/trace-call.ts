// SPDX-License-Identifier: Apache-2.0

import { log } from '@livekit/agents';
import { runInTrace, traceFields } from '../tracing/tracing.js';
import { currentCall, installCallLogging, runInCall } from './call-context.js';

/** Runs `fn` in the trace of a call, whose id its log lines have. A call host has done so; a process for one call has not. */
export function traceCall<T>(jobId: string, fn: () => T): T {
  const fields = traceFields(jobId);
  if (!fields.trace_id || currentCall()) return fn();
  installCallLogging();
  const logger = log().child(fields);
  return runInCall({ callId: jobId, logger }, () => runInTrace(jobId, fn));
}
