// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { Template } from 'aws-cdk-lib/assertions';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import {
  Cluster,
  ContainerImage,
  FargateService,
  FargateTaskDefinition,
} from 'aws-cdk-lib/aws-ecs';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import * as lib from '../../lib/index.js';
import { foreignApp, quietly } from './synth.js';

/** A service that is not ours. */
function theirService(scope: Construct): FargateService {
  const taskDefinition = new FargateTaskDefinition(scope, 'Task');
  taskDefinition.addContainer('Main', { image: ContainerImage.fromRegistry('theirs') });
  const cluster = new Cluster(scope, 'Cluster', { vpc: new Vpc(scope, 'Vpc') });
  return new FargateService(scope, 'Service', { cluster, taskDefinition });
}

const metrics = () => new lib.AgentMetrics({ serviceName: 'theirs' });

/** Each construct with the fewest props, and how many resources of a type it creates. */
const TABLE: Record<string, [build: (scope: Construct) => void, makes: Record<string, number>]> = {
  AgentAlarms: [
    (scope) => {
      const service = theirService(scope);
      const crashes = new lib.TaskCrashLog(scope, 'Crashes', {
        service,
        retention: RetentionDays.ONE_DAY,
      });
      new lib.AgentAlarms(scope, 'It', {
        service,
        metrics: metrics(),
        taskCrashes: (period) => crashes.metricCrashes({ period }),
        streamQuotaPerRegion: 20,
        regions: ['us-east-1'],
      });
    },
    // TasksAtMaximum needs the limits of the scaling.
    { 'AWS::CloudWatch::Alarm': 17 },
  ],
  DeploymentAlarms: [
    (scope) => {
      const agent = new lib.VoiceAgentService(scope, 'Agent');
      new lib.DeploymentAlarms(scope, 'It', { agent });
    },
    { 'AWS::CloudWatch::Alarm': 4 },
  ],
  AgentDashboard: [
    (scope) => {
      new lib.AgentDashboard(scope, 'It', {
        service: theirService(scope),
        metrics: metrics(),
        logGroup: new LogGroup(scope, 'Log'),
        alarms: [],
        streamQuota: 20,
        regions: ['us-east-1'],
      });
    },
    { 'AWS::CloudWatch::Dashboard': 1 },
  ],
  AgentImage: [(scope) => new lib.AgentImage(scope, 'It'), {}],
  BedrockLaneRole: [
    (scope) =>
      new lib.BedrockLaneRole(scope, 'It', { taskRoleArn: 'arn:aws:iam::111122223333:role/task' }),
    { 'AWS::IAM::Role': 1, 'AWS::IAM::Policy': 1 },
  ],
  AgentNetwork: [
    (scope) => new lib.AgentNetwork(scope, 'It'),
    { 'AWS::EC2::VPC': 1, 'AWS::EC2::SecurityGroup': 1, 'AWS::EC2::FlowLog': 1 },
  ],
  LiveKitCredentials: [(scope) => new lib.LiveKitCredentials(scope, 'It'), {}],
  NovaSonicAccess: [(scope) => new lib.NovaSonicAccess(scope, 'It'), {}],
  LogsInsightsQueries: [
    (scope) => {
      const logGroup = new LogGroup(scope, 'Log');
      new lib.LogsInsightsQueries(scope, 'It', { logGroup, serviceName: 'theirs' });
    },
    { 'AWS::Logs::QueryDefinition': 6 },
  ],
  MonthlyBudget: [
    (scope) => new lib.MonthlyBudget(scope, 'It', { amountUsd: 100, emails: ['a@example.com'] }),
    { 'AWS::Budgets::Budget': 1 },
  ],
  CallScaling: [
    (scope) => {
      new lib.CallScaling(scope, 'It', { service: theirService(scope), metrics: metrics() });
    },
    {
      'AWS::ApplicationAutoScaling::ScalableTarget': 1,
      'AWS::ApplicationAutoScaling::ScalingPolicy': 2,
    },
  ],
  SyntheticCall: [
    (scope) => {
      const agent = new lib.VoiceAgentService(scope, 'Agent');
      new lib.SyntheticCall(scope, 'It', { agent });
    },
    { 'AWS::Scheduler::Schedule': 1, 'AWS::ECS::TaskDefinition': 2 },
  ],
  TaskCrashLog: [
    (scope) => {
      const retention = RetentionDays.ONE_DAY;
      new lib.TaskCrashLog(scope, 'It', { service: theirService(scope), retention });
    },
    { 'AWS::Events::Rule': 1, 'AWS::Logs::LogGroup': 1 },
  ],
  VoiceAgentMonitoring: [
    (scope) => {
      const agent = new lib.VoiceAgentService(scope, 'Agent');
      new lib.VoiceAgentMonitoring(scope, 'It', { agent });
    },
    { 'AWS::CloudWatch::Alarm': 17, 'AWS::CloudWatch::Dashboard': 1, 'AWS::SNS::Topic': 0 },
  ],
  VoiceAgentService: [
    (scope) => new lib.VoiceAgentService(scope, 'It'),
    {
      ...{ 'AWS::EC2::VPC': 1, 'AWS::ECS::Cluster': 1, 'AWS::ECS::Service': 1 },
      ...{ 'AWS::ECS::TaskDefinition': 1, 'AWS::IAM::Role': 3 },
    },
  ],
};

const OLD_NAMES = {
  DEFAULT_PRICES: 'DEFAULT_TOKEN_PRICES',
  SavedQueries: 'LogsInsightsQueries',
  SessionScaling: 'CallScaling',
};

/** The template of a stack in an app with other feature flags than ours. */
const foreign = (build: (scope: Construct) => void, props = {}) => {
  const stack = new Stack(foreignApp(), 'theirs', props);
  build(stack);
  return quietly(() => Template.fromStack(stack));
};

describe('in another stack, with the fewest props', () => {
  test.each(Object.entries(TABLE))('%s creates the expected resources', (_name, [build, makes]) => {
    const template = foreign(build);
    for (const [type, count] of Object.entries(makes)) template.resourceCountIs(type, count);
  });

  test('every construct is tried', () => {
    const constructs = Object.entries(lib as Record<string, unknown>)
      .filter(([, value]) => typeof value === 'function' && value.prototype instanceof Construct)
      .map(([name]) => name)
      .filter((name) => !(name in OLD_NAMES));
    expect(constructs.sort()).toEqual([...Object.keys(TABLE), 'VoiceAgentStack'].sort());
  });

  test.each(Object.entries(OLD_NAMES))('%s is still exported, as %s', (oldName, newName) => {
    const exported = lib as Record<string, unknown>;
    expect(exported[oldName]).toBe(exported[newName]);
    expect(exported[oldName]).toBeDefined();
  });

  test('two agents in one stack have different names', () => {
    const template = foreign((scope) => {
      for (const id of ['Sales', 'Support']) {
        const agent = new lib.VoiceAgentService(scope, id);
        new lib.CallScaling(scope, `${id}Scaling`, {
          service: agent.service,
          metrics: agent.metrics,
        });
        new lib.VoiceAgentMonitoring(scope, `${id}Monitoring`, { agent });
      }
    });
    const names = JSON.stringify(template.toJSON()).match(/"SERVICE_NAME","Value":"[^"]+/g) ?? [];
    expect(new Set(names).size).toBe(2);
    const queries = Object.values(template.findResources('AWS::Logs::QueryDefinition')).map(
      ({ Properties }) => Properties.Name,
    );
    expect(new Set(queries).size).toBe(12);
  });

  test('an account and a Region may be given', () => {
    const env = { account: '111122223333', region: 'eu-north-1' };
    const template = foreign(
      (scope) => {
        const network = new lib.AgentNetwork(
          scope,
          'Network',
          lib.importVpc(scope, 'vpc-01234567', ['subnet-01234567']),
        );
        new lib.VoiceAgentService(scope, 'Agent', { network });
      },
      { env },
    );
    expect(JSON.stringify(template.toJSON())).toContain(
      ':secretsmanager:eu-north-1:111122223333:secret:nova-sonic-agent/livekit',
    );
  });
});
