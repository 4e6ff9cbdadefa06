// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { COUNTERS, type Counter } from '../../../agent/src/telemetry/metric-definitions.js';
import { WorkerMetrics } from '../../../agent/src/telemetry/metrics.js';
import { emfLines, emfSums } from '../../../local/fleet/emf.js';
import { emfProblem } from './emf-schema.js';

function setUp() {
  const log: object[] = [];
  const metrics = new WorkerMetrics({
    namespace: 'NovaSonicAgent',
    service: 'phones',
    write: (line) => log.push(JSON.parse(line)),
  });
  return { metrics, lines: () => emfLines(log) };
}

const busy = {
  ...{ activeCalls: 3, slotUtilization: 0.3, registered: true, draining: false },
  ...{
    callDemand: 4,
    expectedCallDemand: 6.5,
    callCapacity: 10,
    callersUnanswered: 0,
    callersWaiting: 0,
    activeStreams: {},
  },
};
const DEMAND = { CallDemand: 4, ExpectedCallDemand: 6.5, CallCapacity: 10 };

describe('WorkerMetrics', () => {
  it('writes every metric as a valid EMF line of one namespace with the dimension service', () => {
    const { metrics, lines } = setUp();
    for (const name of Object.keys(COUNTERS) as Counter[]) metrics.add(name, 2.5, 'x');
    metrics.flush();
    metrics.gauges(busy);
    expect(lines().map(emfProblem).filter(Boolean)).toEqual([]);
    for (const line of lines()) {
      expect(line.service).toBe('phones');
      for (const { Namespace, Dimensions } of line._aws.CloudWatchMetrics) {
        expect(Namespace).toBe('NovaSonicAgent');
        expect(Dimensions).toContainEqual(['service']);
      }
    }
    const names = Object.keys(emfSums(lines()));
    expect(names).toEqual(expect.arrayContaining([...Object.keys(COUNTERS), 'ActiveCalls']));
  });

  it('publishes a split metric with its dimension and in total', () => {
    const { metrics, lines } = setUp();
    metrics.add('CallsRejected', 1, 'full');
    metrics.add('CallsRejected', 1, 'full');
    metrics.add('CallsRejected', 1, 'draining');
    metrics.add('Throttles', 1, 'us-east-1');
    metrics.add('StreamErrors', 1, '');
    metrics.flush();
    expect(emfSums(lines())).toEqual({
      CallsRejected: 3,
      'CallsRejected{reason=full}': 2,
      'CallsRejected{reason=draining}': 1,
      Throttles: 1,
      'Throttles{lane=us-east-1}': 1,
      StreamErrors: 1,
      'StreamErrors{kind=unknown}': 1,
    });
  });

  it('publishes each of hundreds of values once', () => {
    const { metrics, lines } = setUp();
    for (let i = 1; i <= 250; i++) metrics.add('TimeToFirstAudio', i);
    metrics.flush();
    metrics.flush();
    expect(emfSums(lines())).toEqual({ TimeToFirstAudio: (250 * 251) / 2 });
    expect(lines().map(emfProblem).filter(Boolean)).toEqual([]);
  });

  it('ignores values that are not numbers', () => {
    const { metrics, lines } = setUp();
    metrics.add('ToolDuration', Number.NaN);
    metrics.flush();
    expect(lines()).toEqual([]);
  });

  it('publishes the slots in per cent at high resolution, zeros included', () => {
    const { metrics, lines } = setUp();
    metrics.gauges({ ...busy, activeCalls: 0, slotUtilization: 0 });
    expect(emfSums(lines())).toEqual({
      ...DEMAND,
      ...{
        ActiveCalls: 0,
        CallersUnanswered: 0,
        CallersWaiting: 0,
        SlotUtilization: 0,
        WorkersRegistered: 1,
      },
    });
    const metric = lines()[0]?._aws.CloudWatchMetrics[0]?.Metrics.find(
      (m) => m.Name === 'SlotUtilization',
    );
    expect(metric).toEqual({ Name: 'SlotUtilization', Unit: 'Percent', StorageResolution: 1 });
    metrics.gauges(busy);
    expect(emfSums(lines()).SlotUtilization).toBe(30);
  });

  it('publishes the streams of each lane, zeros included', () => {
    const { metrics, lines } = setUp();
    metrics.gauges({ ...busy, activeStreams: { 'us-east-1': 3, 'us-west-2': 0 } });
    expect(emfSums(lines())).toMatchObject({
      'ActiveStreams{lane=us-east-1}': 3,
      'ActiveStreams{lane=us-west-2}': 0,
    });
    expect(lines().map(emfProblem).filter(Boolean)).toEqual([]);
  });

  it('publishes what scaling reads at high resolution', () => {
    const { metrics, lines } = setUp();
    metrics.gauges(busy);
    const high = lines()[0]?._aws.CloudWatchMetrics[0]?.Metrics.filter(
      ({ StorageResolution }) => StorageResolution === 1,
    );
    expect(high?.map(({ Name }) => Name)).toEqual([...Object.keys(DEMAND), 'SlotUtilization']);
  });

  it('does not publish the utilization of a draining task', () => {
    const { metrics, lines } = setUp();
    metrics.gauges({ ...busy, draining: true });
    expect(emfSums(lines())).toEqual({
      ...DEMAND,
      ...{ ActiveCalls: 3, CallersUnanswered: 0, CallersWaiting: 0, WorkersRegistered: 1 },
    });
  });
});
