// SPDX-License-Identifier: Apache-2.0

// Long because the props and their documentation stand with the class, as in aws-cdk.

import type { IAlarm } from 'aws-cdk-lib/aws-cloudwatch';
import { Connections, type IConnectable } from 'aws-cdk-lib/aws-ec2';
import {
  AvailabilityZoneRebalancing,
  AwsLogDriverMode,
  Capability,
  CfnClusterCapacityProviderAssociations,
  type CfnService,
  Cluster,
  type ContainerDefinition,
  ContainerImage,
  ContainerInsights,
  CpuArchitecture,
  type DeploymentAlarmConfig,
  type DeploymentCircuitBreaker,
  ExecuteCommandLogging,
  FargatePlatformVersion,
  FargateService,
  FargateTaskDefinition,
  type ICluster,
  LinuxParameters,
  LogDrivers,
  OperatingSystemFamily,
  PropagatedTagSource,
  type RuntimePlatform,
  type Secret,
} from 'aws-cdk-lib/aws-ecs';
import type { IGrantable, IPrincipal, IRole } from 'aws-cdk-lib/aws-iam';
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
import { AgentNetwork } from '../network/agent-network.js';
import { MAX_STOP_SECONDS, RANGES, validateRange, validateStopTimeout } from '../service-limits.js';
import { AgentMetrics } from './agent-metrics.js';
import type { CallTraces } from './call-traces.js';
import {
  containerEnvironment,
  secretsInEnvironment,
  validateEnvironment,
  validateVariables,
} from './container-environment.js';
import { healthCheck } from './health-check.js';
import { checkTaskDefinition } from './task-definition-checks.js';
import { TaskRoles } from './task-roles.js';
import { validateCallsPerTask, validateTaskSize } from './task-size.js';

export interface VoiceAgentServiceProps {
  /**
   * Name of the service in metrics, logs and the dashboard: the metrics' dimension `service`. Two services of
   * one account and Region need two names.
   * @default - derived from the construct's path
   */
  readonly serviceName?: string;

  /**
   * VPC, subnets and security group.
   * @default - a new VPC with public subnets and no NAT gateway
   */
  readonly network?: AgentNetwork;

  /**
   * Cluster in which the service runs, in the VPC of `network`.
   * @default - a new cluster
   */
  readonly cluster?: ICluster;

  /**
   * CloudWatch Container Insights of a new cluster; billed per metric. Nothing here depends on it.
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
   * The image: one that is built from this project, or any other, such as one from a registry by its digest or from a
   * Docker context of your own. Tasks run on the processor for which an `AgentImage` was built; for any other, set
   * `architecture`.
   * @default - built from agent/
   */
  readonly image?: AgentImage | ContainerImage;

  /**
   * Processor of the tasks and of the image.
   * @default - that of `image`; without one CpuArchitecture.ARM64, a fifth cheaper than x86
   */
  readonly architecture?: CpuArchitecture;

  /**
   * CPU units per task; 1024 are one virtual CPU. With too few, replies stutter when all slots are in use.
   * @default 2048
   */
  readonly cpu?: number;

  /**
   * Memory per task in MiB. Too little for `callsPerTask` fails synth.
   * @default 4096
   */
  readonly memory?: number;

  /**
   * Concurrent calls per task. A task rejects further calls, which LiveKit then offers to another task.
   * @default 10
   */
  readonly callsPerTask?: number;

  /**
   * Most calls of one process. A task runs a few processes, at least one for each virtual CPU, and each carries
   * several calls. 1 gives each call a process of its own, for tools that block or crash, at several times the memory
   * and twice the CPU.
   * @default 10
   */
  readonly callsPerProcess?: number;

  /**
   * LiveKit agent name. With a name, the agent joins only rooms that dispatch to it explicitly; without one, it joins
   * every new room.
   * @default - none
   */
  readonly agentName?: string;

  /**
   * Voice of the agent; overrides the one in assistant.ts.
   * @default - the one in assistant.ts
   */
  readonly voice?: string;

  /**
   * Age at which a Bedrock stream is renewed, 10 to 470 seconds; callers do not notice. Bedrock ends a stream at
   * 8 minutes.
   * @default - the plugin's
   */
  readonly renewAfter?: Duration;

  /**
   * Longest call, a minute to a day; the agent then says goodbye and ends it. Limits the cost of a forgotten call.
   * @default Duration.hours(1)
   */
  readonly maxCallLength?: Duration;

  /**
   * How long ECS waits between SIGTERM and SIGKILL; the worker drains until 10 s before. Tasks with calls on them are
   * protected and get no SIGTERM from a deployment or a scale-in, so this applies to what protection does not cover.
   * @default Duration.seconds(120), Fargate's maximum
   */
  readonly stopTimeout?: Duration;

  /**
   * Run on Fargate Spot, about 70 percent cheaper. Spot stops tasks at two minutes' notice, also protected ones: it cuts
   * calls. Changing this value replaces the service and ends live calls. An existing `cluster` must have the capacity
   * provider FARGATE_SPOT.
   * @default false
   */
  readonly spot?: boolean;

  /**
   * Log group of the container. An existing one is not changed.
   * @default - a new log group, kept for a month, retained when the stack is deleted
   */
  readonly logGroup?: ILogGroup;

  /**
   * Lowest level that the container logs.
   * @default 'info'
   */
  readonly logLevel?: string;

  /**
   * Traces of calls with their turns, tools and Bedrock streams: to AWS X-Ray, or to another OpenTelemetry endpoint.
   * @default - none
   */
  readonly traces?: CallTraces;

  /**
   * Key of the dispatch metadata (JSON) that names the tenant of a call, for the log, its cost and minutes by tenant, and traces.
   * @default - calls have no tenant
   */
  readonly tenantMetadataKey?: string;

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
   * More environment variables for the container, such as END_CALL_INSTRUCTIONS or PROTECTION_GRACE_S;
   * docs/operations/configuration.md lists them. A variable that another prop, the secret or ECS sets fails synth.
   * @default - none
   */
  readonly environment?: Readonly<Record<string, string>>;

  /**
   * Secrets of your tools by the name of their variable, from Secrets Manager or the Parameter Store. ECS reads them when a
   * task starts; the permissions are granted.
   * @default - none but the address and the keys of LiveKit
   */
  readonly secrets?: Readonly<Record<string, Secret>>;

  /**
   * Existing role for the code in the container. It gets the permissions to call the model and to protect tasks, and must
   * trust ecs-tasks.amazonaws.com.
   * @default - a new role
   */
  readonly taskRole?: IRole;

  /**
   * Existing role with which ECS starts the tasks. It gets the permissions to pull the images, to read the secrets and to
   * write the log, and must trust ecs-tasks.amazonaws.com.
   * @default - a new role
   */
  readonly executionRole?: IRole;

  /**
   * Platform version of Fargate. Not with `spot`.
   * @default FargatePlatformVersion.LATEST
   */
  readonly platformVersion?: FargatePlatformVersion;

  /**
   * What ECS does with a deployment whose tasks do not become healthy.
   * @default - it stops the deployment and rolls back
   */
  readonly circuitBreaker?: DeploymentCircuitBreaker;

  /**
   * Alarms that stop a deployment while it is in progress, for example by an earlier deployment's alarms. Old tasks may
   * still have calls when a deployment is complete; from then on alarms no longer act on it.
   * @default - none
   */
  readonly deploymentAlarms?: DeploymentAlarmConfig;

  /**
   * ECS Exec: a shell in a running task. The task role may then talk to Systems Manager, and the container gets writable
   * folders for its agent, because the root file system stays read-only.
   * @default false
   */
  readonly enableExecuteCommand?: boolean;
}

/** Where the agent of ECS Exec writes, which runs as root inside the container. */
const EXEC_FOLDERS = { 'ssm-lib': '/var/lib/amazon', 'ssm-log': '/var/log/amazon' };

/** The size of a task and its time limits, with every default in place. */
interface ResolvedProps {
  readonly cpu: number;
  readonly memory: number;
  readonly callsPerTask: number;
  readonly stopTimeout: Duration;
  readonly maxCallLength: Duration;
  readonly architecture: CpuArchitecture;
}

const resolveProps = (props: VoiceAgentServiceProps): ResolvedProps => ({
  cpu: props.cpu ?? 2048,
  memory: props.memory ?? 4096,
  callsPerTask: props.callsPerTask ?? 10,
  stopTimeout: props.stopTimeout ?? Duration.seconds(MAX_STOP_SECONDS),
  maxCallLength: props.maxCallLength ?? Duration.hours(1),
  architecture:
    props.architecture ??
    (props.image instanceof AgentImage ? props.image.architecture : undefined) ??
    CpuArchitecture.ARM64,
});

/** Checks the props. @returns one sentence about the first problem, else undefined */
function validateProps(props: VoiceAgentServiceProps, resolved: ResolvedProps): string | undefined {
  const { cpu, memory, callsPerTask, stopTimeout, maxCallLength } = resolved;
  const { renewAfter } = props;
  return (
    validateTaskSize(cpu, memory) ??
    (Token.isUnresolved(callsPerTask)
      ? undefined
      : validateCallsPerTask(callsPerTask, memory - (props.traces?.memory ?? 0))) ??
    (props.callsPerProcess === undefined
      ? undefined
      : validateRange('callsPerProcess', props.callsPerProcess, RANGES.callsPerProcess)) ??
    validateStopTimeout(stopTimeout.toSeconds(), 'stopTimeout') ??
    validateRange('maxCallLength', maxCallLength.toSeconds(), RANGES.maxCallSeconds, ' seconds') ??
    (renewAfter &&
      validateRange('renewAfter', renewAfter.toSeconds(), RANGES.renewAfterSeconds, ' seconds')) ??
    validateEnvironment(props.environment ?? {})[0] ??
    validateVariables(props.secrets ?? {}, 'secrets')[0] ??
    validateExclusiveProps(props)
  );
}

/** Checks props that exclude each other. @returns one sentence about a problem, else undefined */
function validateExclusiveProps(props: VoiceAgentServiceProps): string | undefined {
  const { image, architecture, platformVersion } = props;
  if (image instanceof AgentImage && architecture && image.architecture !== architecture) {
    return '"image" was built for another processor than "architecture": set both to the same.';
  }
  if (props.spot && platformVersion) {
    return '"platformVersion" cannot be set with "spot": tasks of a capacity provider have the latest.';
  }
  const both = Object.keys(props.secrets ?? {}).find((name) => name in (props.environment ?? {}));
  if (both) {
    return `"environment" and "secrets" cannot both have ${both}: remove it from one of them.`;
  }
  return props.cluster && props.containerInsights
    ? '"containerInsights" is for a new cluster and cannot be set with "cluster".'
    : undefined;
}

/**
 * The voice agent on Fargate: no inbound port, no load balancer, least privilege, a read-only file system, and
 * deployments that neither drop a call nor wait for the last one to end.
 */
export class VoiceAgentService extends Construct implements IGrantable, IConnectable {
  public readonly service: FargateService;
  public readonly taskDefinition: FargateTaskDefinition;
  public readonly container: ContainerDefinition;
  public readonly cluster: ICluster;
  public readonly network: AgentNetwork;
  public readonly novaSonic: NovaSonicAccess;
  public readonly logGroup: ILogGroup;
  public readonly metrics: AgentMetrics;
  /** The role of the code in the container. Grant permissions for your tools to it, or to the service itself. */
  public readonly grantPrincipal: IPrincipal;
  /** The security group of the tasks, to let them reach a database of yours: `database.connections.allowDefaultPortFrom(agent)`. */
  public readonly connections: Connections;
  public readonly callsPerTask: number;
  /** The image of the agent, for other tasks of yours. */
  public readonly image: ContainerImage;
  public readonly credentials: LiveKitCredentials;
  /** LiveKit agent name; absent for an agent that joins every new room. */
  public readonly agentName?: string;
  /** Processor and operating system of the tasks. */
  public readonly runtimePlatform: RuntimePlatform;

  private readonly deploymentAlarmNames: string[];

  /** @throws Error with one sentence when a size, a time or a combination of them cannot work on Fargate */
  constructor(scope: Construct, id: string, props: VoiceAgentServiceProps = {}) {
    super(scope, id);
    const resolved = resolveProps(props);
    const problem = validateProps(props, resolved);
    if (problem) throw new Error(problem);

    this.callsPerTask = resolved.callsPerTask;
    this.deploymentAlarmNames = [...(props.deploymentAlarms?.alarmNames ?? [])];
    this.network = props.network ?? new AgentNetwork(this, 'Network');
    this.connections = new Connections({ securityGroups: [this.network.securityGroup] });
    this.cluster = props.cluster ?? this.createCluster(props);
    this.novaSonic = props.novaSonic ?? new NovaSonicAccess(this, 'NovaSonic');
    this.credentials = props.credentials ?? new LiveKitCredentials(this, 'LiveKit');
    if (props.agentName) this.agentName = props.agentName;
    this.warnAboutPlainSecrets(props);
    const image =
      props.image ?? new AgentImage(this, 'Image', { architecture: resolved.architecture });
    this.image = image instanceof AgentImage ? ContainerImage.fromDockerImageAsset(image) : image;
    this.runtimePlatform = {
      cpuArchitecture: resolved.architecture,
      operatingSystemFamily: OperatingSystemFamily.LINUX,
    };
    this.metrics = new AgentMetrics({
      serviceName:
        props.serviceName ?? Names.uniqueResourceName(this, { maxLength: 60, separator: '-' }),
      namespace: props.metricsNamespace,
    });
    this.logGroup = props.logGroup ?? this.createLogGroup();

    const roles = new TaskRoles(this, 'Roles', {
      cluster: this.cluster,
      novaSonic: this.novaSonic,
      taskRole: props.taskRole,
      executionRole: props.executionRole,
    });
    this.grantPrincipal = roles.task;
    this.taskDefinition = this.createTaskDefinition(resolved, roles);
    this.container = this.addAgentContainer(props, resolved);
    props.traces?.addCollector(this.taskDefinition, this.container, this.logGroup);
    checkTaskDefinition(this.taskDefinition);
    this.service = this.createService(props);
    if (props.enableExecuteCommand) {
      Validations.of(roles.task).acknowledge({
        id: 'AwsSolutions-IAM5[Resource::*]',
        reason:
          'The messages of a session with Systems Manager have no resource; AWS accepts * only.',
      });
    }
    // The first task starts when the role has its permissions.
    this.service.node.addDependency(roles.execution);
  }

  /**
   * Rolls a deployment back when one of these alarms goes off while it is in progress, beside those of the prop
   * `deploymentAlarms`. They must not read metrics by a reference to the ECS service, which would refer to itself.
   */
  public addDeploymentAlarms(alarms: readonly IAlarm[]): void {
    this.deploymentAlarmNames.push(...alarms.map(({ alarmName }) => alarmName));
    // The method of the CDK prints a paragraph for each name that is a reference.
    (this.service.node.defaultChild as CfnService).addPropertyOverride(
      'DeploymentConfiguration.Alarms',
      { AlarmNames: this.deploymentAlarmNames, Enable: true, Rollback: true },
    );
  }

  private warnAboutPlainSecrets({ environment = {} }: VoiceAgentServiceProps): void {
    for (const variable of secretsInEnvironment(environment)) {
      Annotations.of(this).addWarningV2(
        `nova-sonic-livekit:plain-${variable}`,
        `"environment" has ${variable}, whose value is then in the template for all to read: if it is a secret, store it in Secrets Manager and use "secrets".`,
      );
    }
  }

  private createLogGroup(): LogGroup {
    return new LogGroup(this, 'Log', {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.RETAIN,
    });
  }

  private createTaskDefinition(resolved: ResolvedProps, roles: TaskRoles): FargateTaskDefinition {
    const taskDefinition = new FargateTaskDefinition(this, 'Task', {
      cpu: resolved.cpu,
      memoryLimitMiB: resolved.memory,
      runtimePlatform: this.runtimePlatform,
      taskRole: roles.task,
      executionRole: roles.execution,
    });
    Validations.of(taskDefinition).acknowledge({
      id: 'AwsSolutions-ECS2',
      reason:
        'The environment holds settings only; the address and keys of LiveKit are injected from Secrets Manager.',
    });
    return taskDefinition;
  }

  private addAgentContainer(
    props: VoiceAgentServiceProps,
    { stopTimeout, maxCallLength, callsPerTask }: ResolvedProps,
  ): ContainerDefinition {
    const container = this.taskDefinition.addContainer('Agent', {
      image: this.image,
      environment: containerEnvironment(
        { ...props, stopTimeout, maxCallLength },
        { novaSonic: this.novaSonic, metrics: this.metrics, callsPerTask },
      ),
      secrets: { ...this.credentials.containerSecrets(), ...props.secrets },
      healthCheck,
      stopTimeout,
      user: '1000:1000',
      readonlyRootFilesystem: true,
      linuxParameters: this.linuxParameters(),
      logging: LogDrivers.awsLogs({
        logGroup: this.logGroup,
        streamPrefix: 'agent',
        // A slow log service must not block audio. Beyond this much unsent text, lines and their metrics are lost.
        mode: AwsLogDriverMode.NON_BLOCKING,
        maxBufferSize: Size.mebibytes(25),
      }),
    });
    const writable = { tmp: '/tmp', ...(props.enableExecuteCommand && EXEC_FOLDERS) };
    for (const [sourceVolume, containerPath] of Object.entries(writable)) {
      this.taskDefinition.addVolume({ name: sourceVolume });
      container.addMountPoints({ sourceVolume, containerPath, readOnly: false });
    }
    return container;
  }

  private createCluster(props: VoiceAgentServiceProps): Cluster {
    const containerInsights = props.containerInsights ?? ContainerInsights.DISABLED;
    const cluster = new Cluster(this, 'Cluster', {
      vpc: this.network.vpc,
      containerInsightsV2: containerInsights,
      // What is typed and shown in a session may be private; CloudTrail records who opened it.
      ...(props.enableExecuteCommand && {
        executeCommandConfiguration: { logging: ExecuteCommandLogging.NONE },
      }),
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

  private createService(props: VoiceAgentServiceProps): FargateService {
    const service = new FargateService(this, 'Service', {
      cluster: this.cluster,
      taskDefinition: this.taskDefinition,
      // No desiredCount: a deployment keeps the size to which the service has scaled.
      assignPublicIp: this.network.assignPublicIp,
      vpcSubnets: this.network.subnets,
      securityGroups: [this.network.securityGroup],
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      circuitBreaker: props.circuitBreaker ?? { enable: true, rollback: true },
      ...(props.deploymentAlarms && { deploymentAlarms: props.deploymentAlarms }),
      ...(props.enableExecuteCommand && { enableExecuteCommand: true }),
      // Rebalancing stops tasks to even out zones; calls matter more than even zones.
      availabilityZoneRebalancing: AvailabilityZoneRebalancing.DISABLED,
      // The bill then shows tasks by the tags of the stack.
      propagateTags: PropagatedTagSource.SERVICE,
      enableECSManagedTags: true,
      ...(props.spot
        ? { capacityProviderStrategies: [{ capacityProvider: 'FARGATE_SPOT', weight: 1 }] }
        : { platformVersion: props.platformVersion ?? FargatePlatformVersion.LATEST }),
    });
    // Its first task needs them, and its last one while it stops.
    service.node.addDependency(this.network.connectivity);
    // A deployment is done when all new tasks are healthy, and old tasks stop as their calls end. Without this,
    // CloudFormation waits for them, gives up after three hours and rolls back.
    (service.node.defaultChild as CfnService).addPropertyOverride(
      'DeploymentConfiguration.EarlySuccessCriteria',
      { Enable: true, HealthyPercent: 100, SourceServiceRevisionCleanup: 'DEFERRED' },
    );
    if (props.spot) {
      if (!props.cluster) service.node.addDependency(this.associateSpot());
      Annotations.of(service).addWarningV2(
        'nova-sonic-livekit:spot',
        'Fargate Spot stops tasks at two minutes notice regardless of task protection: calls that last longer are cut.',
      );
    }
    return service;
  }

  /**
   * In place of `enableFargateCapacityProviders`, whose association the service does not depend on: ECS refuses a service
   * with a provider that its cluster does not have yet, and to take away a provider that a service uses.
   */
  private associateSpot(): CfnClusterCapacityProviderAssociations {
    return new CfnClusterCapacityProviderAssociations(this, 'CapacityProviders', {
      cluster: this.cluster.clusterName,
      capacityProviders: ['FARGATE', 'FARGATE_SPOT'],
      defaultCapacityProviderStrategy: [],
    });
  }

  private linuxParameters(): LinuxParameters {
    const parameters = new LinuxParameters(this, 'Linux', {
      // Reaps what a dead job process leaves behind, and forwards SIGTERM to the worker.
      initProcessEnabled: true,
    });
    parameters.dropCapabilities(Capability.ALL);
    return parameters;
  }
}
