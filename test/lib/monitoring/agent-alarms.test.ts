// SPDX-License-Identifier: Apache-2.0

import { beforeAll, describe, expect, test } from '@jest/globals';
import { Topic } from 'aws-cdk-lib/aws-sns';
import type { AlarmThresholds } from '../../../lib/monitoring/runbooks.js';
import { VoiceAgentMonitoring } from '../../../lib/monitoring/voice-agent-monitoring.js';
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
    'CallsRejected',
    { ...OURS, MetricName: 'CallsRejected', Statistic: 'Sum', Period: 300 },
    { EvaluationPeriods: 1, Threshold: 5, ComparisonOperator: UP },
  ],
  [
    'StreamQuotaUtilizationHigh',
    {},
    { EvaluationPeriods: 2, Threshold: 80, ComparisonOperator: UP },
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
    { ...OURS, MetricName: 'Throttles', Statistic: 'Sum', Period: 300 },
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

  test('counts live calls against the streams of all Regions together', () => {
    const { Metrics } = alarmsOf(templateWith()).StreamQuotaUtilizationHigh;
    const expression = { Expression: '100 * calls * tasks / 20', ReturnData: true };
    const label = { Label: 'Bedrock streams in use (percent of the quota)' };
    expect(Metrics).toEqual([
      expect.objectContaining({ ...expression, ...label }),
      expect.objectContaining({ Id: 'tasks', ReturnData: false }),
      expect.objectContaining({ Id: 'calls', ReturnData: false }),
    ]);
    expect(Metrics[1].MetricStat).toMatchObject({
      ...{ Metric: { MetricName: 'CPUUtilization' }, Period: 60, Stat: 'SampleCount' },
    });
    expect(Metrics[2].MetricStat).toMatchObject({
      ...{ Metric: { MetricName: 'ActiveCalls' }, Period: 60, Stat: 'Average' },
    });
    const wider = { bedrockRegions: 'us-east-1,us-west-2', streamQuotaPerRegion: 30 };
    const other = alarmsOf(templateWith(wider)).StreamQuotaUtilizationHigh;
    expect(flat(other.Metrics[0].Expression)).toBe('100 * calls * tasks / 60');
    expect(other.AlarmDescription).toMatch(
      /^Calls have used 80 percent or more of the 60 Bedrock streams/,
    );
  });
});

describe('alone in another stack', () => {
  const THRESHOLDS: [keyof AlarmThresholds, string, RegExp?][] = [
    ['slotUtilizationPercent', 'SlotUtilizationHigh', /^Slot utilization has been at 7 percent/],
    ['callsRejected', 'CallsRejected'],
    ['timeToFirstAudioP90Ms', 'ReplyLatencyHigh', /longer than 7 ms to its/],
    ['streamErrors', 'StreamErrors'],
    ['throttles', 'Throttles'],
    [
      'streamQuotaPercent',
      'StreamQuotaUtilizationHigh',
      /^Calls have used 7 percent or more of the 20 /,
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
      expect(others).toHaveLength(TABLE.length - 1);
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
    expect(alarms).toHaveLength(TABLE.length);
    for (const { AlarmActions, OKActions } of alarms) {
      expect([AlarmActions, OKActions].map(flat).join()).toMatch(/(\{"Ref":"Theirs\w+"\}.*){2}/);
    }
  });
});
