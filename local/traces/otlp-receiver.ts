// SPDX-License-Identifier: Apache-2.0

import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';

type Value = { stringValue?: string; intValue?: string | number; doubleValue?: number } & {
  boolValue?: boolean;
  arrayValue?: { values?: Value[] };
};

interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes?: { key: string; value: Value }[];
  status?: { code?: number | string };
}

/** A span as it was received. */
export interface ReceivedSpan {
  traceId: string;
  spanId: string;
  /** Empty for a root. */
  parentSpanId: string;
  name: string;
  /** Milliseconds since the epoch. */
  startedAt: number;
  endedAt: number;
  attributes: Record<string, unknown>;
  failed: boolean;
}

export interface OtlpReceiver {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  url: string;
  spans: ReceivedSpan[];
  /** Every request as it came, to search for what must not be in it. */
  bodies: Buffer[];
  close(): Promise<void>;
}

/**
 * Receives traces as a collector does: OTLP over HTTP, decoded by the code that OpenTelemetry generated from the protocol's
 * definition (its transformer 0.57, which still had it; later ones only write).
 */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const { opentelemetry } = createRequire(import.meta.url)(
    'otlp-decoder/build/src/generated/root.js',
  );
  const request = opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
  const spans: ReceivedSpan[] = [];
  const bodies: Buffer[] = [];
  const server = createServer(async (incoming, response) => {
    const body = Buffer.concat(await incoming.toArray());
    bodies.push(body);
    if (incoming.url !== '/v1/traces') {
      response.writeHead(404).end();
      return;
    }
    const { resourceSpans = [] } = request.toObject(request.decode(body), {
      longs: String,
      bytes: Buffer,
    }) as { resourceSpans?: { scopeSpans?: { spans?: OtlpSpan[] }[] }[] };
    for (const { scopeSpans = [] } of resourceSpans)
      for (const scope of scopeSpans) spans.push(...(scope.spans ?? []).map(received));
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    bodies,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const hex = (bytes: unknown) => Buffer.from((bytes ?? '') as Uint8Array).toString('hex');
const ms = (nanoseconds: string) => Number(BigInt(nanoseconds) / 1_000n) / 1_000;

function received(span: OtlpSpan): ReceivedSpan {
  return {
    traceId: hex(span.traceId),
    spanId: hex(span.spanId),
    parentSpanId: hex(span.parentSpanId),
    name: span.name,
    startedAt: ms(span.startTimeUnixNano),
    endedAt: ms(span.endTimeUnixNano),
    attributes: Object.fromEntries(
      (span.attributes ?? []).map(({ key, value }) => [key, plain(value)]),
    ),
    failed: span.status?.code === 2,
  };
}

function plain(value: Value): unknown {
  if (value.intValue !== undefined) return Number(value.intValue);
  if (value.arrayValue) return (value.arrayValue.values ?? []).map(plain);
  return value.stringValue ?? value.doubleValue ?? value.boolValue;
}
