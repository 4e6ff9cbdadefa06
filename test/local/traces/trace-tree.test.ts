// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import { callSpanContext } from '../../../agent/src/tracing/call-trace-ids.js';
import { TraceExport } from '../../../agent/src/tracing/trace-export.js';
import { type ReceivedSpan, startOtlpReceiver } from '../../../local/traces/otlp-receiver.js';
import { intoPage, largestTrace, traceTree } from '../../../local/traces/trace-tree.js';

initializeLogger({ pretty: false, level: 'silent' });

const span = (
  spanId: string,
  parentSpanId: string,
  startedAt: number,
  more = {},
): ReceivedSpan => ({
  ...{ traceId: 't', spanId, parentSpanId, name: spanId, startedAt, endedAt: startedAt + 1_500 },
  ...{ attributes: {}, failed: false, ...more },
});

describe('traceTree', () => {
  it('puts each span below its parent, in the order of time', () => {
    const tree = traceTree([
      span('late', 'call', 3_000),
      span('call', '', 1_000, { attributes: { 'lk.job_id': 'AJ_1', 'nova_sonic.renewals': 0 } }),
      span('tool', 'early', 2_250, { attributes: { 'lk.interrupted': true }, failed: true }),
      span('early', 'call', 2_000),
      span('orphan', 'nobody', 5_000),
    ]);
    expect(tree.split('\n')).toEqual([
      '  start   length  span',
      '  0.000    1.500  call  (AJ_1)',
      '  1.000    1.500    early',
      '  1.250    1.500      tool  (interrupted: true, FAILED)',
      '  2.000    1.500    late',
      '  4.000    1.500  orphan',
      '',
    ]);
  });

  it('is that of the call, not of an agent that came second', () => {
    const [call, turn] = [span('call', '', 0), span('turn', 'call', 1)];
    const second = { ...span('other', '', 0), traceId: 'u' };
    expect(largestTrace([second, call, turn])).toEqual([call, turn]);
    expect(largestTrace([])).toEqual([]);
  });

  it('goes into its place in a page', () => {
    const page = 'before\n<!-- trace -->\n```\nold\n```\n<!-- /trace -->\nafter\n';
    expect(intoPage(page, 'new $& tree\n')).toBe(page.replace('old', () => 'new $& tree'));
    expect(intoPage('before\n', 'new')).toBeUndefined();
  });
});

describe('the receiver', () => {
  it('reads what the worker sends', async () => {
    const receiver = await startOtlpReceiver();
    try {
      process.env.OTEL_EXPORTER_OTLP_ENDPOINT = receiver.url;
      const traces = new TraceExport({
        ...{ serviceName: 's', sampleRatio: 1, attributes: ['shop.items'] },
      });
      const startedAt = 1_800_000_000_000;
      const attributes = { 'nova_sonic.turns': 3, 'shop.items': ['a', 'b'], 'shop.note': 'said' };
      const call = { name: 'call', startedAt, endedAt: startedAt + 2_500, attributes };
      traces.writeRoot('AJ_1', { ...call, failed: true });
      traces.write('AJ_1', { ...call, name: 'redispatch' });
      await traces.flush(10_000);
      const { traceId, spanId } = callSpanContext('AJ_1');
      expect(receiver.spans).toMatchObject([
        {
          ...{ traceId, spanId, parentSpanId: '', name: 'call', failed: true },
          ...{ startedAt, endedAt: startedAt + 2_500 },
          attributes: { 'nova_sonic.turns': 3, 'shop.items': ['a', 'b'] },
        },
        { traceId, parentSpanId: spanId, name: 'redispatch', failed: false },
      ]);
      expect(Buffer.concat(receiver.bodies).includes('said')).toBe(false);
    } finally {
      delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
      await receiver.close();
    }
  });
});
