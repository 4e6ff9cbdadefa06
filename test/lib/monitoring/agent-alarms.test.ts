// SPDX-License-Identifier: Apache-2.0

import { beforeAll, describe, expect, test } from '@jest/globals';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Topic } from 'aws-cdk-lib/aws-sns';
import type { AlarmThresholds } from '../../../lib/monitoring/alarm-thresholds.js';
import { RUNBOOKS } from '../../../lib/monitoring/runbooks.js';
import {
  VoiceAgentMonitoring,
  type VoiceAgentMonitoringProps,
} from '../../../lib/monitoring/voice-agent-monitoring.js';
import { VoiceAgentService } from '../../../lib/service/voice-agent-service.js';
import {
  annotationsOf,
  flat,
  Match,
  resources,
  stackOf,
  templateOf,
  templateWith,
} from '../synth.js';

const alarmsOf = (template: ReturnType<typeof templateWith>, monitoring = 'Monitoring') =>
  Object.fromEntries(
    resources(template, 'AWS::CloudWatch::Alarm')
      .filter(([id]) => id.startsWith(`${monitoring}Alarms`))
      .map(([id, { Properties }]) => [
        id.slice(`${monitoring}Alarms`.length).replace(/[0-9A-F]{8}$/, ''),
        // biome-ignore lint/suspicious/noExplicitAny: templates have no types
        Properties as any,
      ]),
  );

const OURS = {
  Namespace: 'NovaSonicAgent',
  Dimensions: [{ Name: 'service', Value: 'voice-agent' }],
};
const UP = 'GreaterThanOrEqualToThreshold';
const DOWN = 'LessThanThreshold';

/** Each alarm: what it watches, then for how long, from which value on, and what silence means to it. */
const TABLE: [string, object, object][] = [
  [
    'SlotUtilizationHigh',
    { ...OURS, MetricName: 'SlotUtilization', Statistic: 'Average', Period: 60 },
    { EvaluationPeriods: 5, Threshold: 90, ComparisonOperator: UP },
  ],
  [
    'CallersUnanswered',
    { ...OURS, MetricName: 'CallersUnanswered', Statistic: 'Maximum', Period: 60 },
    { EvaluationPeriods: 3, Threshold: 1, ComparisonOperator: UP },
  ],
  [
    'CallersTurnedAway',
    { ...OURS, MetricName: 'CallersTurnedAway', Statistic: 'Sum', Period: 300 },
    { EvaluationPeriods: 1, Threshold: 1, ComparisonOperator: UP },
  ],
  [
    'CallsRejected',
    { ...OURS, MetricName: 'CallsRejected', Statistic: 'Sum', Period: 300 },
    { EvaluationPeriods: 1, Threshold: 5, ComparisonOperator: UP },
  ],
  [
    'StreamQuotaUtilizationHigh',
    {},
    { EvaluationPeriods: 2, Threshold: 80, ComparisonOperator: UP },
  ],
  ['TasksAtMaximum', {}, { EvaluationPeriods: 10, Threshold: 1, ComparisonOperator: UP }],
  [
    'TimeToAnswerHigh',
    { ...OURS, MetricName: 'TimeToAnswer', ExtendedStatistic: 'p95', Period: 300 },
    { EvaluationPeriods: 3, Threshold: 6000, ComparisonOperator: UP },
  ],
  [
    'ReplyLatencyHigh',
    { ...OURS, MetricName: 'TimeToFirstAudio', ExtendedStatistic: 'p90', Period: 300 },
    { EvaluationPeriods: 3, Threshold: 2500, ComparisonOperator: UP },
  ],
  [
    'StreamErrors',
    { ...OURS, MetricName: 'StreamErrors', Statistic: 'Sum', Period: 300 },
    { EvaluationPeriods: 1, Threshold: 5, ComparisonOperator: UP },
  ],
  [
    'Throttles',
    { ...OURS, MetricName: 'CallsWithoutRegion', Statistic: 'Sum', Period: 300 },
    { EvaluationPeriods: 1, Threshold: 1, ComparisonOperator: UP },
  ],
  [
    'JobCrashes',
    { ...OURS, MetricName: 'JobCrashes', Statistic: 'Sum', Period: 300 },
    { EvaluationPeriods: 1, Threshold: 1, ComparisonOperator: UP },
  ],
  [
    'NoTaskRunning',
    {
      Namespace: 'AWS/ECS',
      MetricName: 'CPUUtilization',
      Statistic: 'SampleCount',
      Period: 60,
      Dimensions: [
        { Name: 'ClusterName', Value: expect.anything() },
        { Name: 'ServiceName', Value: expect.anything() },
      ],
    },
    {
      ...{ EvaluationPeriods: 3, Threshold: 1, ComparisonOperator: DOWN },
      TreatMissingData: 'breaching',
    },
  ],
  [
    'NoTaskRegistered',
    { ...OURS, MetricName: 'WorkersRegistered', Statistic: 'Maximum', Period: 60 },
    { EvaluationPeriods: 3, Threshold: 1, ComparisonOperator: DOWN },
  ],
  [
    'MetricsMissing',
    { ...OURS, MetricName: 'SlotUtilization', Statistic: 'SampleCount', Period: 60 },
    {
      ...{ EvaluationPeriods: 5, Threshold: 1, ComparisonOperator: DOWN },
      TreatMissingData: 'breaching',
    },
  ],
  [
    'ProtectionFailures',
    { ...OURS, MetricName: 'ProtectionFailures', Statistic: 'Sum', Period: 300 },
    { EvaluationPeriods: 2, Threshold: 1, ComparisonOperator: UP },
  ],
  [
    'UnprotectedCalls',
    { ...OURS, MetricName: 'UnprotectedCalls', Statistic: 'Maximum', Period: 60 },
    { EvaluationPeriods: 30, Threshold: 1, ComparisonOperator: UP },
  ],
  [
    'OverdueCalls',
    { ...OURS, MetricName: 'OverdueCalls', Statistic: 'Maximum', Period: 60 },
    { EvaluationPeriods: 2, Threshold: 1, ComparisonOperator: UP },
  ],
  [
    'CrashLoop',
    {
      Namespace: 'AWS/Events',
      MetricName: 'TriggeredRules',
      Statistic: 'Sum',
      Period: 900,
      Dimensions: [{ Name: 'RuleName', Value: expect.anything() }],
    },
    { EvaluationPeriods: 1, Threshold: 3, ComparisonOperator: UP },
  ],
];

describe('an alarm', () => {
  test('exists for each problem that affects callers', () => {
    expect(Object.keys(alarmsOf(templateWith())).sort()).toEqual(
      TABLE.map(([name]) => name).sort(),
    );
  });

  test.each(TABLE)('%s watches its metric and refers to its runbook', (name, watched, limit) => {
    const { AlarmDescription, Metrics, ...rest } = alarmsOf(templateWith())[name];
    expect(rest).toEqual({ TreatMissingData: 'notBreaching', ...watched, ...limit });
    // The condition, a colon, the first thing to do, and where to read on.
    expect(AlarmDescription).toMatch(/^[A-Z0-9].{15,}: .{20,}\. Runbook: [\w/.#]+$/);
    expect(AlarmDescription).toContain(
      ` Runbook: docs/operations/runbooks.md#${name.toLowerCase()}`,
    );
  });

  test('counts the streams of each Region against its quota', () => {
    const { Metrics } = alarmsOf(templateWith()).StreamQuotaUtilizationHigh;
    expect(Metrics[0]).toMatchObject({
      Expression: '100 * region1 * tasks / 20',
      Label: 'Bedrock streams in use in the emptiest Region (percent of the quota)',
    });
    expect(Metrics[1].MetricStat).toMatchObject({
      ...{ Metric: { MetricName: 'CPUUtilization' }, Period: 60, Stat: 'SampleCount' },
    });
    expect(Metrics[2].MetricStat).toMatchObject({
      Metric: {
        MetricName: 'ActiveStreams',
        Dimensions: [
          { Name: 'lane', Value: 'us-east-1' },
          { Name: 'service', Value: 'voice-agent' },
        ],
      },
      ...{ Period: 60, Stat: 'Average' },
    });
    const wider = { bedrockRegions: 'us-east-1,us-west-2', streamQuotaPerRegion: 30 };
    const other = alarmsOf(templateWith(wider)).StreamQuotaUtilizationHigh;
    expect(other.Metrics[0].Expression).toBe('100 * MIN([region1, region2]) * tasks / 30');
    expect(other.AlarmDescription).toMatch(
      /^In each Region calls have used 80 percent or more of the 30 Bedrock streams/,
    );
  });

  test('counts the calls against the streams of all lanes together', () => {
    const role = 'arn:aws:iam::111122223333:role/lane';
    const lanes = [{ region: 'us-east-1' }, { region: 'us-east-1', role, streams: 50 }];
    const { Metrics, AlarmDescription } = alarmsOf(
      templateWith({ lanes, streamQuotaPerRegion: 30 }),
    ).StreamQuotaUtilizationHigh;
    expect(Metrics[0]).toMatchObject({ Expression: '100 * calls * tasks / 80' });
    expect(Metrics[2].MetricStat).toMatchObject({
      Metric: { MetricName: 'ActiveCalls' },
      Stat: 'Average',
    });
    expect(AlarmDescription).toMatch(
      /^Calls have used 80 percent or more of the 80 Bedrock streams of all lanes for 2 minutes/,
    );
  });

  test('knows the maximum of the parameter, or the highest of the schedules', () => {
    const most = (context = {}) =>
      flat(alarmsOf(templateWith(context)).TasksAtMaximum.Metrics[0].Expression);
    expect(most()).toBe(
      'IF(tasks >= <MaxTasks> AND 100 * demand / capacity > <TargetSlotUtilization>, 1, 0)',
    );
    const schedules = [
      { cron: '0 8 ? * MON-FRI', minTasks: 4, maxTasks: 20 },
      { cron: '0 19 ? * MON-FRI', minTasks: 1, maxTasks: 2 },
    ];
    expect(most({ schedules })).toContain('tasks >= 20 AND');
  });
});

/** TasksAtMaximum needs the limits of the scaling. */
const ALONE = TABLE.length - 1;

describe('alone in another stack', () => {
  const THRESHOLDS: [keyof AlarmThresholds, string, RegExp?][] = [
    ['slotUtilizationPercent', 'SlotUtilizationHigh', /^Slot utilization has been at 7 percent/],
    ['callsRejected', 'CallsRejected'],
    ['timeToAnswerP95Ms', 'TimeToAnswerHigh', /longer than 7 ms for the first/],
    ['timeToFirstAudioP90Ms', 'ReplyLatencyHigh', /longer than 7 ms to its/],
    ['streamErrors', 'StreamErrors'],
    ['throttles', 'Throttles'],
    [
      'streamQuotaPercent',
      'StreamQuotaUtilizationHigh',
      /^In each Region calls have used 7 percent or more of the 20 /,
    ],
    ['protectionFailures', 'ProtectionFailures'],
    ['taskCrashes', 'CrashLoop'],
  ];
  /** One service that is monitored once with the defaults, and once with each threshold changed. */
  const monitored = () =>
    templateOf(
      stackOf((scope) => {
        const agent = new VoiceAgentService(scope, 'Agent');
        new VoiceAgentMonitoring(scope, 'Unchanged', { agent });
        for (const [threshold] of THRESHOLDS) {
          new VoiceAgentMonitoring(scope, threshold, { agent, thresholds: { [threshold]: 7 } });
        }
      }),
    );
  let template: ReturnType<typeof templateWith>;
  beforeAll(() => {
    template = monitored();
  });

  test.each(THRESHOLDS)(
    'the threshold "%s" changes %s and nothing else',
    (threshold, name, sentence = /./) => {
      const before = alarmsOf(template, 'Unchanged');
      const after = alarmsOf(template, threshold);
      expect(after[name].Threshold).toBe(7);
      expect(after[name].AlarmDescription).toMatch(sentence);
      // Each has its own log of crashes, whose rule the alarm watches.
      const ofOneRule = ({ Dimensions, ...alarm }: Record<string, unknown>) =>
        JSON.stringify(Dimensions ?? '').includes('TaskCrashes') ? alarm : { ...alarm, Dimensions };
      const others = Object.keys(before).filter((key) => key !== name);
      expect(others).toHaveLength(ALONE - 1);
      for (const other of others) expect(ofOneRule(after[other])).toEqual(ofOneRule(before[other]));
    },
  );

  test('deprecated thresholds still work, with one warning each', () => {
    const stack = stackOf((scope) => {
      const agent = new VoiceAgentService(scope, 'Agent');
      const thresholds = { slotSharePercent: 7, callsRefused: 8, firstAudioP90Ms: 9 };
      new VoiceAgentMonitoring(scope, 'Monitoring', { agent, thresholds });
    });
    const alarms = alarmsOf(templateOf(stack));
    expect(alarms.SlotUtilizationHigh.Threshold).toBe(7);
    expect(alarms.CallsRejected.Threshold).toBe(8);
    expect(alarms.ReplyLatencyHigh.Threshold).toBe(9);
    for (const threshold of ['slotSharePercent', 'callsRefused', 'firstAudioP90Ms']) {
      annotationsOf(stack).hasWarning(
        '/elsewhere/Monitoring/Alarms',
        Match.stringLikeRegexp(`"${threshold}" is deprecated`),
      );
    }
  });

  test('an existing topic receives when an alarm goes off and when it is over', () => {
    const stack = stackOf((scope) => {
      const agent = new VoiceAgentService(scope, 'Agent');
      new VoiceAgentMonitoring(scope, 'Monitoring', {
        agent,
        alarmTopic: new Topic(scope, 'Theirs'),
      });
    });
    const alarms = Object.values(alarmsOf(templateOf(stack)));
    expect(alarms).toHaveLength(ALONE);
    for (const { AlarmActions, OKActions } of alarms) {
      expect([AlarmActions, OKActions].map(flat).join()).toMatch(/(\{"Ref":"Theirs\w+"\}.*){2}/);
    }
  });
});

describe('the alarms of somebody else’s stack', () => {
  const build = (props: Partial<VoiceAgentMonitoringProps>) => {
    let monitoring: VoiceAgentMonitoring | undefined;
    const stack = stackOf((scope) => {
      const topic = new Topic(scope, 'Pager');
      const page = new SnsAction(topic);
      monitoring = new VoiceAgentMonitoring(scope, 'Monitoring', {
        agent: new VoiceAgentService(scope, 'Agent'),
        alarmActions: { critical: [page] },
        alarmChanges: {
          CallsRejected: false,
          OverdueCalls: { evaluationPeriods: 9, actions: [page] },
        },
        ...props,
      });
    });
    return { alarms: alarmsOf(templateOf(stack)), monitoring };
  };
  const { alarms, monitoring } = build({});

  test('are by name, without those that are left out', () => {
    expect(alarms).not.toHaveProperty('CallsRejected');
    expect(Object.keys(monitoring?.alarms.byName ?? {}).sort()).toEqual(Object.keys(alarms).sort());
    expect(monitoring?.alarms.alarms).toHaveLength(Object.keys(alarms).length);
  });

  test('have the actions of their severity, and their own', () => {
    const acting = Object.keys(alarms).filter((name) => alarms[name].AlarmActions);
    const critical = Object.entries(RUNBOOKS)
      .filter(([name, { severity }]) => severity === 'critical' && alarms[name])
      .map(([name]) => name);
    expect(acting.sort()).toEqual([...critical, 'OverdueCalls'].sort());
    for (const name of acting) expect(alarms[name].OKActions).toEqual(alarms[name].AlarmActions);
  });

  test('look at more periods, and say so', () => {
    expect(alarms.OverdueCalls.EvaluationPeriods).toBe(9);
    expect(alarms.OverdueCalls.AlarmDescription).toContain(' (changed: for 9 periods): ');
  });
});
