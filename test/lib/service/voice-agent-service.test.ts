// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';

import { Cluster, ContainerInsights, CpuArchitecture } from 'aws-cdk-lib/aws-ecs';
import { type App, Duration } from 'aws-cdk-lib/core';
import { AssetManifestArtifact } from 'aws-cdk-lib/cx-api';
import { Construct } from 'constructs';
import { AgentImage } from '../../../lib/image/agent-image.js';
import { AgentNetwork } from '../../../lib/network/agent-network.js';
import { HEALTH_SCRIPT } from '../../../lib/service/health-check.js';
import {
  VoiceAgentService,
  type VoiceAgentServiceProps,
} from '../../../lib/service/voice-agent-service.js';
import {
  annotationsOf,
  container,
  environment,
  flat,
  Match,
  only,
  resources,
  stackOf,
  stackWith,
  templateOf,
  templateWith,
} from '../synth.js';

const alone = (props?: VoiceAgentServiceProps) =>
  stackOf((scope) => new VoiceAgentService(scope, 'Agent', props));

describe('the service', () => {
  const service = () => only(templateWith(), 'AWS::ECS::Service');

  test('has no desired count, so that a deploy keeps the scaled size', () => {
    expect(service()).not.toHaveProperty('DesiredCount');
  });

  test('rolls out at 100 to 200 percent, with circuit breaker and rollback', () => {
    expect(service().DeploymentConfiguration).toMatchObject({
      MinimumHealthyPercent: 100,
      MaximumPercent: 200,
      DeploymentCircuitBreaker: { Enable: true, Rollback: true },
    });
  });

  test('does not wait for old calls to drain', () => {
    expect(service().DeploymentConfiguration.EarlySuccessCriteria).toEqual({
      Enable: true,
      HealthyPercent: 100,
      SourceServiceRevisionCleanup: 'DEFERRED',
    });
  });

  test('is never rebalanced over Availability Zones', () => {
    expect(service().AvailabilityZoneRebalancing).toBe('DISABLED');
  });

  test('runs on Fargate without a load balancer or an inbound rule', () => {
    const template = templateWith();
    expect(service().LaunchType).toBe('FARGATE');
    expect(service()).not.toHaveProperty('CapacityProviderStrategy');
    expect(service().LoadBalancers ?? []).toEqual([]);
    template.resourceCountIs('AWS::ElasticLoadBalancingV2::LoadBalancer', 0);
    template.resourceCountIs('AWS::EC2::SecurityGroupIngress', 0);
    expect(only(template, 'AWS::EC2::SecurityGroup')).not.toHaveProperty('SecurityGroupIngress');
    expect(container(template)).not.toHaveProperty('PortMappings');
  });

  test("has its tasks tagged with the cluster's and the service's name, for the bill", () => {
    expect(service().EnableECSManagedTags).toBe(true);
  });

  test('has no name of ours, so that two can be in one account', () => {
    expect(service()).not.toHaveProperty('ServiceName');
    expect(only(templateWith(), 'AWS::ECS::Cluster')).not.toHaveProperty('ClusterName');
  });

  test('runs on Spot only when asked, and warns that it cuts calls', () => {
    const stack = stackWith({ spot: true });
    const template = templateOf(stack);
    expect(only(template, 'AWS::ECS::Service').CapacityProviderStrategy).toEqual([
      { CapacityProvider: 'FARGATE_SPOT', Weight: 1 },
    ]);
    annotationsOf(stack).hasWarning(
      '*',
      'Fargate Spot stops tasks at two minutes notice regardless of task protection: calls that last longer are cut. [ack: nova-sonic-livekit:spot]',
    );
    templateWith().resourceCountIs('AWS::ECS::ClusterCapacityProviderAssociations', 0);
    annotationsOf(stackWith()).hasNoWarning('*', Match.stringLikeRegexp('Spot'));
  });
});

describe('the task', () => {
  /** How `cdk deploy` builds the image. */
  const imageOf = (context = {}) => {
    const assembly = (stackWith(context).node.root as App).synth();
    const assets = assembly.artifacts.find((artifact) => artifact instanceof AssetManifestArtifact);
    const [image] = Object.values((assets as AssetManifestArtifact).contents.dockerImages ?? {});
    return { ...image, ...image?.source };
  };
  const task = (context = {}) => only(templateWith(context), 'AWS::ECS::TaskDefinition');

  test('is ARM64 unless x86 is asked for, and the image is built for the same', () => {
    expect(task().RuntimePlatform).toEqual({
      CpuArchitecture: 'ARM64',
      OperatingSystemFamily: 'LINUX',
    });
    expect(task({ architecture: 'x86_64' }).RuntimePlatform.CpuArchitecture).toBe('X86_64');
    expect(imageOf().platform).toBe('linux/arm64');
    expect(imageOf({ architecture: 'x86_64' }).platform).toBe('linux/amd64');
  });

  test("is built from agent/Dockerfile, on another base when asked, under a name of the project's", () => {
    expect(imageOf()).toMatchObject({ dockerFile: 'agent/Dockerfile' });
    expect(imageOf().displayName).toBe('Voice agent');
    expect(imageOf()).not.toHaveProperty('dockerBuildArgs');
    expect(imageOf({ baseImage: 'node:24-slim' }).dockerBuildArgs).toEqual({
      NODE_IMAGE: 'node:24-slim',
    });
  });

  test('has the size that is set', () => {
    expect(task()).toMatchObject({ Cpu: '2048', Memory: '4096' });
    expect(task({ cpu: 4096, memory: 8192 })).toMatchObject({ Cpu: '4096', Memory: '8192' });
  });

  test('has a read-only root file system and a writable /tmp', () => {
    expect(task().Volumes).toEqual([{ Name: 'tmp' }]);
    expect(container(templateWith())).toMatchObject({
      ReadonlyRootFilesystem: true,
      MountPoints: [{ ContainerPath: '/tmp', ReadOnly: false, SourceVolume: 'tmp' }],
    });
  });

  test('runs without root and capabilities, with an init process', () => {
    const agent = container(templateWith());
    expect(agent.User).toBe('1000:1000');
    expect(agent.LinuxParameters).toEqual({
      Capabilities: { Drop: ['ALL'] },
      InitProcessEnabled: true,
    });
    expect(agent).not.toHaveProperty('Privileged', true);
  });

  test('has 120 s from SIGTERM to SIGKILL, of which the worker drains for 110', () => {
    expect(container(templateWith()).StopTimeout).toBe(120);
    expect(environment(templateWith()).DRAIN_TIMEOUT_S).toBe('110');
    const shorter = templateWith({ stopTimeoutSeconds: 60 });
    expect(container(shorter).StopTimeout).toBe(60);
    expect(environment(shorter).DRAIN_TIMEOUT_S).toBe('50');
  });

  test('is checked for health every 15 s after a minute to register', () => {
    expect(container(templateWith()).HealthCheck).toMatchObject({
      Interval: 15,
      Retries: 3,
      StartPeriod: 60,
      Timeout: 5,
    });
    expect(container(templateWith()).HealthCheck.Command).toEqual([
      ...['CMD', 'node', '-e', HEALTH_SCRIPT],
    ]);
  });

  test('logs without ever blocking the audio, into the one log group', () => {
    const { LogDriver, Options } = container(templateWith()).LogConfiguration;
    expect(LogDriver).toBe('awslogs');
    expect(Options).toMatchObject({
      mode: 'non-blocking',
      'max-buffer-size': '26214400b',
      'awslogs-stream-prefix': 'agent',
    });
    const [logGroup] = resources(templateWith(), 'AWS::Logs::LogGroup').find(([id]) =>
      id.startsWith('Log'),
    ) ?? [''];
    expect(flat(Options['awslogs-group'])).toBe(`<${logGroup}>`);
  });
});

describe('the environment of the container', () => {
  test('is complete', () => {
    expect(environment(templateWith())).toEqual({
      BEDROCK_REGIONS: 'us-east-1',
      NOVA_SONIC_MODEL: 'amazon.nova-2-sonic-v1:0',
      CALLS_PER_TASK: { Ref: 'CallsPerTask' },
      DRAIN_TIMEOUT_S: '110',
      MAX_CALL_S: '3600',
      HEALTH_PORT: '8081',
      LOG_LEVEL: 'info',
      METRICS_NAMESPACE: 'NovaSonicAgent',
      METRICS_INTERVAL_S: '5',
      SERVICE_NAME: 'voice-agent',
      PRICE_AUDIO_IN_PER_M: '3',
      PRICE_AUDIO_OUT_PER_M: '12',
      PRICE_TEXT_IN_PER_M: '0.33',
      PRICE_TEXT_OUT_PER_M: '2.75',
    });
  });

  test.each([
    [{ bedrockRegions: 'us-west-2,us-east-1' }, { BEDROCK_REGIONS: 'us-west-2,us-east-1' }],
    [{ model: 'amazon.nova-2-5-sonic' }, { NOVA_SONIC_MODEL: 'amazon.nova-2-5-sonic' }],
    [{ voice: 'tiffany' }, { NOVA_SONIC_VOICE: 'tiffany' }],
    [{ renewAfterSeconds: 300 }, { NOVA_SONIC_RENEW_AFTER_S: '300' }],
    [{ agentName: 'support' }, { LIVEKIT_AGENT_NAME: 'support' }],
    [{ maxCallSeconds: 600 }, { MAX_CALL_S: '600' }],
    [{ logLevel: 'debug' }, { LOG_LEVEL: 'debug' }],
    [{ metricsNamespace: 'Calls' }, { METRICS_NAMESPACE: 'Calls' }],
    [{ name: 'support' }, { SERVICE_NAME: 'support' }],
    [{ priceAudioOutPerM: '13.6' }, { PRICE_AUDIO_OUT_PER_M: '13.6' }],
    [{ environment: '{"END_CALL_TIMEOUT_S": 20}' }, { END_CALL_TIMEOUT_S: '20' }],
  ])('%j sets %j and nothing else', (context, expected) => {
    expect(environment(templateWith(context))).toEqual({
      ...environment(templateWith()),
      ...expected,
    });
  });
});

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
    expect(environment(template)).toEqual({
      ...environment(templateWith()),
      CALLS_PER_TASK: '10',
      SERVICE_NAME: expect.stringMatching(/^elsewhere-Agent-/),
    });
  });

  test('is called by at most sixty characters of its path', () => {
    const stack = stackOf((scope) => {
      new VoiceAgentService(new Construct(scope, 'x'.repeat(80)), 'Agent');
    });
    expect(environment(templateOf(stack)).SERVICE_NAME).toHaveLength(60);
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
      '"callsPerTask" cannot be 50 with "memory" 4096: 50 calls take 700 + 50 x 200 = 10700 MiB, so lower it to 16 or raise "memory".',
    ],
    ...[0, 2.5, 101].map((callsPerTask): [string, VoiceAgentServiceProps, string] => [
      `${callsPerTask} calls`,
      { callsPerTask, cpu: 8192, memory: 61440 },
      `"callsPerTask" cannot be ${callsPerTask}: it must be a whole number from 1 to 100.`,
    ]),
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
