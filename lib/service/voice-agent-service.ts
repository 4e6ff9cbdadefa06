// SPDX-License-Identifier: Apache-2.0

import {
  AvailabilityZoneRebalancing,
  AwsLogDriverMode,
  Capability,
  type CfnService,
  Cluster,
  type ContainerDefinition,
  ContainerImage,
  ContainerInsights,
  CpuArchitecture,
  FargatePlatformVersion,
  FargateService,
  FargateTaskDefinition,
  type ICluster,
  LinuxParameters,
  LogDrivers,
  OperatingSystemFamily,
} from 'aws-cdk-lib/aws-ecs';
import type { IGrantable, IPrincipal } from 'aws-cdk-lib/aws-iam';
import { type ILogGroup, LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import {
  Annotations,
  Duration,
  Names,
  RemovalPolicy,
  Size,
  Token,
  Validations,
} from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { TokenPrices } from 'livekit-plugin-nova-sonic/models';
import { LiveKitCredentials } from '../access/livekit-credentials.js';
import { NovaSonicAccess } from '../access/nova-sonic-access.js';
import { AgentImage } from '../image/agent-image.js';
import { MAX_STOP_SECONDS, RANGES, validateRange, validateStopTimeout } from '../limits.js';
import { AgentNetwork } from '../network/agent-network.js';
import { AgentMetrics } from './agent-metrics.js';
import { containerEnvironment, validateEnvironment } from './container-environment.js';
import { healthCheck } from './health-check.js';
import { TaskRoles } from './task-roles.js';
import { validateCallsPerTask, validateTaskSize } from './task-size.js';

export interface VoiceAgentServiceProps {
  /**
   * What the service is called in metrics, logs and the dashboard: the metrics' dimension `service`. Two services of
   * one account and Region need two names.
   * @default - made from the construct's path
   */
  readonly serviceName?: string;

  /**
   * VPC, subnets and security group.
   * @default - an own VPC with public subnets and no NAT gateway
   */
  readonly network?: AgentNetwork;

  /**
   * Cluster in which the service runs, in the VPC of `network`.
   * @default - an own cluster
   */
  readonly cluster?: ICluster;

  /**
   * CloudWatch Container Insights of an own cluster; billed by the metric. Nothing here depends on it.
   * @default ContainerInsights.DISABLED
   */
  readonly containerInsights?: ContainerInsights;

  /**
   * The secret with the address and the keys of the LiveKit server.
   * @default - the secret `nova-sonic-agent/livekit`
   */
  readonly credentials?: LiveKitCredentials;

  /**
   * Model and Bedrock Regions.
   * @default - Nova 2 Sonic in us-east-1
   */
  readonly novaSonic?: NovaSonicAccess;

  /**
   * The image. Its processor is that of the tasks.
   * @default - built from agent/
   */
  readonly image?: AgentImage;

  /**
   * Processor of the tasks, and of the image.
   * @default - that of `image`; without one CpuArchitecture.ARM64, a fifth cheaper than x86
   */
  readonly architecture?: CpuArchitecture;

  /**
   * CPU units of a task; 1024 are one virtual CPU. Too few, and replies stutter at full slots.
   * @default 2048
   */
  readonly cpu?: number;

  /**
   * Memory of a task in MiB. Too little for `callsPerTask` is refused at synth.
   * @default 4096
   */
  readonly memory?: number;

  /**
   * Calls that one task takes at a time; it refuses the next, which LiveKit then offers to another task.
   * @default 10
   */
  readonly callsPerTask?: number;

  /**
   * LiveKit agent name. With one, only explicit dispatch reaches the agent; without, it joins every new room.
   * @default - none
   */
  readonly agentName?: string;

  /**
   * Voice of the agent, which wins over the one in assistant.ts.
   * @default - what assistant.ts says
   */
  readonly voice?: string;

  /**
   * Age at which a Bedrock stream is replaced by a fresh one, unheard by the caller, 10 to 470 seconds; Bedrock ends it
   * at 8 minutes.
   * @default - the plugin's
   */
  readonly renewAfter?: Duration;

  /**
   * The longest call, a minute to a day; the agent says goodbye and hangs up then. It bounds what a forgotten call costs.
   * @default Duration.hours(1)
   */
  readonly maxCallLength?: Duration;

  /**
   * How long ECS waits between SIGTERM and SIGKILL; the worker drains until 10 s before. Tasks with calls on them are
   * protected and get no SIGTERM from a deploy or a scale-in, so this is for what protection does not cover.
   * @default Duration.seconds(120), Fargate's most
   */
  readonly stopTimeout?: Duration;

  /**
   * Run on Fargate Spot, about 70 percent cheaper. Spot ends tasks with two minutes' notice whatever is on them: it cuts
   * calls. To turn it on or off replaces the service, which ends live calls. A `cluster` of yours must have the capacity
   * provider FARGATE_SPOT.
   * @default false
   */
  readonly spot?: boolean;

  /**
   * Where the container's log goes. One of your own is kept as it is.
   * @default - an own log group, kept for a month, retained when the stack is deleted
   */
  readonly logGroup?: ILogGroup;

  /**
   * Level from which the container logs.
   * @default 'info'
   */
  readonly logLevel?: string;

  /**
   * CloudWatch namespace of the metrics.
   * @default 'NovaSonicAgent'
   */
  readonly metricsNamespace?: string;

  /**
   * Prices for the metric EstimatedCostUsd, in USD per million tokens.
   * @default DEFAULT_TOKEN_PRICES
   */
  readonly prices?: TokenPrices;

  /**
   * More environment variables for the container, such as END_CALL_INSTRUCTIONS or PROTECTION_GRACE_S; docs/operations/configuration.md lists them.
   * One that another prop, the secret or ECS sets is refused at synth.
   * @default - none
   */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Props of which only one can be given. @returns one sentence, or nothing. */
function contradiction(props: VoiceAgentServiceProps): string | undefined {
  if (props.image && props.architecture && props.image.architecture !== props.architecture) {
    return '"image" was built for another processor than "architecture": give both the same.';
  }
  return props.cluster && props.containerInsights
    ? '"containerInsights" is for an own cluster and cannot be given with "cluster".'
    : undefined;
}

/**
 * The voice agent on Fargate: no inbound port, no load balancer, least rights, a read-only file system, and a rollout
 * that neither drops a call nor waits for the last one to end.
 */
export class VoiceAgentService extends Construct implements IGrantable {
  public readonly service: FargateService;
  public readonly taskDefinition: FargateTaskDefinition;
  public readonly container: ContainerDefinition;
  public readonly cluster: ICluster;
  public readonly network: AgentNetwork;
  public readonly novaSonic: NovaSonicAccess;
  public readonly logGroup: ILogGroup;
  public readonly metrics: AgentMetrics;
  /** The role of the code in the container: grant your tools' rights to it, or to the service itself. */
  public readonly grantPrincipal: IPrincipal;
  public readonly callsPerTask: number;

  /** @throws Error with one sentence when a size, a time or a combination of them cannot work on Fargate. */
  constructor(scope: Construct, id: string, props: VoiceAgentServiceProps = {}) {
    super(scope, id);
    const { cpu = 2048, memory = 4096, callsPerTask = 10 } = props;
    const stopTimeout = props.stopTimeout ?? Duration.seconds(MAX_STOP_SECONDS);
    const maxCallLength = props.maxCallLength ?? Duration.hours(1);
    const architecture = props.architecture ?? props.image?.architecture ?? CpuArchitecture.ARM64;
    const mistake =
      validateTaskSize(cpu, memory) ??
      (Token.isUnresolved(callsPerTask) ? undefined : validateCallsPerTask(callsPerTask, memory)) ??
      validateStopTimeout(stopTimeout.toSeconds(), 'stopTimeout') ??
      validateRange(
        'maxCallLength',
        maxCallLength.toSeconds(),
        RANGES.maxCallSeconds,
        ' seconds',
      ) ??
      (props.renewAfter &&
        validateRange(
          'renewAfter',
          props.renewAfter.toSeconds(),
          RANGES.renewAfterSeconds,
          ' seconds',
        )) ??
      validateEnvironment(props.environment ?? {})[0] ??
      contradiction(props);
    if (mistake) throw new Error(mistake);

    this.callsPerTask = callsPerTask;
    this.network = props.network ?? new AgentNetwork(this, 'Network');
    this.cluster = props.cluster ?? this.ownCluster(props);
    this.novaSonic = props.novaSonic ?? new NovaSonicAccess(this, 'NovaSonic');
    const credentials = props.credentials ?? new LiveKitCredentials(this, 'LiveKit');
    const image = props.image ?? new AgentImage(this, 'Image', { architecture });
    this.metrics = new AgentMetrics({
      serviceName:
        props.serviceName ?? Names.uniqueResourceName(this, { maxLength: 60, separator: '-' }),
      namespace: props.metricsNamespace,
    });
    this.logGroup =
      props.logGroup ??
      new LogGroup(this, 'Log', {
        retention: RetentionDays.ONE_MONTH,
        removalPolicy: RemovalPolicy.RETAIN,
      });

    const roles = new TaskRoles(this, 'Roles', {
      cluster: this.cluster,
      novaSonic: this.novaSonic,
      credentials,
      repository: image.repository,
      logGroup: this.logGroup,
    });
    this.grantPrincipal = roles.task;
    this.taskDefinition = new FargateTaskDefinition(this, 'Task', {
      cpu,
      memoryLimitMiB: memory,
      runtimePlatform: {
        cpuArchitecture: architecture,
        operatingSystemFamily: OperatingSystemFamily.LINUX,
      },
      taskRole: roles.task,
      // Its rights are complete: CDK's own grants would add more than ECS uses.
      executionRole: roles.execution.withoutPolicyUpdates(),
      volumes: [{ name: 'tmp' }],
    });
    this.container = this.taskDefinition.addContainer('Agent', {
      image: ContainerImage.fromDockerImageAsset(image),
      environment: containerEnvironment(
        { ...props, stopTimeout, maxCallLength },
        { novaSonic: this.novaSonic, metrics: this.metrics, callsPerTask },
      ),
      secrets: credentials.containerSecrets(),
      healthCheck,
      stopTimeout,
      user: '1000:1000',
      readonlyRootFilesystem: true,
      linuxParameters: this.linuxParameters(),
      logging: LogDrivers.awsLogs({
        logGroup: this.logGroup,
        streamPrefix: 'agent',
        // A slow log service must not stop the audio; past this much unsent text, lines and their metrics are lost.
        mode: AwsLogDriverMode.NON_BLOCKING,
        maxBufferSize: Size.mebibytes(25),
      }),
    });
    this.container.addMountPoints({ sourceVolume: 'tmp', containerPath: '/tmp', readOnly: false });
    Validations.of(this.taskDefinition).acknowledge({
      id: 'AwsSolutions-ECS2',
      reason:
        'The environment holds settings only; the address and keys of LiveKit are injected from Secrets Manager.',
    });
    this.service = this.fargateService(props);
  }

  private ownCluster(props: VoiceAgentServiceProps): Cluster {
    const containerInsights = props.containerInsights ?? ContainerInsights.DISABLED;
    const cluster = new Cluster(this, 'Cluster', {
      vpc: this.network.vpc,
      containerInsightsV2: containerInsights,
      enableFargateCapacityProviders: props.spot ?? false,
    });
    if (containerInsights === ContainerInsights.DISABLED) {
      Validations.of(cluster).acknowledge({
        id: 'AwsSolutions-ECS4',
        reason:
          'Calls, latency, errors and cost are published by the workers, and CPU, memory and task count come free with AWS/ECS; Container Insights is billed by the metric and is a setting.',
      });
    }
    return cluster;
  }

  private fargateService(props: VoiceAgentServiceProps): FargateService {
    const service = new FargateService(this, 'Service', {
      cluster: this.cluster,
      taskDefinition: this.taskDefinition,
      // No desiredCount: a deploy keeps the size to which the service has scaled.
      assignPublicIp: this.network.assignPublicIp,
      vpcSubnets: this.network.subnets,
      securityGroups: [this.network.securityGroup],
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      circuitBreaker: { enable: true, rollback: true },
      // Rebalancing stops tasks to even out zones; a zone more or less is no reason to touch calls.
      availabilityZoneRebalancing: AvailabilityZoneRebalancing.DISABLED,
      enableECSManagedTags: true,
      ...(props.spot
        ? { capacityProviderStrategies: [{ capacityProvider: 'FARGATE_SPOT', weight: 1 }] }
        : { platformVersion: FargatePlatformVersion.LATEST }),
    });
    // A deploy is done when all new tasks are healthy. Old ones leave as their calls end: without this CloudFormation
    // waits for them, gives up after three hours and rolls back.
    (service.node.defaultChild as CfnService).addPropertyOverride(
      'DeploymentConfiguration.EarlySuccessCriteria',
      { Enable: true, HealthyPercent: 100, SourceServiceRevisionCleanup: 'DEFERRED' },
    );
    if (props.spot) {
      Annotations.of(service).addWarningV2(
        'nova-sonic-livekit:spot',
        'Fargate Spot ends tasks with two minutes notice whatever task protection says: calls that last longer are cut.',
      );
    }
    return service;
  }

  private linuxParameters(): LinuxParameters {
    const parameters = new LinuxParameters(this, 'Linux', {
      // Ends what a dead call process left behind, and hands SIGTERM to the worker.
      initProcessEnabled: true,
    });
    parameters.dropCapabilities(Capability.ALL);
    return parameters;
  }
}
