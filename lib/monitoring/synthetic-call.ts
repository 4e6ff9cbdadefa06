// SPDX-License-Identifier: Apache-2.0

import {
  FargatePlatformVersion,
  FargateTaskDefinition,
  type ICluster,
  LogDrivers,
} from 'aws-cdk-lib/aws-ecs';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Schedule, ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { EcsRunFargateTask } from 'aws-cdk-lib/aws-scheduler-targets';
import { Duration, Stack, Validations } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { wildcardFindingId } from '../access/nag-suppressions.js';
import { ExecutionRole, ecsTasksPrincipal } from '../service/execution-role.js';
import { checkTaskDefinition } from '../service/task-definition-checks.js';
import type { VoiceAgentService } from '../service/voice-agent-service.js';
import { RANGES, validateRange } from '../service-limits.js';

/** Of the task, in MiB. */
const MEMORY_MIB = 1024;

export interface SyntheticCallProps {
  /** The agent to call. */
  readonly agent: VoiceAgentService;

  /**
   * Time between two calls, 1 minute to a day. A call takes about 10 s; docs/cost.md has its price.
   * @default Duration.minutes(15)
   */
  readonly interval?: Duration;

  /**
   * The program that makes a call and prints the metrics SyntheticCallsAnswered and SyntheticCallReplyTime.
   * @default - the one of our image; one of your own needs its own
   */
  readonly command?: readonly string[];
}

/**
 * Calls the agent at an interval, as a caller does, from a small Fargate task of its own: joins a room, waits for the greeting, asks
 * a question, and expects a reply. The task may read the secret of LiveKit and write its log, nothing else.
 */
export class SyntheticCall extends Construct {
  public readonly interval: Duration;
  public readonly taskDefinition: FargateTaskDefinition;
  public readonly schedule: Schedule;

  /** @throws Error with one sentence when the interval is out of range */
  constructor(scope: Construct, id: string, props: SyntheticCallProps) {
    super(scope, id);
    const { agent } = props;
    this.interval = props.interval ?? Duration.minutes(15);
    const minutes = this.interval.toMinutes();
    const problem = validateRange('interval', minutes, RANGES.syntheticCallMinutes, ' minutes');
    if (problem) throw new Error(problem);
    this.taskDefinition = this.createTaskDefinition(agent, props.command);
    this.schedule = new Schedule(this, 'Schedule', {
      description: 'Calls the voice agent and expects an answer',
      schedule: ScheduleExpression.rate(this.interval),
      target: new EcsRunFargateTask(agent.cluster, {
        role: this.createScheduleRole(agent.cluster),
        taskDefinition: this.taskDefinition,
        vpcSubnets: agent.network.subnets,
        assignPublicIp: agent.network.assignPublicIp,
        securityGroups: [agent.network.securityGroup],
        platformVersion: FargatePlatformVersion.LATEST,
        propagateTags: true,
        enableEcsManagedTags: true,
        // A call that could not start is a failed one; the next comes soon.
        retryAttempts: 0,
        maxEventAge: Duration.minutes(1),
      }),
    });
  }

  /** The target grants it to start this task, with its two roles and its tags. */
  private createScheduleRole({ clusterName }: ICluster): Role {
    const stack = Stack.of(this);
    const role = new Role(this, 'ScheduleRole', {
      description: 'Starts the task of the synthetic call',
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': stack.account } },
      }),
    });
    const tasks = stack.formatArn({
      service: 'ecs',
      resource: 'task',
      resourceName: `${clusterName}/*`,
    });
    Validations.of(role).acknowledge({
      id: wildcardFindingId(this, tasks),
      reason:
        'The ID of a task is unknown until it starts, when it gets its tags; the ARN names the cluster.',
    });
    return role;
  }

  private createTaskDefinition(
    agent: VoiceAgentService,
    command = ['node', 'dist/synthetic-call.js'] as readonly string[],
  ): FargateTaskDefinition {
    const taskDefinition = new FargateTaskDefinition(this, 'Task', {
      cpu: 512,
      memoryLimitMiB: MEMORY_MIB,
      runtimePlatform: agent.runtimePlatform,
      taskRole: new Role(this, 'TaskRole', {
        description: 'Synthetic call: no permission',
        assumedBy: ecsTasksPrincipal(this),
      }),
      executionRole: new ExecutionRole(this, 'ExecutionRole', {
        description:
          'Starts the synthetic call: pull the image, read the LiveKit secret, write the log',
        assumedBy: ecsTasksPrincipal(this),
      }),
    });
    Validations.of(taskDefinition).acknowledge({
      id: 'AwsSolutions-ECS2',
      reason:
        'The environment holds names only; the address and keys of LiveKit are injected from Secrets Manager.',
    });
    taskDefinition.addVolume({ name: 'tmp' });
    const container = taskDefinition.addContainer('Caller', {
      image: agent.image,
      command: [...command],
      environment: {
        ...(agent.agentName && { LIVEKIT_AGENT_NAME: agent.agentName }),
        METRICS_NAMESPACE: agent.metrics.namespace,
        SERVICE_NAME: agent.metrics.serviceName,
      },
      secrets: agent.credentials.containerSecrets(),
      user: '1000:1000',
      readonlyRootFilesystem: true,
      logging: LogDrivers.awsLogs({ logGroup: agent.logGroup, streamPrefix: 'synthetic-call' }),
    });
    container.addMountPoints({ sourceVolume: 'tmp', containerPath: '/tmp', readOnly: false });
    checkTaskDefinition(taskDefinition, MEMORY_MIB);
    return taskDefinition;
  }
}
