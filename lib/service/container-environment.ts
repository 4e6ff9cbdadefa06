// SPDX-License-Identifier: Apache-2.0

import type { Duration } from 'aws-cdk-lib/core';
import { DEFAULT_TOKEN_PRICES, type TokenPrices } from 'livekit-plugin-nova-sonic/models';
import type { NovaSonicAccess } from '../access/nova-sonic-access.js';
import { DRAIN_MARGIN_SECONDS } from '../service-limits.js';
import type { AgentMetrics } from './agent-metrics.js';
import type { CallTraces } from './call-traces.js';
import { HEALTH_PORT } from './health-check.js';
import { CALLS_PER_PROCESS, processLimitMB } from './task-size.js';

/** Variables of the container that come from the secret, from ECS or from another setting. */
const RESERVED =
  /^(LIVEKIT_|BEDROCK_|AWS_|ECS_|PRICE_|NOVA_SONIC_|METRICS_|(CALLS_PER_TASK|CALLS_PER_PROCESS|DRAIN_TIMEOUT_S|MAX_CALL_S|HEALTH_PORT|LOG_LEVEL|SERVICE_NAME|OTEL_EXPORTER_OTLP_ENDPOINT|OTEL_TRACES_SAMPLER_ARG|TENANT_METADATA_KEY)$)/;

/** Checks variables that are added to the container's. @returns one sentence for each that is reserved */
export function validateVariables(variables: object, prop: 'environment' | 'secrets'): string[] {
  return Object.keys(variables)
    .filter((variable) => RESERVED.test(variable))
    .map(
      (variable) =>
        `"${prop}" cannot have ${variable}: it comes from the secret, from ECS or from another setting.`,
    );
}

/** Checks variables that are added to the container's. @returns one sentence for each that is reserved */
export const validateEnvironment = (environment: Readonly<Record<string, string>>): string[] =>
  validateVariables(environment, 'environment');

/** Variables whose names are those of a secret: their values are in the template for all to read. */
export function secretsInEnvironment(environment: Readonly<Record<string, string>>): string[] {
  return Object.keys(environment).filter((variable) =>
    /(^|_)(API_?KEY|KEY|SECRET|TOKEN|PASSWORD|PASSWD|OTLP_HEADERS|TRACES_HEADERS)$/.test(variable),
  );
}

/** The props of a service that become environment variables; they are documented there. */
export interface ContainerEnvironmentProps {
  readonly environment?: Readonly<Record<string, string>>;
  readonly agentName?: string;
  readonly callsPerProcess?: number;
  readonly voice?: string;
  readonly renewAfter?: Duration;
  readonly stopTimeout: Duration;
  readonly maxCallLength: Duration;
  readonly logLevel?: string;
  readonly prices?: TokenPrices;
  readonly traces?: CallTraces;
  readonly tenantMetadataKey?: string;
}

/** Without the quotas, whose change then replaces no task. */
const lanesVariable = ({ lanes }: NovaSonicAccess): string =>
  JSON.stringify(lanes.map(({ name, region, role }) => ({ name, region, ...(role && { role }) })));

/** The worker's configuration as environment variables, without those that come from the secret. */
export function containerEnvironment(
  props: ContainerEnvironmentProps,
  agent: {
    novaSonic: NovaSonicAccess;
    metrics: AgentMetrics;
    callsPerTask: number;
    /** MiB of the task that the container has. */
    memory: number;
  },
): Record<string, string> {
  const { novaSonic, metrics, callsPerTask } = agent;
  const prices = props.prices ?? DEFAULT_TOKEN_PRICES;
  const limitMB = processLimitMB(agent.memory, props.callsPerProcess);
  return {
    ...(limitMB && { JOB_MEMORY_LIMIT_MB: String(limitMB) }),
    ...props.environment,
    ...(props.agentName && { LIVEKIT_AGENT_NAME: props.agentName }),
    ...(props.voice && { NOVA_SONIC_VOICE: props.voice }),
    ...(props.renewAfter && { NOVA_SONIC_RENEW_AFTER_S: String(props.renewAfter.toSeconds()) }),
    ...(novaSonic.hasOwnLanes
      ? { BEDROCK_LANES: lanesVariable(novaSonic) }
      : { BEDROCK_REGIONS: novaSonic.lanes.map(({ region }) => region).join(',') }),
    ...props.traces?.environment,
    ...(props.tenantMetadataKey && { TENANT_METADATA_KEY: props.tenantMetadataKey }),
    NOVA_SONIC_MODEL: novaSonic.model,
    CALLS_PER_TASK: String(callsPerTask),
    CALLS_PER_PROCESS: String(props.callsPerProcess ?? CALLS_PER_PROCESS),
    DRAIN_TIMEOUT_S: String(props.stopTimeout.toSeconds() - DRAIN_MARGIN_SECONDS),
    MAX_CALL_S: String(props.maxCallLength.toSeconds()),
    HEALTH_PORT: String(HEALTH_PORT),
    LOG_LEVEL: props.logLevel ?? 'info',
    METRICS_NAMESPACE: metrics.namespace,
    // Two samples in each ten-second period of the burst alarm.
    METRICS_INTERVAL_S: '5',
    SERVICE_NAME: metrics.serviceName,
    PRICE_AUDIO_IN_PER_M: String(prices.audioIn),
    PRICE_AUDIO_OUT_PER_M: String(prices.audioOut),
    PRICE_TEXT_IN_PER_M: String(prices.textIn),
    PRICE_TEXT_OUT_PER_M: String(prices.textOut),
  };
}
