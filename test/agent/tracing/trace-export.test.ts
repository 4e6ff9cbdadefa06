// SPDX-License-Identifier: Apache-2.0

import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { initializeLogger, telemetry } from '@livekit/agents';
import { context, trace } from '@opentelemetry/api';
import {
  InMemorySpanExporter,
  type ReadableSpan,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-node';
import { traceCall } from '../../../agent/src/host/trace-call.js';
import { callSpanContext } from '../../../agent/src/tracing/call-trace-ids.js';
import { TraceExport } from '../../../agent/src/tracing/trace-export.js';
import {
  flushTraces,
  runInTrace,
  setTraces,
  startTracing,
  traceFields,
  writeRootSpan,
  writeSpan,
} from '../../../agent/src/tracing/tracing.js';

initializeLogger({ pretty: false, level: 'silent' });

/** Where the framework keeps its logger. */
const LOGGER = Symbol.for('@livekit/agents:logger');
const globals = globalThis as Record<symbol, unknown>;
const silent = globals[LOGGER];

const OPTIONS = { serviceName: 'voice-agent', sampleRatio: 1, attributes: [] };
const SPAN = { name: 'call', startedAt: 1_000, endedAt: 61_000, attributes: {} };

/** Makes a process with traces; its spans go to `exporter`. */
function begin(exporter: SpanExporter = new InMemorySpanExporter(), sampleRatio = 1) {
  const traces = new TraceExport({ ...OPTIONS, sampleRatio, exporter });
  setTraces(traces);
  return traces;
}

afterEach(() => {
  setTraces(undefined);
  trace.disable();
  context.disable();
  Object.defineProperty(globals, LOGGER, { value: silent, writable: true, configurable: true });
});

const names = (spans: readonly ReadableSpan[], jobId: string) =>
  spans
    .filter((span) => span.spanContext().traceId === callSpanContext(jobId).traceId)
    .map(({ name }) => name);

describe('the trace of a call', () => {
  it('has ids that follow from the job alone, so that several processes add to it', async () => {
    const [worker, host] = [new InMemorySpanExporter(), new InMemorySpanExporter()];
    const inWorker = begin(worker);
    const inHost = new TraceExport({ ...OPTIONS, exporter: host });
    inWorker.writeRoot('AJ_1', SPAN);
    inHost.write('AJ_1', { ...SPAN, name: 'redispatch' });
    await Promise.all([inWorker.flush(1_000), inHost.flush(1_000)]);
    const [root] = worker.getFinishedSpans();
    const [child] = host.getFinishedSpans();
    expect(root?.parentSpanContext).toBeUndefined();
    expect(root?.spanContext()).toMatchObject({
      traceId: callSpanContext('AJ_1').traceId,
      spanId: callSpanContext('AJ_1').spanId,
    });
    expect(child?.spanContext().traceId).toBe(root?.spanContext().traceId);
    expect(child?.parentSpanContext?.spanId).toBe(root?.spanContext().spanId);
    expect(child?.spanContext().spanId).not.toBe(root?.spanContext().spanId);
    expect(callSpanContext('AJ_2').traceId).not.toBe(callSpanContext('AJ_1').traceId);
  });

  it('has the name of the service, and nothing about the machine', async () => {
    const exporter = new InMemorySpanExporter();
    begin(exporter);
    writeRootSpan('AJ_1', SPAN);
    await flushTraces();
    const { attributes } = exporter.getFinishedSpans()[0]?.resource ?? {};
    expect(attributes?.['service.name']).toBe('voice-agent');
    expect(
      Object.keys(attributes ?? {}).filter((key) => !/^(service|telemetry)\./.test(key)),
    ).toEqual([]);
  });

  it('does not mix with that of another call in the same process', async () => {
    const exporter = new InMemorySpanExporter();
    begin(exporter);
    /** Bedrock's connection is one for the process: its events come in whatever context. */
    const connection = new EventEmitter();
    const call = (jobId: string) =>
      runInTrace(jobId, async () => {
        for (let turn = 0; turn < 20; turn += 1) {
          await telemetry.tracer.startActiveSpan(
            async () => {
              await new Promise((resolve) => setImmediate(resolve));
              telemetry.tracer.startSpan({ name: `${jobId} tool` }).end();
            },
            { name: `${jobId} turn` },
          );
          connection.emit('audio');
        }
      });
    await Promise.all(['AJ_1', 'AJ_2', 'AJ_3'].map(call));
    await flushTraces();
    const spans = exporter.getFinishedSpans();
    expect(spans).toHaveLength(120);
    for (const jobId of ['AJ_1', 'AJ_2', 'AJ_3']) {
      expect(new Set(names(spans, jobId))).toEqual(new Set([`${jobId} turn`, `${jobId} tool`]));
    }
  });

  it('is in each log line of a call that has a process of its own', () => {
    begin();
    const fields: unknown[] = [];
    const child = (given: unknown) => ({ ...logger, info: () => fields.push(given) });
    const logger = { child, info: () => fields.push({}) };
    globals[LOGGER] = logger;
    traceCall('AJ_1', () => (globals[LOGGER] as typeof logger).info());
    (globals[LOGGER] as typeof logger).info();
    expect(fields).toEqual([{ trace_id: callSpanContext('AJ_1').traceId }, {}]);
  });

  it('is whole or missing when only a share of the calls is traced', async () => {
    const exporter = new InMemorySpanExporter();
    begin(exporter, 0.5);
    const calls = Array.from({ length: 200 }, (_, index) => `AJ_${index}`);
    for (const call of calls) {
      writeRootSpan(call, SPAN);
      writeSpan(call, { ...SPAN, name: 'redispatch' });
      runInTrace(call, () => telemetry.tracer.startSpan({ name: 'agent_session' }).end());
    }
    await flushTraces();
    const spans = exporter.getFinishedSpans();
    const traced = calls.filter((call) => traceFields(call).trace_id);
    expect(traced.length).toBeGreaterThan(50);
    expect(traced.length).toBeLessThan(150);
    for (const call of calls) {
      const expected = traced.includes(call) ? ['call', 'redispatch', 'agent_session'] : [];
      expect(names(spans, call)).toEqual(expected);
    }
  });
});

describe('without an endpoint', () => {
  it('nothing is written, logged or sent', async () => {
    await startTracing({ metrics: { namespace: 'n', service: 's', intervalMs: 1 } });
    writeRootSpan('AJ_1', SPAN);
    expect(traceFields('AJ_1')).toEqual({});
    expect(runInTrace('AJ_1', () => trace.getSpanContext(context.active()))).toBeUndefined();
    await flushTraces();
  });
});

describe('an endpoint that cannot be reached', () => {
  /** An endpoint that answers what it is told to. */
  function endpoint() {
    const delivered: ReadableSpan[] = [];
    const state = { down: true, exports: 0 };
    const exporter: SpanExporter = {
      export: (spans, done) => {
        state.exports += 1;
        if (state.down) done({ code: 1, error: new Error('Bearer s3cret refused') });
        else {
          delivered.push(...spans);
          done({ code: 0 });
        }
      },
      shutdown: async () => {},
    };
    return { delivered, state, exporter };
  }

  function logged() {
    const lines: [string, unknown, string][] = [];
    const write =
      (level: string) =>
      (fields: unknown, message: string): void =>
        void lines.push([level, fields, message]);
    globals[LOGGER] = { warn: write('warn'), info: write('info') };
    return lines;
  }

  it('is told once, without its answer, and once more when it is back', async () => {
    const lines = logged();
    const { delivered, exporter, state } = endpoint();
    const traces = begin(exporter);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      traces.writeRoot(`AJ_${attempt}`, SPAN);
      await traces.provider.forceFlush();
    }
    expect(state.exports).toBe(3);
    expect(lines.map(([level]) => level)).toEqual(['warn']);
    expect(JSON.stringify(lines)).not.toContain('s3cret');
    state.down = false;
    traces.writeRoot('AJ_3', SPAN);
    await traces.provider.forceFlush();
    expect(lines.at(-1)).toEqual(['info', { lost_spans: 3 }, 'traces are delivered again']);
    expect(delivered).toHaveLength(1);
    // From then on as ever.
    const { length } = lines;
    traces.writeRoot('AJ_4', SPAN);
    await traces.flush(1_000);
    expect([delivered.length, lines.length]).toEqual([2, length]);
  });

  it('holds up neither the end of a call nor that of the process', async () => {
    logged();
    const { exporter, state } = endpoint();
    const traces = begin(exporter);
    traces.writeRoot('AJ_1', SPAN);
    await flushTraces();
    traces.writeRoot('AJ_2', SPAN);
    await flushTraces();
    expect(state.exports).toBe(1);
    // One that takes the spans and never answers.
    const asked: unknown[] = [];
    const silentEndpoint = begin({
      export: (spans) => void asked.push(spans),
      shutdown: async () => {},
    });
    silentEndpoint.writeRoot('AJ_3', SPAN);
    await silentEndpoint.flush(20);
    expect(asked).toHaveLength(1);
  });

  it('takes a bounded memory: spans beyond the queue are dropped', async () => {
    logged();
    const { delivered, exporter, state } = endpoint();
    state.down = false;
    const traces = begin(exporter);
    for (let index = 0; index < 10_000; index += 1) traces.writeRoot(`AJ_${index}`, SPAN);
    await traces.provider.forceFlush();
    expect(delivered.length).toBeGreaterThan(0);
    expect(delivered.length).toBeLessThanOrEqual(2_048 + 512);
  });
});

describe('the standard variables', () => {
  it('say where traces go, with which headers', async () => {
    const requests: Record<string, unknown>[] = [];
    const server = createServer((request, response) => {
      requests.push({ url: request.url, key: request.headers['x-key'] });
      request.resume().on('end', () => response.end());
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const before = { ...process.env };
    try {
      process.env.OTEL_EXPORTER_OTLP_ENDPOINT = `http://127.0.0.1:${port}`;
      process.env.OTEL_EXPORTER_OTLP_HEADERS = 'x-key=abc';
      await startTracing({
        traces: { sampleRatio: 1, attributes: [] },
        metrics: { namespace: 'n', service: 's', intervalMs: 1 },
      });
      writeRootSpan('AJ_1', SPAN);
      await flushTraces();
      expect(requests).toEqual([{ url: '/v1/traces', key: 'abc' }]);
    } finally {
      process.env = before;
      server.close();
    }
  });
});
