// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { ContainerImage } from 'aws-cdk-lib/aws-ecs';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Duration } from 'aws-cdk-lib/core';
import { AwsSolutionsChecks } from 'cdk-nag';
import { SyntheticCall } from '../../../lib/monitoring/synthetic-call.js';
import { VoiceAgentService } from '../../../lib/service/voice-agent-service.js';
import { readSettings } from '../../../lib/settings/read-settings.js';
import { VoiceAgentStack } from '../../../lib/voice-agent-stack.js';
import {
  flat,
  newApp,
  only,
  PROJECT,
  resources,
  stackOf,
  statements,
  templateOf,
  templateWith,
} from '../synth.js';

const context = { syntheticCallMinutes: 5, agentName: 'support', bakeMinutes: 0 };
const template = templateWith(context);
// biome-ignore lint/suspicious/noExplicitAny: templates have no types
const taskDefinition = (of = template, prefix = 'SyntheticCall'): any =>
  resources(of, 'AWS::ECS::TaskDefinition').find(([id]) => id.startsWith(prefix))?.[1].Properties;
const rights = (owner: string) =>
  statements(template)
    .filter((statement) => statement.owner.startsWith(owner) && !statement.Principal)
    .map(({ Action, Resource }) => [Action, Resource.map(flat)]);

describe('the synthetic call', () => {
  test('is off by default', () => {
    templateWith().resourceCountIs('AWS::Scheduler::Schedule', 0);
    templateWith().resourceCountIs('AWS::ECS::TaskDefinition', 1);
  });

  test('is a task of its own at the interval, once and late by a minute at most', () => {
    const { ScheduleExpression, FlexibleTimeWindow, Target } = only(
      template,
      'AWS::Scheduler::Schedule',
    );
    expect([ScheduleExpression, FlexibleTimeWindow.Mode]).toEqual(['rate(5 minutes)', 'OFF']);
    expect(Target.RetryPolicy).toEqual({ MaximumEventAgeInSeconds: 60, MaximumRetryAttempts: 0 });
    expect(Target.EcsParameters).toMatchObject({
      LaunchType: 'FARGATE',
      PropagateTags: 'TASK_DEFINITION',
      NetworkConfiguration: only(template, 'AWS::ECS::Service').NetworkConfiguration,
    });
  });

  test('runs the program of the agent’s image, with the names of the agent and its secret', () => {
    const [agent] = taskDefinition(template, 'Agent').ContainerDefinitions;
    const [caller] = taskDefinition().ContainerDefinitions;
    expect(caller).toMatchObject({
      Image: agent.Image,
      Secrets: agent.Secrets,
      Command: ['node', 'dist/synthetic-call.js'],
      ReadonlyRootFilesystem: true,
      User: '1000:1000',
    });
    expect(caller.Environment).toEqual([
      { Name: 'LIVEKIT_AGENT_NAME', Value: 'support' },
      { Name: 'METRICS_NAMESPACE', Value: 'NovaSonicAgent' },
      { Name: 'SERVICE_NAME', Value: 'voice-agent' },
    ]);
    expect(taskDefinition()).toMatchObject({
      ...{ Cpu: '512', Memory: '1024', RuntimePlatform: { CpuArchitecture: 'ARM64' } },
    });
  });

  test('may read the secret of LiveKit and write the log, and the schedule may start it', () => {
    expect(rights('SyntheticCallTaskRole')).toEqual([]);
    const execution = rights('SyntheticCallExecutionRole');
    expect(execution.map(([actions]) => actions)).toEqual([
      [...['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer']],
      ['ecr:GetAuthorizationToken'],
      ['logs:CreateLogStream', 'logs:PutLogEvents'],
      ['secretsmanager:GetSecretValue'],
    ]);
    const scheduler = rights('SyntheticCallScheduleRole');
    expect(scheduler).toEqual(
      expect.arrayContaining([
        [['ecs:RunTask'], [expect.stringMatching(/^<SyntheticCallTask\w+>$/)]],
        [['ecs:TagResource'], [expect.stringMatching(/:task\/<AgentCluster\w+>\/\*$/)]],
        [
          ['iam:PassRole'],
          expect.arrayContaining([expect.stringMatching(/^<SyntheticCallExecutionRole\w+\.Arn>$/)]),
        ],
      ]),
    );
    expect(scheduler).toHaveLength(3);
    expect(JSON.stringify(scheduler)).not.toContain('"*"');
  });

  test('has an alarm when two calls in a row were not answered, or not made', () => {
    const alarm = resources(template, 'AWS::CloudWatch::Alarm').find(([id]) =>
      id.startsWith('MonitoringAlarmsSyntheticCallsFailing'),
    );
    expect(alarm?.[1].Properties).toMatchObject({
      ...{ MetricName: 'SyntheticCallsAnswered', Statistic: 'Sum', Period: 300 },
      ...{ EvaluationPeriods: 2, Threshold: 1, ComparisonOperator: 'LessThanThreshold' },
      TreatMissingData: 'breaching',
    });
  });

  test('leaves nothing for cdk-nag to find', () => {
    const app = newApp();
    const settings = readSettings(context);
    new VoiceAgentStack(app, 'voice-agent', { settings, projectRoot: PROJECT });
    const { violations } = new AwsSolutionsChecks().validateScope(app);
    expect(violations.map(({ ruleName }) => ruleName)).toEqual([]);
  });

  test('may read the credentials of a private registry with their own key', () => {
    const key = 'arn:aws:kms:us-east-1:111122223333:key/1';
    const stack = stackOf((scope) => {
      const credentials = Secret.fromSecretAttributes(scope, 'Credentials', {
        secretCompleteArn: 'arn:aws:secretsmanager:us-east-1:111122223333:secret:registry-AbCdEf',
        encryptionKey: Key.fromKeyArn(scope, 'Key', key),
      });
      const image = ContainerImage.fromRegistry('theirs', { credentials });
      new SyntheticCall(scope, 'SyntheticCall', {
        agent: new VoiceAgentService(scope, 'Agent', { image }),
      });
    });
    const decrypt = statements(templateOf(stack)).filter(({ Action }) =>
      Action.includes('kms:Decrypt'),
    );
    expect(decrypt.map(({ owner, Resource }) => [owner.slice(0, 14), Resource]).sort()).toEqual([
      ['AgentRolesExec', [key]],
      ['SyntheticCallE', [key]],
    ]);
  });

  test('takes an image and a program of one’s own, and refuses an interval that is none', () => {
    const build = (interval: Duration) =>
      stackOf((scope) => {
        const image = ContainerImage.fromRegistry('theirs');
        const agent = new VoiceAgentService(scope, 'Agent', { image });
        new SyntheticCall(scope, 'SyntheticCall', { agent, interval, command: ['call'] });
      });
    const [caller] = taskDefinition(templateOf(build(Duration.hours(1)))).ContainerDefinitions;
    expect([caller.Image, caller.Command]).toEqual(['theirs', ['call']]);
    expect(() => build(Duration.days(2))).toThrow(
      '"interval" cannot be 2880: it must be a whole number from 1 to 1440 minutes.',
    );
  });
});
