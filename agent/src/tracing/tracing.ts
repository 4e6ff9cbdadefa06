// SPDX-License-Identifier: Apache-2.0

import { context } from '@opentelemetry/api';
import type { WorkerConfig } from '../config.js';
import { callSpanContext } from './call-trace-ids.js';
import type { FinishedSpan, TraceExport } from './trace-export.js';

/** Milliseconds that a process waits for its last spans to leave: within the seconds between the end of a drain and SIGKILL. */
const FLUSH_MS = 3_000;

let traces: TraceExport | undefined;

/** Starts the traces of this process if they are wanted; without an endpoint nothing is loaded. To be called once. */
export async function startTracing({
  traces: wanted,
  metrics,
}: Pick<WorkerConfig, 'traces' | 'metrics'>): Promise<void> {
  if (!wanted || traces) return;
  const { TraceExport } = await import('./trace-export.js');
  setTraces(new TraceExport({ serviceName: metrics.service, ...wanted }));
}

/** For tests: the traces of this process from now on. */
export function setTraces(those: TraceExport | undefined): void {
  traces = those;
}

/** The log field with the trace of a call; none for a call that is not traced. */
export function traceFields(jobId: string): { trace_id?: string } {
  const context = traces?.contextOf(jobId);
  return context ? { trace_id: callSpanContext(jobId).traceId } : {};
}

/** Runs `fn`, and everything that it starts, in the trace of a call. */
export function runInTrace<T>(jobId: string, fn: () => T): T {
  const of = traces?.contextOf(jobId);
  return of ? context.with(of, fn) : fn();
}

/** Writes a span of a call, when all about it is known. */
export function writeSpan(jobId: string, span: FinishedSpan): void {
  traces?.write(jobId, span);
}

/** Writes the root span of a call, under which all others are. */
export function writeRootSpan(jobId: string, span: FinishedSpan): void {
  traces?.writeRoot(jobId, span);
}

/** Waits a moment for the last spans to leave. */
export function flushTraces(): Promise<void> {
  return traces?.flush(FLUSH_MS) ?? Promise.resolve();
}
