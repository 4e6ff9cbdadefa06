// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { Duration, Token } from 'aws-cdk-lib/core';
import { CallScaling, type CallScalingProps } from '../../../lib/scaling/call-scaling.js';
import { VoiceAgentService } from '../../../lib/service/voice-agent-service.js';
import {
  annotationsOf,
  flat,
  Match,
  only,
  resources,
  stackOf,
  templateOf,
  templateWith,
} from '../synth.js';

const policies = () =>
  resources(templateWith(), 'AWS::ApplicationAutoScaling::ScalingPolicy').map(
    ([, { Properties }]) => Properties,
  );
const tracking = () => policies().find(({ PolicyType }) => PolicyType === 'TargetTrackingScaling');
const steps = () => policies().find(({ PolicyType }) => PolicyType === 'StepScaling');

describe('the number of tasks', () => {
  test('has the limits of the parameters', () => {
    expect(only(templateWith(), 'AWS::ApplicationAutoScaling::ScalableTarget')).toMatchObject({
      MinCapacity: { Ref: 'MinTasks' },
      MaxCapacity: { Ref: 'MaxTasks' },
      ScalableDimension: 'ecs:service:DesiredCount',
    });
  });

  test('follows demand over capacity, and scales in slowly', () => {
    const sum = (Id: string, MetricName: string) => ({
      Id,
      MetricStat: {
        Metric: {
          Namespace: 'NovaSonicAgent',
          MetricName,
          Dimensions: [{ Name: 'service', Value: 'voice-agent' }],
        },
        Stat: 'Sum',
      },
      ReturnData: false,
    });
    expect(tracking()?.TargetTrackingScalingPolicyConfiguration).toEqual({
      TargetValue: { Ref: 'TargetSlotUtilization' },
      CustomizedMetricSpecification: {
        Metrics: [
          { Id: 'percent', Expression: '100 * demand / capacity', ReturnData: true },
          sum('demand', 'CallDemand'),
          sum('capacity', 'CallCapacity'),
        ],
      },
      ScaleOutCooldown: 60,
      ScaleInCooldown: 300,
    });
  });

  test('steps out within ten seconds of a rush, by what is missing', () => {
    const configuration = steps()?.StepScalingPolicyConfiguration as {
      StepAdjustments: { MetricIntervalLowerBound: number; ScalingAdjustment: number }[];
    };
    expect(configuration).toMatchObject({
      AdjustmentType: 'PercentChangeInCapacity',
      MinAdjustmentMagnitude: 1,
      // Until new tasks take calls; a larger step adds its difference before.
      Cooldown: 120,
      MetricAggregationType: 'Average',
    });
    expect(configuration.StepAdjustments.map((one) => one.ScalingAdjustment)).toEqual([
      50, 70, 90, 124, 174, 246, 347, 448, 593, 794, 995, 1286, 1500,
    ]);
    const [, alarm] =
      resources(templateWith(), 'AWS::CloudWatch::Alarm').find(([id]) => id.includes('Rush')) ?? [];
    expect(alarm?.Properties).toMatchObject({
      EvaluationPeriods: 1,
      Threshold: 140,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      TreatMissingData: 'notBreaching',
    });
    const [expression, ...inputs] = (alarm?.Properties.Metrics ?? []) as {
      Expression: unknown;
      MetricStat: { Metric: { MetricName: string }; Period: number; Stat: string };
    }[];
    expect(flat(expression?.Expression)).toBe(
      '100 * 100 * expected / capacity / <TargetSlotUtilization>',
    );
    expect(
      inputs.map(({ MetricStat: { Metric, Period, Stat } }) => [Metric.MetricName, Period, Stat]),
    ).toEqual([
      ['ExpectedCallDemand', 10, 'Sum'],
      ['CallCapacity', 10, 'Sum'],
    ]);
  });

  test('never steps in', () => {
    const lower = resources(templateWith(), 'AWS::CloudWatch::Alarm').filter(([id]) =>
      id.includes('Lower'),
    );
    expect(lower).toEqual([]);
  });

  test('has other limits at the times of a schedule, in its time zone', () => {
    const schedules = [
      { cron: '0 8 ? * MON-FRI', timeZone: 'Europe/Berlin', minTasks: 4, maxTasks: 20 },
      { cron: '0 19 ? * MON-FRI', minTasks: 1, maxTasks: 2 },
    ];
    const target = only(templateWith({ schedules }), 'AWS::ApplicationAutoScaling::ScalableTarget');
    expect(target.ScheduledActions).toEqual([
      {
        ScheduledActionName: 'Schedule1',
        Schedule: 'cron(0 8 ? * MON-FRI *)',
        Timezone: 'Europe/Berlin',
        ScalableTargetAction: { MinCapacity: 4, MaxCapacity: 20 },
      },
      {
        ScheduledActionName: 'Schedule2',
        Schedule: 'cron(0 19 ? * MON-FRI *)',
        Timezone: 'Etc/UTC',
        ScalableTargetAction: { MinCapacity: 1, MaxCapacity: 2 },
      },
    ]);
    expect(
      only(templateWith(), 'AWS::ApplicationAutoScaling::ScalableTarget').ScheduledActions ?? [],
    ).toEqual([]);
  });
});

describe('alone in another stack', () => {
  const scaling = (props: Partial<CallScalingProps>) => () =>
    stackOf((scope) => {
      const { service, metrics } = new VoiceAgentService(scope, 'Agent');
      new CallScaling(scope, 'Scaling', { service, metrics, ...props });
    });

  test('scales from 1 to 2 tasks at 45 percent', () => {
    const template = templateOf(scaling({})());
    expect(only(template, 'AWS::ApplicationAutoScaling::ScalableTarget')).toMatchObject({
      MinCapacity: 1,
      MaxCapacity: 2,
    });
    expect(JSON.stringify(template.toJSON())).toContain('"TargetValue":45');
  });

  test('takes the deprecated "targetSlotShare", with one warning', () => {
    const stack = scaling({ targetSlotShare: 40 })();
    expect(JSON.stringify(templateOf(stack).toJSON())).toContain('"TargetValue":40');
    annotationsOf(stack).hasWarning(
      '/elsewhere/Scaling',
      Match.stringLikeRegexp('"targetSlotShare" is deprecated.*use "targetSlotUtilization"'),
    );
  });

  test.each<[string, Partial<CallScalingProps>]>([
    ['the lowest target', { targetSlotUtilization: 10 }],
    ['the highest target', { targetSlotUtilization: 80 }],
    ['a least that is known at deploy only', { minTasks: Token.asNumber({ Ref: 'Least' }) }],
    [
      'a most that is known at deploy only',
      { minTasks: 5, maxTasks: Token.asNumber({ Ref: 'Most' }) },
    ],
  ])('takes %s', (_what, props) => {
    expect(scaling(props)).not.toThrow();
  });

  test.each<[Partial<CallScalingProps>, string]>([
    [{ minTasks: 3, maxTasks: 2 }, '"minTasks" (3) cannot be above "maxTasks" (2).'],
    [
      { minTasks: 0 },
      '"minTasks" cannot be 0: with no task nothing publishes the metric that starts the first one.',
    ],
    [
      { targetSlotUtilization: 90 },
      '"targetSlotUtilization" cannot be 90: it is a percentage from 10 to 80.',
    ],
    [
      { targetSlotUtilization: 9 },
      '"targetSlotUtilization" cannot be 9: it is a percentage from 10 to 80.',
    ],
    [
      { schedules: [{ cron: '0 8 * * *', minTasks: 1, maxTasks: 2 }] },
      '"cron" cannot be "0 8 * * *": it has five fields with a ? for the day of the month or of the week, as in "0 8 ? * MON-FRI".',
    ],
    [
      { schedules: [{ cron: '0 8 ? * *', minTasks: 5, maxTasks: 4 }] },
      'In the schedule "0 8 ? * *", "minTasks" (5) cannot be above "maxTasks" (4).',
    ],
  ])('rejects %j', (props, sentence) => {
    expect(scaling(props)).toThrow(new Error(sentence));
  });
});

describe('the steps of a rush', () => {
  const build = (rushSteps: number[]) =>
    stackOf((scope) => {
      const { service, metrics } = new VoiceAgentService(scope, 'Agent');
      const rushCooldown = Duration.minutes(3);
      new CallScaling(scope, 'Scaling', { service, metrics, rushSteps, rushCooldown });
    });

  test('can be others, each with what its interval needs', () => {
    const template = templateOf(build([150, 300]));
    const step = resources(template, 'AWS::ApplicationAutoScaling::ScalingPolicy').find(
      ([, { Properties }]) => Properties.PolicyType === 'StepScaling',
    )?.[1].Properties.StepScalingPolicyConfiguration;
    expect(step).toMatchObject({
      Cooldown: 180,
      StepAdjustments: [
        { MetricIntervalLowerBound: 0, MetricIntervalUpperBound: 150, ScalingAdjustment: 112 },
        { MetricIntervalLowerBound: 150, ScalingAdjustment: 200 },
      ],
    });
  });

  test.each([[[]], [[90]], [[200, 150]], [Array.from({ length: 21 }, (_, i) => 110 + i)]])(
    'cannot be %j',
    (rushSteps) => {
      expect(() => build(rushSteps)).toThrow(
        `"rushSteps" cannot be ${JSON.stringify(rushSteps)}: give 1 to 20 percentages above 100 in ascending order.`,
      );
    },
  );
});
