// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { flat, only, resources, statements, templateWith } from './synth.js';

const alarm = (name: string, context = {}) =>
  resources(templateWith(context), 'AWS::CloudWatch::Alarm').find(([id]) =>
    id.startsWith(`MonitoringAlarms${name}`),
  )?.[1].Properties;

describe('alarms', () => {
  test.each([
    [
      'NoTaskRunning',
      {
        MetricName: 'CPUUtilization',
        Namespace: 'AWS/ECS',
        Statistic: 'SampleCount',
        Threshold: 1,
        ComparisonOperator: 'LessThanThreshold',
        TreatMissingData: 'breaching',
        EvaluationPeriods: 3,
      },
    ],
    [
      'NoTaskRegistered',
      {
        MetricName: 'Registered',
        Statistic: 'Maximum',
        Threshold: 1,
        ComparisonOperator: 'LessThanThreshold',
        TreatMissingData: 'notBreaching',
      },
    ],
    [
      'MetricsSilent',
      {
        MetricName: 'SlotShare',
        Statistic: 'SampleCount',
        Threshold: 1,
        ComparisonOperator: 'LessThanThreshold',
        TreatMissingData: 'breaching',
      },
    ],
    ['CallsRefused', { MetricName: 'CallsRefused', Statistic: 'Sum', Threshold: 5, Period: 300 }],
    [
      'RepliesSlow',
      {
        MetricName: 'FirstAudioMs',
        ExtendedStatistic: 'p90',
        Threshold: 2500,
        Period: 300,
        EvaluationPeriods: 3,
      },
    ],
    ['StreamErrors', { MetricName: 'StreamErrors', Statistic: 'Sum', Threshold: 5 }],
    ['Throttles', { MetricName: 'Throttles', Statistic: 'Sum', Threshold: 1 }],
    ['CallsCrashed', { MetricName: 'JobCrashes', Statistic: 'Sum', Threshold: 1 }],
    [
      'ProtectionFailures',
      { MetricName: 'ProtectionFailures', Statistic: 'Sum', Threshold: 1, EvaluationPeriods: 2 },
    ],
    [
      'CrashLoop',
      {
        MetricName: 'TriggeredRules',
        Namespace: 'AWS/Events',
        Statistic: 'Sum',
        Threshold: 3,
        Period: 900,
      },
    ],
  ])('%s watches what it says', (name, expected) => {
    expect(alarm(name)).toMatchObject({
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      TreatMissingData: 'notBreaching',
      ...expected,
    });
  });

  const expression = (name: string, context = {}) => {
    const metrics = alarm(name, context)?.Metrics as { Expression?: unknown }[];
    return flat(metrics.find(({ Expression }) => Expression)?.Expression);
  };

  test('of full slots goes off only when no further task may start', () => {
    expect(expression('SlotsNearlyFullAtMaximum')).toBe('IF(tasks >= <MaxTasks>, share, 0)');
    expect(alarm('SlotsNearlyFullAtMaximum')).toMatchObject({ Threshold: 90 });
  });

  test('of the stream quota goes off at 80 percent of all Regions together', () => {
    expect(expression('StreamQuotaNearlyUsed')).toBe('100 * calls * tasks / 20');
    expect(
      expression('StreamQuotaNearlyUsed', {
        bedrockRegions: 'us-east-1,us-west-2',
        streamQuotaPerRegion: 30,
      }),
    ).toBe('100 * calls * tasks / 60');
    expect(alarm('StreamQuotaNearlyUsed')).toMatchObject({ Threshold: 80 });
  });

  test('each say what to do first', () => {
    const all = resources(templateWith(), 'AWS::CloudWatch::Alarm').filter(([id]) =>
      id.startsWith('Monitoring'),
    );
    expect(all).toHaveLength(12);
    for (const [id, { Properties }] of all) {
      expect([id, Properties.AlarmDescription]).toEqual([id, expect.stringMatching(/: .{20,}\.$/)]);
    }
  });

  test('tell nobody by default, and one address when given', () => {
    templateWith().resourceCountIs('AWS::SNS::Topic', 0);
    expect(alarm('NoTaskRunning')).not.toHaveProperty('AlarmActions');
    const context = { alarmEmail: 'ops@example.com' };
    const template = templateWith(context);
    expect(only(template, 'AWS::SNS::Subscription')).toMatchObject({
      Protocol: 'email',
      Endpoint: 'ops@example.com',
    });
    const [topic] = resources(template, 'AWS::SNS::Topic')[0] ?? [];
    for (const [id, { Properties }] of resources(template, 'AWS::CloudWatch::Alarm')) {
      if (!id.startsWith('Monitoring')) continue;
      expect(Properties.AlarmActions).toEqual([{ Ref: topic }]);
      expect(Properties.OKActions).toEqual([{ Ref: topic }]);
    }
  });

  test('may publish to the topic, which refuses what is not encrypted on the way', () => {
    const policy = statements(templateWith({ alarmEmail: 'ops@example.com' })).filter(({ owner }) =>
      owner.includes('AlarmTopic'),
    );
    expect(policy).toContainEqual(
      expect.objectContaining({
        Effect: 'Allow',
        Action: ['sns:Publish'],
        Principal: { Service: 'cloudwatch.amazonaws.com' },
      }),
    );
    expect(policy).toContainEqual(
      expect.objectContaining({
        Effect: 'Deny',
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      }),
    );
  });
});

describe('the dashboard', () => {
  const body = (context = {}) =>
    flat(only(templateWith(context), 'AWS::CloudWatch::Dashboard').DashboardBody);

  test('answers its questions from the top down', () => {
    const titles = [...body().matchAll(/"markdown":"## ([^"]+)"/g)].map(([, text]) => text);
    expect(titles).toEqual([
      'Are calls answered?',
      'How fast?',
      'How many?',
      'What fails?',
      'What does it cost?',
    ]);
  });

  test('has every metric that the workers publish', () => {
    const published = [
      ...[
        'ActiveCalls',
        'SlotShare',
        'CallsAccepted',
        'CallsRefused',
        'CallSeconds',
        'FirstAudioMs',
      ],
      ...[
        'BargeInMs',
        'StreamRenewals',
        'StreamErrors',
        'Throttles',
        'FailOvers',
        'ProtectionFailures',
      ],
      ...[
        'InputSpeechTokens',
        'OutputSpeechTokens',
        'InputTextTokens',
        'OutputTextTokens',
        'CostUsd',
      ],
      ...['ToolMs', 'ToolErrors', 'JobCrashes'],
    ];
    for (const metric of published) expect(body()).toContain(metric);
    expect(body({ bedrockRegions: 'us-east-1,us-west-2' })).toContain('"region","us-west-2"');
  });

  test('tells the cost of a call-minute', () => {
    expect(body()).toContain('60 * usd / seconds');
  });
});

describe('saved queries', () => {
  const queries = () =>
    resources(templateWith(), 'AWS::Logs::QueryDefinition').map(([, { Properties }]) => Properties);

  test('are those that one asks first, under the name of the service', () => {
    expect(queries().map(({ Name }) => Name)).toEqual(
      [
        'a call by id',
        'errors by kind',
        'slowest replies',
        'calls and their cost',
        'why calls ended',
      ].map((name) => `voice-agent/voice-agent/${name}`),
    );
  });

  test('read the log of the workers', () => {
    const log = resources(templateWith(), 'AWS::Logs::LogGroup').find(([id]) =>
      id.startsWith('Log'),
    )?.[0];
    for (const { LogGroupNames } of queries()) expect(LogGroupNames).toEqual([{ Ref: log }]);
    expect(queries()[0]?.QueryString).toContain('filter call_id = ');
  });
});

describe('logs', () => {
  const logs = (context = {}) =>
    resources(templateWith(context), 'AWS::Logs::LogGroup').map(([id, resource]) => ({
      id,
      ...resource,
    }));

  test('are kept for a month, or as long as is set', () => {
    expect(logs().map(({ Properties }) => Properties.RetentionInDays)).toEqual([30, 30, 30]);
    expect(
      logs({ logRetentionDays: 7 }).map(({ Properties }) => Properties.RetentionInDays),
    ).toEqual([7, 7, 7]);
  });

  test('of the workers outlive the stack, and are encrypted when asked', () => {
    const key = 'arn:aws:kms:us-east-1:111122223333:key/0a1b2c3d-0000-1111-2222-333344445555';
    const worker = logs({ logKmsKey: key }).find(({ id }) => id.startsWith('Log'));
    expect(worker).toMatchObject({ DeletionPolicy: 'Retain', Properties: { KmsKeyId: key } });
    expect(logs().find(({ id }) => id.startsWith('Log'))?.Properties).not.toHaveProperty(
      'KmsKeyId',
    );
  });
});

describe('the log of crashes', () => {
  test('has tasks of this service that ended on their own', () => {
    const { EventPattern, Targets } = only(templateWith(), 'AWS::Events::Rule');
    expect(EventPattern).toMatchObject({
      source: ['aws.ecs'],
      'detail-type': ['ECS Task State Change'],
      detail: {
        lastStatus: ['STOPPED'],
        $or: [
          { stopCode: ['EssentialContainerExited', 'TaskFailedToStart'] },
          { stoppedReason: [{ prefix: 'Task failed container health checks' }] },
        ],
      },
    });
    expect(flat(EventPattern.detail.group[0])).toMatch(/^service:<AgentService\w+\.Name>$/);
    expect(flat(Targets[0].Arn)).toMatch(/:log-group:<MonitoringTaskCrashesLog\w+>$/);
  });

  test('lets EventBridge write, by a policy of its own', () => {
    const [writes] = statements(templateWith()).filter(({ owner }) =>
      owner.startsWith('MonitoringTaskCrashesLog'),
    );
    expect(writes).toMatchObject({
      Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      Principal: { Service: ['events.amazonaws.com', 'delivery.logs.amazonaws.com'] },
    });
  });
});
