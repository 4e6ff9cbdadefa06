// SPDX-License-Identifier: Apache-2.0

import { afterEach, beforeEach } from '@jest/globals';
import { context, trace } from '@opentelemetry/api';
import { InMemorySpanExporter } from '@opentelemetry/sdk-trace-node';
import { TraceExport } from '../../../agent/src/tracing/trace-export.js';
import { setTraces } from '../../../agent/src/tracing/tracing.js';

/** Traces of each test of a file, which stay in memory. */
export interface InMemoryTraces {
  exporter: InMemorySpanExporter;
  traces: TraceExport;
}

/** Turns traces on for each test of the file that calls it. */
export function keepTraces(): InMemoryTraces {
  const used = {} as InMemoryTraces;
  beforeEach(() => {
    used.exporter = new InMemorySpanExporter();
    const { exporter } = used;
    used.traces = new TraceExport({ serviceName: 's', sampleRatio: 1, attributes: [], exporter });
    setTraces(used.traces);
  });
  afterEach(() => {
    setTraces(undefined);
    trace.disable();
    context.disable();
  });
  return used;
}
