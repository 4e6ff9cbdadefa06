// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import type { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { Duration } from 'aws-cdk-lib/core';
import { COUNTERS } from '../../../agent/src/telemetry/metric-definitions.js';
import { WorkerMetrics } from '../../../agent/src/telemetry/metrics.js';
import { AgentMetrics, runningTasks } from '../../../lib/service/agent-metrics.js';
import { VoiceAgentService } from '../../../lib/service/voice-agent-service.js';
import { stackOf } from '../synth.js';

const metrics = new AgentMetrics({ serviceName: 'support' });

const TABLE: [Metric, name: string, statistic: string][] = [
  [metrics.activeCalls(), 'ActiveCalls', 'Average'],
  [metrics.slotUtilization(), 'SlotUtilization', 'Average'],
  [metrics.callDemand(), 'CallDemand', 'Sum'],
  [metrics.expectedCallDemand(), 'ExpectedCallDemand', 'Sum'],
  [metrics.callCapacity(), 'CallCapacity', 'Sum'],
  [metrics.workersRegistered(), 'WorkersRegistered', 'Maximum'],
  [metrics.callsAccepted(), 'CallsAccepted', 'Sum'],
  [metrics.callsRejected(), 'CallsRejected', 'Sum'],
  [metrics.callersUnanswered(), 'CallersUnanswered', 'Maximum'],
  [metrics.callsRedispatched(), 'CallsRedispatched', 'Sum'],
  [metrics.timeToAnswer('p50'), 'TimeToAnswer', 'p50'],
  [metrics.callersWaiting(), 'CallersWaiting', 'Maximum'],
  [metrics.callersGaveUp(), 'CallersGaveUp', 'Sum'],
  [metrics.callersTurnedAway(), 'CallersTurnedAway', 'Sum'],
  [metrics.timeWaited('p50'), 'TimeWaited', 'p50'],
  [metrics.timeWaitedForStream('p50'), 'TimeWaitedForStream', 'p50'],
  [metrics.callDuration(), 'CallDuration', 'Sum'],
  [metrics.turns(), 'Turns', 'Sum'],
  [metrics.syntheticCallsAnswered(), 'SyntheticCallsAnswered', 'Average'],
  [metrics.syntheticCallReplyTime('p90'), 'SyntheticCallReplyTime', 'p90'],
  [metrics.timeToFirstAudio('p90'), 'TimeToFirstAudio', 'p90'],
  [metrics.interruptionLatency('p50'), 'InterruptionLatency', 'p50'],
  [metrics.streamRenewals(), 'StreamRenewals', 'Sum'],
  [metrics.streamErrors(), 'StreamErrors', 'Sum'],
  [metrics.throttles(), 'Throttles', 'Sum'],
  [metrics.callsWithoutRegion(), 'CallsWithoutRegion', 'Sum'],
  [metrics.failovers(), 'Failovers', 'Sum'],
  [metrics.protectionFailures(), 'ProtectionFailures', 'Sum'],
  [metrics.callsUnprotected(), 'CallsUnprotected', 'Sum'],
  [metrics.deploymentReadFailures(), 'DeploymentReadFailures', 'Sum'],
  [metrics.unprotectedCalls(), 'UnprotectedCalls', 'Maximum'],
  [metrics.supersededCalls(), 'SupersededCalls', 'Maximum'],
  [metrics.overdueCalls(), 'OverdueCalls', 'Maximum'],
  [metrics.jobCrashes(), 'JobCrashes', 'Sum'],
  [metrics.callsResumed(), 'CallsResumed', 'Sum'],
  [metrics.toolDuration('p99'), 'ToolDuration', 'p99'],
  [metrics.toolErrors(), 'ToolErrors', 'Sum'],
  [metrics.tokens('OutputSpeech'), 'OutputSpeechTokens', 'Sum'],
  [metrics.estimatedCostUsd(), 'EstimatedCostUsd', 'Sum'],
];

/** The names that a worker prints. */
function published(): Set<string> {
  const names = new Set<string>(Object.keys(COUNTERS));
  const write = (line: string) => {
    for (const { Metrics } of JSON.parse(line)._aws.CloudWatchMetrics) {
      for (const { Name } of Metrics) names.add(Name);
    }
  };
  const worker = new WorkerMetrics({ namespace: 'n', service: 's', write });
  worker.gauges({
    ...{ activeCalls: 0, slotUtilization: 0, registered: true, draining: false },
    ...{
      callDemand: 0,
      expectedCallDemand: 0,
      callCapacity: 10,
      callersUnanswered: 0,
      callersWaiting: 0,
      activeStreams: { r: 0 },
    },
    deployment: { unprotectedCalls: 0, supersededCalls: 0, overdueCalls: 0 },
  });
  return names;
}

describe('a metric', () => {
  test.each(TABLE)('%# is one that the workers publish', (metric, name, statistic) => {
    expect(metric).toMatchObject({
      namespace: 'NovaSonicAgent',
      metricName: name,
      statistic,
      dimensions: { service: 'support' },
    });
    expect(metric.period.toSeconds()).toBe(60);
    expect([...published()]).toContain(name);
  });

  test('exists for everything that the workers publish', () => {
    const used = new Set(TABLE.map(([, name]) => name));
    for (const kind of ['InputSpeech', 'InputText', 'OutputText'] as const) {
      used.add(metrics.tokens(kind).metricName);
    }
    used.add(metrics.activeStreams('us-east-1').metricName);
    expect([...published()].filter((name) => !used.has(name))).toEqual([]);
  });

  test('takes another period, statistic and dimension, and keeps the service', () => {
    const lane = { lane: 'us-west-2' };
    const options = { period: Duration.minutes(5), statistic: 'max', dimensionsMap: lane };
    const metric = metrics.throttles(options);
    expect([metric.period.toMinutes(), metric.statistic]).toEqual([5, 'Maximum']);
    expect(metric.dimensions).toEqual({ service: 'support', ...lane });
  });

  test('is in the namespace that is set', () => {
    const elsewhere = new AgentMetrics({ serviceName: 'support', namespace: 'Calls' });
    expect(elsewhere.workersRegistered().namespace).toBe('Calls');
  });

  test('of ECS counts the running tasks: one sample a task and minute', () => {
    let metric: Metric | undefined;
    stackOf((scope) => {
      metric = runningTasks(new VoiceAgentService(scope, 'Agent').service, { label: 'tasks' });
    });
    expect(metric).toMatchObject({
      namespace: 'AWS/ECS',
      metricName: 'CPUUtilization',
      statistic: 'SampleCount',
      label: 'tasks',
    });
    expect(metric?.period.toSeconds()).toBe(60);
  });
});
