// SPDX-License-Identifier: Apache-2.0

// Long because each prop of one construct is tried here.

import { describe, expect, test } from '@jest/globals';

import { Port, SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import {
  AlarmBehavior,
  Cluster,
  ContainerImage,
  ContainerInsights,
  CpuArchitecture,
  FargatePlatformVersion,
} from 'aws-cdk-lib/aws-ecs';
import { Duration } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { AgentImage } from '../../../lib/image/agent-image.js';
import { AgentNetwork } from '../../../lib/network/agent-network.js';
import { VoiceAgentService } from '../../../lib/service/voice-agent-service.js';
import type { VoiceAgentServiceProps } from '../../../lib/service/voice-agent-service-props.js';
import {
  annotationsOf,
  container,
  environmentOf,
  flat,
  Match,
  only,
  resources,
  stackOf,
  stackWith,
  statements,
  templateOf,
  templateWith,
} from '../synth.js';

const alone = (props?: VoiceAgentServiceProps) =>
  stackOf((scope) => new VoiceAgentService(scope, 'Agent', props));

describe('alone in another stack', () => {
  test('an image is built for ARM64 unless asked otherwise', () => {
    const platform = (architecture?: CpuArchitecture) => {
      let image: AgentImage | undefined;
      stackOf((scope) => {
        image = new AgentImage(scope, 'Image', { ...(architecture && { architecture }) });
      });
      return image?.architecture;
    };
    expect(platform()).toBe(CpuArchitecture.ARM64);
    expect(platform(CpuArchitecture.X86_64)).toBe(CpuArchitecture.X86_64);
  });

  test('needs no props and creates VPC, cluster and log group', () => {
    const template = templateOf(alone());
    for (const type of ['AWS::EC2::VPC', 'AWS::ECS::Cluster', 'AWS::ECS::Service']) {
      template.resourceCountIs(type, 1);
    }
    template.resourceCountIs('AWS::ECS::ClusterCapacityProviderAssociations', 0);
    expect(only(template, 'AWS::ECS::TaskDefinition').RuntimePlatform).toEqual({
      CpuArchitecture: 'ARM64',
      OperatingSystemFamily: 'LINUX',
    });
    // The same defaults as the app's, but for the parameter and the name.
    expect(environmentOf(template)).toEqual({
      ...environmentOf(templateWith()),
      CALLS_PER_TASK: '10',
      SERVICE_NAME: expect.stringMatching(/^elsewhere-Agent-/),
    });
  });

  test('is called by at most sixty characters of its path', () => {
    const stack = stackOf((scope) => {
      new VoiceAgentService(new Construct(scope, 'x'.repeat(80)), 'Agent');
    });
    expect(environmentOf(templateOf(stack)).SERVICE_NAME).toHaveLength(60);
  });

  test('builds its image for its processor', () => {
    const stack = alone({ architecture: CpuArchitecture.X86_64 });
    const image = stack.node.findChild('Agent').node.findChild('Image') as AgentImage;
    expect(image.architecture).toBe(CpuArchitecture.X86_64);
  });

  test('grants permissions of tools to the code in the container, and exposes its call slots', () => {
    const stack = alone();
    expect(stack.node.findChild('Agent')).toHaveProperty('grantPrincipal.roleArn');
    expect(stack.node.findChild('Agent')).toHaveProperty('callsPerTask', 10);
  });

  const FARGATE = 'Fargate kills a container 120 s after SIGTERM';
  test.each<[string, VoiceAgentServiceProps, string]>([
    [
      '600 s to stop',
      { stopTimeout: Duration.minutes(10) },
      `"stopTimeout" cannot be 600: ${FARGATE}`,
    ],
    [
      '5 s to stop',
      { stopTimeout: Duration.seconds(5) },
      '"stopTimeout" cannot be 5: it must be at least 20, of which the last 10 are for closing streams.',
    ],
    [
      'a size that Fargate lacks',
      { cpu: 1024, memory: 16384 },
      '"memory" cannot be 16384 with "cpu" 1024: Fargate offers 2048 to 8192 MiB in steps of 1024 with it.',
    ],
    [
      'an odd size',
      { cpu: 1000 },
      '"cpu" cannot be 1000: Fargate offers 256, 512, 1024, 2048, 4096, 8192, 16384 CPU units.',
    ],
    [
      'more calls than fit',
      { callsPerTask: 50 },
      '"callsPerTask" cannot be 50 with "memory" 4096: 50 calls take 300 + 5 x 150 + 50 x 40 = 3050 MiB, and half of the memory is for a process that grows, so lower it to 30 or raise "memory".',
    ],
    [
      'more calls than fit, each with a process',
      { callsPerTask: 19, callsPerProcess: 1 },
      '"callsPerTask" cannot be 19 with "memory" 4096: 19 calls take 300 + 21 x 150 + 19 x 40 = 4210 MiB, so lower it to 18 or raise "memory".',
    ],
    ...[0, 2.5, 101].map((callsPerTask): [string, VoiceAgentServiceProps, string] => [
      `${callsPerTask} calls`,
      { callsPerTask, cpu: 8192, memory: 61440 },
      `"callsPerTask" cannot be ${callsPerTask}: it must be a whole number from 1 to 100.`,
    ]),
    [
      'processes without a call',
      { callsPerProcess: 0 },
      '"callsPerProcess" cannot be 0: it must be a whole number from 1 to 100.',
    ],
    [
      'calls of two days, with which the worker would not start',
      { maxCallLength: Duration.days(2) },
      '"maxCallLength" cannot be 172800: it must be a whole number from 60 to 86400 seconds.',
    ],
    [
      'streams older than Bedrock lets them be',
      { renewAfter: Duration.minutes(8) },
      '"renewAfter" cannot be 480: it must be a whole number from 10 to 470 seconds.',
    ],
    ...[60, 86_400].map((edge): [string, VoiceAgentServiceProps, string] => [
      `a call just beyond ${edge} s`,
      { maxCallLength: Duration.seconds(edge === 60 ? 59 : 86_401) },
      'it must be a whole number from 60 to 86400 seconds.',
    ]),
    [
      'variables that come from elsewhere',
      { environment: { LIVEKIT_API_KEY: 'key' } },
      '"environment" cannot have LIVEKIT_API_KEY: it comes from the secret, from ECS or from another setting.',
    ],
  ])('refuses %s', (_what, props, sentence) => {
    expect(() => alone(props)).toThrow(sentence);
  });

  test.each<[string, VoiceAgentServiceProps]>([
    ['the most', { callsPerTask: 100, cpu: 8192, memory: 61440 }],
    ['the longest', { maxCallLength: Duration.days(1), renewAfter: Duration.seconds(470) }],
    [
      'the shortest',
      {
        maxCallLength: Duration.minutes(1),
        renewAfter: Duration.seconds(10),
        stopTimeout: Duration.seconds(20),
      },
    ],
  ])('takes %s', (_what, props) => {
    expect(() => alone(props)).not.toThrow();
  });

  const withImage = (image: CpuArchitecture, architecture?: CpuArchitecture) =>
    stackOf((scope) => {
      new VoiceAgentService(scope, 'Agent', {
        image: new AgentImage(scope, 'Image', { architecture: image }),
        ...(architecture && { architecture }),
      });
    });

  test('runs on the processor of an image that is given', () => {
    const task = only(templateOf(withImage(CpuArchitecture.X86_64)), 'AWS::ECS::TaskDefinition');
    expect(task.RuntimePlatform.CpuArchitecture).toBe('X86_64');
  });

  test('rejects an image for another processor', () => {
    expect(() => withImage(CpuArchitecture.X86_64, CpuArchitecture.X86_64)).not.toThrow();
    expect(() => withImage(CpuArchitecture.X86_64, CpuArchitecture.ARM64)).toThrow(
      new Error(
        '"image" was built for another processor than "architecture": set both to the same.',
      ),
    );
  });

  test('runs in an existing cluster, and rejects a change of its Container Insights', () => {
    const inTheirs = (props: VoiceAgentServiceProps = {}) =>
      stackOf((scope) => {
        const network = new AgentNetwork(scope, 'Network');
        const cluster = new Cluster(scope, 'Theirs', { vpc: network.vpc });
        new VoiceAgentService(scope, 'Agent', { network, cluster, ...props });
      });
    const template = templateOf(inTheirs());
    template.resourceCountIs('AWS::ECS::Cluster', 1);
    expect(flat(only(template, 'AWS::ECS::Service').Cluster)).toMatch(/^<Theirs\w+>$/);
    expect(() => inTheirs({ containerInsights: ContainerInsights.ENABLED })).toThrow(
      new Error('"containerInsights" is for a new cluster and cannot be set with "cluster".'),
    );
  });

  test('keeps a new log group for a month, and when the stack is deleted', () => {
    const [, log] =
      resources(templateOf(alone()), 'AWS::Logs::LogGroup').find(([id]) =>
        id.startsWith('AgentLog'),
      ) ?? [];
    expect(log).toMatchObject({ DeletionPolicy: 'Retain', Properties: { RetentionInDays: 30 } });
  });

  test('turns Container Insights on when asked', () => {
    const insights = (props?: VoiceAgentServiceProps) =>
      only(templateOf(alone(props)), 'AWS::ECS::Cluster').ClusterSettings;
    expect(insights()).toEqual([{ Name: 'containerInsights', Value: 'disabled' }]);
    expect(insights({ containerInsights: ContainerInsights.ENHANCED })).toEqual([
      { Name: 'containerInsights', Value: 'enhanced' },
    ]);
  });

  test('has settings for all kinds of Container Insights', () => {
    const insights = (containerInsights: string) =>
      only(templateWith({ containerInsights }), 'AWS::ECS::Cluster').ClusterSettings[0].Value;
    expect(['off', 'on', 'enhanced'].map(insights)).toEqual(['disabled', 'enabled', 'enhanced']);
  });
});

describe('what an operator may want', () => {
  const DIGEST = `sha256:${'0a'.repeat(32)}`;
  const rightsOf = (template: ReturnType<typeof templateWith>, role: string) =>
    statements(template)
      .filter(({ owner, Principal }) => owner.startsWith(`AgentRoles${role}`) && !Principal)
      .map(({ Action, Resource }) => [Action.join(), Resource.map(flat).join()]);

  test('secrets of tools are read by ECS, and only their names are in the template', () => {
    const kmsKey = 'arn:aws:kms:us-east-1:111122223333:key/0a1b';
    const template = templateWith({
      secrets: {
        WEATHER_API_KEY: 'weather/key',
        CRM_TOKEN: {
          secret: 'arn:aws:secretsmanager:us-east-1:111122223333:secret:crm-AbCdEf',
          key: 'token',
          kmsKey,
        },
      },
    });
    const injected = Object.fromEntries(
      container(template).Secrets.map((one: { Name: string; ValueFrom: unknown }) => [
        one.Name,
        flat(one.ValueFrom),
      ]),
    );
    expect(Object.keys(injected)).toHaveLength(5);
    expect(injected.WEATHER_API_KEY).toMatch(/:secret:weather\/key$/);
    expect(injected.CRM_TOKEN).toBe(
      'arn:aws:secretsmanager:us-east-1:111122223333:secret:crm-AbCdEf:token::',
    );
    expect(environmentOf(template)).toEqual(environmentOf(templateWith()));
    const rights = Object.fromEntries(rightsOf(template, 'Execution'));
    expect(rights['secretsmanager:GetSecretValue']).toContain(':secret:weather/key-??????');
    expect(rights['secretsmanager:GetSecretValue']).toContain(':secret:crm-AbCdEf');
    expect(rights['kms:Decrypt']).toBe(kmsKey);
  });

  test('a variable that is named like a secret is a warning', () => {
    const stack = stackWith({ environment: { CRM_TOKEN: 'x', TOKENS_PER_MINUTE: 5 } });
    annotationsOf(stack).hasWarning(
      '/voice-agent/Agent',
      Match.stringLikeRegexp('"environment" has CRM_TOKEN, .* use "secrets"'),
    );
    annotationsOf(stack).hasNoWarning('*', Match.stringLikeRegexp('TOKENS_PER_MINUTE'));
  });

  test.each([
    [
      `111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/voice@${DIGEST}`,
      /^111122223333\.dkr\.ecr\.eu-west-1\..*\/team\/voice@sha256:/,
      /:ecr:eu-west-1:111122223333:repository\/team\/voice$/,
    ],
    [`registry.test/voice@${DIGEST}`, /^registry\.test\/voice@sha256:/, undefined],
  ])('runs %s without building one, with the right to pull it', (image, uri, repository) => {
    const template = templateWith({ image });
    expect(flat(container(template).Image)).toMatch(uri);
    const { 'ecr:BatchCheckLayerAvailability,ecr:BatchGetImage,ecr:GetDownloadUrlForLayer': pull } =
      Object.fromEntries(rightsOf(template, 'Execution'));
    if (repository) expect(pull).toMatch(repository);
    else expect(pull).toBeUndefined();
  });

  test('ECS Exec has its rights, and folders that it can write to beside the read-only root', () => {
    const template = templateWith({ ecsExec: true });
    expect(only(template, 'AWS::ECS::Service').EnableExecuteCommand).toBe(true);
    expect(only(templateWith(), 'AWS::ECS::Service')).not.toHaveProperty('EnableExecuteCommand');
    expect(container(template)).toMatchObject({
      ReadonlyRootFilesystem: true,
      MountPoints: ['/tmp', '/var/lib/amazon', '/var/log/amazon'].map((ContainerPath) =>
        expect.objectContaining({ ContainerPath, ReadOnly: false }),
      ),
    });
    expect(only(template, 'AWS::ECS::TaskDefinition').Volumes).toHaveLength(3);
    const session = ['CreateControlChannel', 'CreateDataChannel', 'OpenControlChannel'];
    expect(rightsOf(template, 'Task')).toContainEqual([
      [...session, 'OpenDataChannel'].map((name) => `ssmmessages:${name}`).join(),
      '*',
    ]);
    expect(rightsOf(template, 'Task')).toHaveLength(rightsOf(templateWith(), 'Task').length + 1);
  });

  test('the stack is protected from deletion when asked', () => {
    expect(stackWith({ terminationProtection: true }).terminationProtection).toBe(true);
    expect(stackWith().terminationProtection).toBe(false);
  });

  test('tasks have the tags of the service', () => {
    expect(only(templateWith(), 'AWS::ECS::Service').PropagateTags).toBe('SERVICE');
  });

  test('a service can be connected to a database, run any image, and be rolled out otherwise', () => {
    const stack = stackOf((scope) => {
      const network = new AgentNetwork(scope, 'Network');
      const agent = new VoiceAgentService(scope, 'Agent', {
        network,
        image: ContainerImage.fromRegistry('registry.test/voice'),
        architecture: CpuArchitecture.X86_64,
        platformVersion: FargatePlatformVersion.VERSION1_4,
        circuitBreaker: { enable: true, rollback: false },
        deploymentAlarms: {
          alarmNames: ['replies-slow'],
          behavior: AlarmBehavior.ROLLBACK_ON_ALARM,
        },
      });
      const database = new SecurityGroup(scope, 'Database', { vpc: network.vpc });
      database.connections.allowFrom(agent, Port.tcp(5432));
    });
    const template = templateOf(stack);
    expect(container(template).Image).toBe('registry.test/voice');
    expect(only(template, 'AWS::ECS::Service')).toMatchObject({
      PlatformVersion: '1.4.0',
      DeploymentConfiguration: {
        DeploymentCircuitBreaker: { Enable: true, Rollback: false },
        Alarms: { AlarmNames: ['replies-slow'], Enable: true, Rollback: true },
      },
    });
    const ingress = resources(template, 'AWS::EC2::SecurityGroupIngress').map(
      ([, { Properties }]) => flat(Properties.SourceSecurityGroupId),
    );
    expect(ingress).toEqual([expect.stringMatching(/^<NetworkSecurityGroup\w+\.GroupId>$/)]);
  });

  test('tasks can have a security group of the user', () => {
    const template = templateOf(
      stackOf((scope) => {
        const vpc = new Vpc(scope, 'Vpc', { natGateways: 1 });
        const securityGroup = new SecurityGroup(scope, 'Theirs', { vpc });
        const network = new AgentNetwork(scope, 'Network', { vpc, securityGroup });
        new VoiceAgentService(scope, 'Agent', { network });
      }),
    );
    const { SecurityGroups } = only(template, 'AWS::ECS::Service').NetworkConfiguration
      .AwsvpcConfiguration;
    expect(SecurityGroups.map(flat)).toEqual([expect.stringMatching(/^<Theirs\w+\.GroupId>$/)]);
    template.resourceCountIs('AWS::EC2::SecurityGroup', 1);
  });

  test.each<[VoiceAgentServiceProps, string]>([
    [
      { spot: true, platformVersion: FargatePlatformVersion.LATEST },
      '"platformVersion" cannot be set with "spot": tasks of a capacity provider have the latest.',
    ],
    [
      { secrets: { LIVEKIT_URL: {} as never } },
      '"secrets" cannot have LIVEKIT_URL: it comes from the secret, from ECS or from another setting.',
    ],
    [
      { secrets: { CRM_TOKEN: {} as never }, environment: { CRM_TOKEN: 'x' } },
      '"environment" and "secrets" cannot both have CRM_TOKEN: remove it from one of them.',
    ],
  ])('refuses what contradicts itself: %#', (props, sentence) => {
    expect(() => alone(props)).toThrow(new Error(sentence));
  });
});
