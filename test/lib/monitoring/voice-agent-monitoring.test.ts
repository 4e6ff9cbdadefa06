// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { VoiceAgentMonitoring } from '../../../lib/monitoring/voice-agent-monitoring.js';
import { VoiceAgentService } from '../../../lib/service/voice-agent-service.js';
import {
  flat,
  only,
  resources,
  stackOf,
  stackWith,
  statements,
  templateOf,
  templateWith,
} from '../synth.js';

const alarm = (name: string, context = {}) =>
  resources(templateWith(context), 'AWS::CloudWatch::Alarm').find(([id]) =>
    id.startsWith(`MonitoringAlarms${name}`),
  )?.[1].Properties;

describe('alarms', () => {
  test('notify no one by default, and one address when it is set', () => {
    templateWith().resourceCountIs('AWS::SNS::Topic', 0);
    expect(alarm('NoTaskRunning')).not.toHaveProperty('AlarmActions');
    const context = { alarmEmail: 'ops@example.com' };
    const template = templateWith(context);
    expect(only(template, 'AWS::SNS::Subscription')).toMatchObject({
      Protocol: 'email',
      Endpoint: 'ops@example.com',
    });
    expect(only(template, 'AWS::SNS::Topic').DisplayName).toBe('Voice agent alarms');
    const { monitoring } = stackWith(context);
    expect(monitoring.alarmTopic).toBe(monitoring.node.findChild('AlarmTopic'));
    const [topic] = resources(template, 'AWS::SNS::Topic')[0] ?? [];
    for (const [id, { Properties }] of resources(template, 'AWS::CloudWatch::Alarm')) {
      if (!id.startsWith('Monitoring')) continue;
      expect(Properties.AlarmActions).toEqual([{ Ref: topic }]);
      expect(Properties.OKActions).toEqual([{ Ref: topic }]);
    }
  });

  test('may publish to the topic, which requires encryption in transit', () => {
    const policy = statements(templateWith({ alarmEmail: 'ops@example.com' })).filter(({ owner }) =>
      owner.includes('AlarmTopic'),
    );
    const [publish] = policy.filter(({ Effect }) => Effect === 'Allow');
    expect(publish).toMatchObject({
      Action: ['sns:Publish'],
      Principal: { Service: 'cloudwatch.amazonaws.com' },
      Condition: {
        StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } },
        ArnLike: { 'aws:SourceArn': expect.anything() },
      },
    });
    const { ArnLike } = (publish as { Condition: { ArnLike: object } }).Condition;
    expect(flat(Object.values(ArnLike)[0])).toBe(
      'arn:<AWS::Partition>:cloudwatch:<AWS::Region>:<AWS::AccountId>:alarm:*',
    );
    expect(policy).toContainEqual(
      expect.objectContaining({
        Effect: 'Deny',
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      }),
    );
  });
});

test('alarms and dashboard are about the lanes of all accounts, where there are some', () => {
  const role = 'arn:aws:iam::111122223333:role/lane';
  const lanes = [{ region: 'us-east-1' }, { region: 'us-east-1', role, streams: 29 }];
  const template = templateWith({ lanes });
  const descriptions = resources(template, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) =>
    flat(Properties.AlarmDescription),
  );
  expect(
    descriptions.filter((text) => /the 49 Bedrock streams of all lanes/.test(text)),
  ).toHaveLength(1);
  const { DashboardBody } = only(template, 'AWS::CloudWatch::Dashboard');
  expect(flat(DashboardBody)).toContain('111122223333/us-east-1');
});

test('crashes of tasks are logged from the first task to the last', () => {
  const template = templateWith();
  const [[, service] = []] = resources(template, 'AWS::ECS::Service');
  const rules = resources(template, 'AWS::Events::Rule').map(([id]) => id);
  expect(rules.filter((id) => id.startsWith('MonitoringTaskCrashes'))).not.toEqual([]);
  expect(service?.DependsOn).toEqual(
    expect.arrayContaining(rules.filter((id) => id.startsWith('MonitoringTaskCrashes'))),
  );
});

test('an existing topic is used, and the address subscribed to it', () => {
  const template = templateOf(
    stackOf((scope) => {
      const alarmTopic = new Topic(scope, 'Theirs');
      const agent = new VoiceAgentService(scope, 'Agent');
      const alarmEmail = 'ops@example.com';
      new VoiceAgentMonitoring(scope, 'Monitoring', { agent, alarmTopic, alarmEmail });
    }),
  );
  expect(flat(only(template, 'AWS::SNS::Subscription').TopicArn)).toMatch(/^<Theirs\w+>$/);
  template.resourceCountIs('AWS::SNS::Topic', 1);
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
