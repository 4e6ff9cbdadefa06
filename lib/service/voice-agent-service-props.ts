// SPDX-License-Identifier: Apache-2.0

// What may be set of the service, the defaults, and what is checked of it at synth.

import {
  type ContainerImage,
  type ContainerInsights,
  CpuArchitecture,
  type DeploymentAlarmConfig,
  type DeploymentCircuitBreaker,
  type FargatePlatformVersion,
  type ICluster,
  type Secret,
} from 'aws-cdk-lib/aws-ecs';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { Duration, Token } from 'aws-cdk-lib/core';
import type { TokenPrices } from 'livekit-plugin-nova-sonic/models';
import type { LiveKitCredentials } from '../access/livekit-credentials.js';
import type { NovaSonicAccess } from '../access/nova-sonic-access.js';
import { AgentImage } from '../image/agent-image.js';
import type { AgentNetwork } from '../network/agent-network.js';
import { MAX_STOP_SECONDS, RANGES, validateRange, validateStopTimeout } from '../service-limits.js';
import type { CallTraces } from './call-traces.js';
import { validateEnvironment, validateVariables } from './container-environment.js';
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
   * trust ecs-tasks.amazonaws.com. The CDK adds nothing to a role that is imported with `mutable: false` or belongs to another
   * account: it must have the permissions already, and synth
   * warns.
   * @default - a new role
   */
  readonly taskRole?: IRole;

  /**
   * Existing role with which ECS starts the tasks. It gets the permissions to pull the images, to read the secrets and to
   * write the log, and must trust ecs-tasks.amazonaws.com. For a role that the CDK may not change, see `taskRole`.
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

/** The size of a task and its time limits, with every default in place. */
export interface ResolvedProps {
  readonly cpu: number;
  readonly memory: number;
  readonly callsPerTask: number;
  readonly stopTimeout: Duration;
  readonly maxCallLength: Duration;
  readonly architecture: CpuArchitecture;
}

export const resolveProps = (props: VoiceAgentServiceProps): ResolvedProps => ({
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
export function validateProps(
  props: VoiceAgentServiceProps,
  resolved: ResolvedProps,
): string | undefined {
  const { cpu, memory, callsPerTask, stopTimeout, maxCallLength } = resolved;
  const { renewAfter } = props;
  return (
    validateTaskSize(cpu, memory) ??
    (props.callsPerProcess === undefined
      ? undefined
      : validateRange('callsPerProcess', props.callsPerProcess, RANGES.callsPerProcess)) ??
    (Token.isUnresolved(callsPerTask)
      ? undefined
      : validateCallsPerTask(callsPerTask, memory, props.callsPerProcess, props.traces?.memory)) ??
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
