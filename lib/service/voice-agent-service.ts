// SPDX-License-Identifier: Apache-2.0

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
} from 'aws-cdk-lib/aws-ecs';
import { type IGrantable, type IPrincipal, Policy } from 'aws-cdk-lib/aws-iam';
import { type ILogGroup, LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Annotations, Names, RemovalPolicy, Size, Token, Validations } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { LiveKitCredentials } from '../access/livekit-credentials.js';
import { NovaSonicAccess } from '../access/nova-sonic-access.js';
import { AgentImage } from '../image/agent-image.js';
import { AgentNetwork } from '../network/agent-network.js';
import { AgentMetrics } from './agent-metrics.js';
import { containerEnvironment, secretsInEnvironment } from './container-environment.js';
import { healthCheck } from './health-check.js';
import { checkTaskDefinition, promisedMemory } from './task-definition-checks.js';
import { TaskRoles } from './task-roles.js';
import { validateCallsPerTask } from './task-size.js';
import {
  type ResolvedProps,
  resolveProps,
  type VoiceAgentServiceProps,
  validateProps,
} from './voice-agent-service-props.js';

/** Where the agent of ECS Exec writes, which runs as root inside the container. */
const EXEC_FOLDERS = { 'ssm-lib': '/var/lib/amazon', 'ssm-log': '/var/log/amazon' };

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
    checkTaskDefinition(this.taskDefinition, resolved.memory);
    this.checkSidecars(props, resolved);
    this.service = this.createService(props);
    if (props.enableExecuteCommand) {
      Validations.of(roles.task).acknowledge({
        id: 'AwsSolutions-IAM5[Resource::*]',
        reason:
          'The messages of a session with Systems Manager have no resource; AWS accepts * only.',
      });
    }
    // The first task starts when its roles have their permissions, and the last one stops before they lose them.
    const policies = [roles, this.taskDefinition].flatMap(({ node }) => node.findAll());
    this.service.node.addDependency(
      roles.execution,
      ...policies.filter((child) => child instanceof Policy),
    );
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

  /** The calls must fit beside the containers that were added to the task. */
  private checkSidecars(
    { callsPerProcess }: VoiceAgentServiceProps,
    { callsPerTask, memory }: ResolvedProps,
  ): void {
    if (Token.isUnresolved(callsPerTask)) return;
    const validate = () => {
      const others = promisedMemory(this.taskDefinition, this.container.containerName);
      const problem =
        others < memory
          ? validateCallsPerTask(callsPerTask, memory, callsPerProcess, others)
          : undefined;
      return problem ? [problem] : [];
    };
    this.node.addValidation({ validate });
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
    { stopTimeout, maxCallLength, callsPerTask, memory }: ResolvedProps,
  ): ContainerDefinition {
    const container = this.taskDefinition.addContainer('Agent', {
      image: this.image,
      environment: containerEnvironment(
        { ...props, stopTimeout, maxCallLength },
        {
          novaSonic: this.novaSonic,
          metrics: this.metrics,
          callsPerTask,
          memory: memory - (props.traces?.memory ?? 0),
        },
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
