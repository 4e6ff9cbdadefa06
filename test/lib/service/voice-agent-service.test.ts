// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';

import type { App } from 'aws-cdk-lib/core';
import { AssetManifestArtifact } from 'aws-cdk-lib/cx-api';
import { HEALTH_SCRIPT } from '../../../lib/service/health-check.js';
import {
  annotationsOf,
  container,
  environmentOf,
  flat,
  Match,
  only,
  resources,
  stackWith,
  templateOf,
  templateWith,
} from '../synth.js';

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
  });

  test('waits for the capacity providers of its cluster, at create and at destroy', () => {
    const template = templateWith({ spot: true });
    const [[id, association] = ['', undefined], ...more] = Object.entries(
      template.findResources('AWS::ECS::ClusterCapacityProviderAssociations'),
    );
    expect(more).toEqual([]);
    expect(association?.Properties.CapacityProviders).toEqual(['FARGATE', 'FARGATE_SPOT']);
    template.hasResource('AWS::ECS::Service', { DependsOn: Match.arrayWith([id]) });
  });

  test('has no warning of Spot without it', () => {
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
    expect(environmentOf(templateWith()).DRAIN_TIMEOUT_S).toBe('110');
    const shorter = templateWith({ stopTimeoutSeconds: 60 });
    expect(container(shorter).StopTimeout).toBe(60);
    expect(environmentOf(shorter).DRAIN_TIMEOUT_S).toBe('50');
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
    expect(environmentOf(templateWith())).toEqual({
      BEDROCK_REGIONS: 'us-east-1',
      NOVA_SONIC_MODEL: 'amazon.nova-2-sonic-v1:0',
      CALLS_PER_TASK: { Ref: 'CallsPerTask' },
      CALLS_PER_PROCESS: '10',
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

  // test/lib/settings/settings-effects.test.ts shows that each of them alone changes the environment.
  test('has a variable for each of these settings, and nothing else', () => {
    const template = templateWith({
      ...{ bedrockRegions: 'us-west-2,us-east-1', model: 'amazon.nova-2-5-sonic' },
      ...{ voice: 'tiffany', renewAfterSeconds: 300, agentName: 'support', maxCallSeconds: 600 },
      ...{ logLevel: 'debug', metricsNamespace: 'Calls', name: 'desk', stopTimeoutSeconds: 60 },
      ...{
        priceAudioInPerM: 1,
        priceAudioOutPerM: '13.6',
        priceTextInPerM: 4,
        priceTextOutPerM: 5,
      },
      environment: '{"END_CALL_TIMEOUT_S": 20}',
    });
    expect(environmentOf(template)).toEqual({
      ...environmentOf(templateWith()),
      BEDROCK_REGIONS: 'us-west-2,us-east-1',
      NOVA_SONIC_MODEL: 'amazon.nova-2-5-sonic',
      NOVA_SONIC_VOICE: 'tiffany',
      NOVA_SONIC_RENEW_AFTER_S: '300',
      LIVEKIT_AGENT_NAME: 'support',
      MAX_CALL_S: '600',
      DRAIN_TIMEOUT_S: '50',
      LOG_LEVEL: 'debug',
      METRICS_NAMESPACE: 'Calls',
      SERVICE_NAME: 'desk',
      PRICE_AUDIO_IN_PER_M: '1',
      PRICE_AUDIO_OUT_PER_M: '13.6',
      PRICE_TEXT_IN_PER_M: '4',
      PRICE_TEXT_OUT_PER_M: '5',
      END_CALL_TIMEOUT_S: '20',
    });
  });
});
