// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { Annotations } from 'aws-cdk-lib/assertions';
import { ContainerInsights, CpuArchitecture } from 'aws-cdk-lib/aws-ecs';
import { Duration } from 'aws-cdk-lib/core';
import { AgentImage } from '../../lib/agent-image.js';
import { VoiceAgentService, type VoiceAgentServiceProps } from '../../lib/voice-agent-service.js';
import {
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
} from './synth.js';

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

  test('runs on Fargate, behind no load balancer, reachable by nobody', () => {
    const template = templateWith();
    expect(service().LaunchType).toBe('FARGATE');
    expect(service()).not.toHaveProperty('CapacityProviderStrategy');
    expect(service().LoadBalancers ?? []).toEqual([]);
    template.resourceCountIs('AWS::ElasticLoadBalancingV2::LoadBalancer', 0);
    template.resourceCountIs('AWS::EC2::SecurityGroupIngress', 0);
    expect(only(template, 'AWS::EC2::SecurityGroup')).not.toHaveProperty('SecurityGroupIngress');
    expect(container(template)).not.toHaveProperty('PortMappings');
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
    Annotations.fromStack(stack).hasWarning('*', Match.stringLikeRegexp('calls.*are cut'));
    Annotations.fromStack(stackWith()).hasNoWarning('*', Match.stringLikeRegexp('Spot'));
  });
});

describe('the task', () => {
  const task = (context = {}) => only(templateWith(context), 'AWS::ECS::TaskDefinition');

  test('is ARM64 unless x86 is asked for, and the image is built for the same', () => {
    expect(task().RuntimePlatform).toEqual({
      CpuArchitecture: 'ARM64',
      OperatingSystemFamily: 'LINUX',
    });
    expect(task({ architecture: 'x86_64' }).RuntimePlatform.CpuArchitecture).toBe('X86_64');
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

  test('runs as nobody special: not root, no capability, an init process', () => {
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
    expect(container(templateWith()).HealthCheck.Command.slice(0, 3)).toEqual([
      'CMD',
      'node',
      '-e',
    ]);
  });

  test('logs without ever blocking the audio, into the one log group', () => {
    const { LogDriver, Options } = container(templateWith()).LogConfiguration;
    expect(LogDriver).toBe('awslogs');
    expect(Options).toMatchObject({ mode: 'non-blocking', 'max-buffer-size': '26214400b' });
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
    [{ environment: '{"GOODBYE_S": 20}' }, { GOODBYE_S: '20' }],
  ])('%j sets %j and nothing else', (context, expected) => {
    expect(environment(templateWith(context))).toEqual({
      ...environment(templateWith()),
      ...expected,
    });
  });
});

describe('alone in another stack', () => {
  test('needs no props, and has VPC, cluster and log group of its own', () => {
    const template = templateOf(alone());
    for (const type of ['AWS::EC2::VPC', 'AWS::ECS::Cluster', 'AWS::ECS::Service']) {
      template.resourceCountIs(type, 1);
    }
    expect(environment(template)).toMatchObject({
      CALLS_PER_TASK: '10',
      SERVICE_NAME: expect.stringMatching(/^elsewhere-Agent-/),
    });
  });

  test('grants the rights of tools to the code in the container', () => {
    const stack = alone();
    expect(stack.node.findChild('Agent')).toHaveProperty('grantPrincipal.roleArn');
  });

  test.each<[string, VoiceAgentServiceProps, RegExp]>([
    [
      '600 s to stop',
      { stopTimeout: Duration.minutes(10) },
      /"stopTimeoutSeconds" cannot be 600: Fargate kills a container 120 s after SIGTERM/,
    ],
    [
      '5 s to stop',
      { stopTimeout: Duration.seconds(5) },
      /"stopTimeoutSeconds" cannot be 5: it must be at least 20/,
    ],
    [
      'a size that Fargate lacks',
      { cpu: 1024, memory: 16384 },
      /"memory" cannot be 16384 with "cpu" 1024/,
    ],
    ['more calls than fit', { callsPerTask: 50 }, /"callsPerTask" cannot be 50 with "memory" 4096/],
  ])('refuses %s', (_what, props, sentence) => {
    expect(() => alone(props)).toThrow(sentence);
  });

  test('refuses an image for another processor', () => {
    expect(() =>
      stackOf((scope) => {
        const image = new AgentImage(scope, 'Image', { architecture: CpuArchitecture.X86_64 });
        new VoiceAgentService(scope, 'Agent', { image });
      }),
    ).toThrow('"image" was built for another processor than "architecture"');
  });

  test('turns Container Insights on when asked', () => {
    const insights = (props?: VoiceAgentServiceProps) =>
      only(templateOf(alone(props)), 'AWS::ECS::Cluster').ClusterSettings;
    expect(insights()).toEqual([{ Name: 'containerInsights', Value: 'disabled' }]);
    expect(insights({ containerInsights: ContainerInsights.ENHANCED })).toEqual([
      { Name: 'containerInsights', Value: 'enhanced' },
    ]);
  });
});
