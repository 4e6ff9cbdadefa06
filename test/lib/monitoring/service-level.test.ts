// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { Duration } from 'aws-cdk-lib/core';
import { ServiceLevel } from '../../../lib/monitoring/service-level.js';
import { VoiceAgentMonitoring } from '../../../lib/monitoring/voice-agent-monitoring.js';
import { AgentMetrics } from '../../../lib/service/agent-metrics.js';
import { VoiceAgentService } from '../../../lib/service/voice-agent-service.js';
import { flat, only, resources, stackOf, templateOf, templateWith } from '../synth.js';

const metrics = new AgentMetrics({ serviceName: 's' });

// biome-ignore lint/suspicious/noExplicitAny: templates have no types
type Template = any;

/** An alarm's expression, its metrics by id, and when it goes off. */
function alarm(template: ReturnType<typeof templateWith>, name: string) {
  const [found] = resources(template, 'AWS::CloudWatch::Alarm').filter(([id]) =>
    id.startsWith(`MonitoringAlarms${name}`),
  );
  const properties = found?.[1].Properties as Template;
  const { Metrics } = properties;
  const math = Metrics.find(({ Expression }: Template) => Expression);
  const inputs = Metrics.flatMap(({ Id, MetricStat }: Template) =>
    MetricStat
      ? [[Id, `${MetricStat.Metric.MetricName} ${MetricStat.Stat}/${MetricStat.Period}`]]
      : [],
  );
  return { properties, expression: math.Expression, inputs: Object.fromEntries(inputs) };
}

/** The expression for so many calls, of which this percentage was good. */
function burnRate(expression: string, count: number, good: number): number {
  const [, condition, then, otherwise] = /^IF\((.+), (.+), (.+)\)$/.exec(expression) ?? [];
  return new Function('count', 'good', `return ${condition} ? ${then} : ${otherwise}`)(count, good);
}

describe('a service level', () => {
  test('is off by default', () => {
    const ids = resources(templateWith(), 'AWS::CloudWatch::Alarm').map(([id]) => id);
    expect(ids.filter((id) => id.includes('Budget'))).toEqual([]);
  });

  test.each([
    ['AnswerBudgetBurning', 'TimeToAnswer', 3000],
    ['ReplyBudgetBurning', 'TimeToFirstAudio', 2000],
  ])('%s watches the share of %s up to %i ms in an hour', (name, metric, limit) => {
    const { properties, inputs } = alarm(templateWith({ serviceLevelPercent: 95 }), name);
    expect(inputs).toEqual({
      count: `${metric} SampleCount/3600`,
      good: `${metric} PR(:${limit})/3600`,
    });
    expect(properties).toMatchObject({
      Threshold: 6,
      EvaluationPeriods: 1,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      TreatMissingData: 'notBreaching',
    });
    expect(properties.AlarmDescription).toContain('would be gone in 5 days');
  });

  test.each([
    ['all were answered in time', 95, 100, 100, 0],
    ['just as many were late as may be', 95, 100, 95, 1],
    ['three in ten were late', 95, 100, 70, 6],
    ['three in a thousand were late, of one that may be', 99.9, 1000, 99.7, 3],
    ['there were too few to tell', 95, 9, 0, 0],
  ])('burns its budget as it should when %s', (_, goal, count, good, rate) => {
    const { expression } = alarm(
      templateWith({ serviceLevelPercent: goal }),
      'AnswerBudgetBurning',
    );
    expect(burnRate(expression, count, good)).toBeCloseTo(rate, 6);
  });

  test('has limits and a goal of your own', () => {
    const stack = stackOf(
      (scope) =>
        new VoiceAgentMonitoring(scope, 'Monitoring', {
          agent: new VoiceAgentService(scope, 'Agent'),
          serviceLevel: {
            answeredWithin: Duration.millis(1500),
            firstAudioWithin: Duration.seconds(1),
            goalPercent: 99,
            minimumPerHour: 100,
          },
          thresholds: { errorBudgetBurnRate: 10 },
        }),
    );
    const { expression, inputs, properties } = alarm(templateOf(stack), 'AnswerBudgetBurning');
    expect(inputs.good).toBe('TimeToAnswer PR(:1500)/3600');
    expect(expression).toBe('IF(count >= 100, (100 - good) / 1, 0)');
    expect(properties.Threshold).toBe(10);
    expect(properties.AlarmDescription).toContain('would be gone in 3 days');
  });

  test('is on the dashboard, with what is left of its budgets', () => {
    const template = templateWith({ serviceLevelPercent: 95 });
    const { widgets } = JSON.parse(
      flat(only(template, 'AWS::CloudWatch::Dashboard').DashboardBody),
    ) as { widgets: Template[] };
    const [now, byTheHour] = widgets.filter(({ properties }) =>
      properties.title?.startsWith('Service level'),
    );
    expect(now.properties).toMatchObject({
      title: 'Service level, goal 95 %, over the range above',
      setPeriodToTimeRange: true,
    });
    const labels = now.properties.metrics.map((row: Template[]) => row.at(-1).label);
    expect(labels).toEqual(
      expect.arrayContaining(['budget left: answers (%)', 'budget left: replies (%)']),
    );
    expect(byTheHour.properties.annotations.horizontal).toEqual([
      { value: 95, label: 'goal', yAxis: 'left' },
    ]);
  });

  test.each([100, 49, 0, Number.NaN])('refuses a goal of %p in one sentence', (goalPercent) => {
    expect(() => new ServiceLevel(metrics, { goalPercent })).toThrow(
      `"goalPercent" cannot be ${goalPercent}: it must be from 50 to 99.99`,
    );
  });
});
