// SPDX-License-Identifier: Apache-2.0

import type { Duration } from 'aws-cdk-lib/core';
import type { NovaSonicAccess } from '../access/nova-sonic-access.js';
import { DRAIN_MARGIN_SECONDS } from '../limits.js';
import type { AgentMetrics } from './agent-metrics.js';
import { HEALTH_PORT } from './health-check.js';

/** USD per million tokens of each kind. */
export interface TokenPrices {
  readonly audioIn: number;
  readonly audioOut: number;
  readonly textIn: number;
  readonly textOut: number;
}

/** Nova 2 Sonic and Nova 2.5 Sonic; source and date in docs/cost.md. */
export const DEFAULT_PRICES: TokenPrices = {
  audioIn: 3,
  audioOut: 12,
  textIn: 0.33,
  textOut: 2.75,
};

/** Variables of the container that come from the secret, from ECS or from a setting of their own. */
const TAKEN =
  /^(LIVEKIT_|BEDROCK_|AWS_|ECS_|PRICE_|NOVA_SONIC_|METRICS_|(CALLS_PER_TASK|DRAIN_TIMEOUT_S|MAX_CALL_S|HEALTH_PORT|LOG_LEVEL|SERVICE_NAME)$)/;

/** What is wrong with variables that are to be added to the container's. @returns one sentence for each mistake. */
export function environmentMistakes(environment: Readonly<Record<string, string>>): string[] {
  return Object.keys(environment)
    .filter((variable) => TAKEN.test(variable))
    .map(
      (variable) =>
        `"environment" cannot have ${variable}: it comes from the secret, from ECS or from a setting of its own.`,
    );
}

/** What of the container's environment is said by the props of a service; they are documented there. */
export interface ContainerEnvironmentProps {
  readonly environment?: Readonly<Record<string, string>>;
  readonly agentName?: string;
  readonly voice?: string;
  readonly renewAfter?: Duration;
  readonly stopTimeout: Duration;
  readonly maxCallLength: Duration;
  readonly logLevel?: string;
  readonly prices?: TokenPrices;
}

/** The variables by which the worker is told what it is: the secret's are not among them. */
export function containerEnvironment(
  props: ContainerEnvironmentProps,
  agent: { novaSonic: NovaSonicAccess; metrics: AgentMetrics; callsPerTask: number },
): Record<string, string> {
  const { novaSonic, metrics, callsPerTask } = agent;
  const prices = props.prices ?? DEFAULT_PRICES;
  return {
    ...props.environment,
    ...(props.agentName && { LIVEKIT_AGENT_NAME: props.agentName }),
    ...(props.voice && { NOVA_SONIC_VOICE: props.voice }),
    ...(props.renewAfter && { NOVA_SONIC_RENEW_AFTER_S: String(props.renewAfter.toSeconds()) }),
    BEDROCK_REGIONS: novaSonic.regions.join(','),
    NOVA_SONIC_MODEL: novaSonic.model,
    CALLS_PER_TASK: String(callsPerTask),
    DRAIN_TIMEOUT_S: String(props.stopTimeout.toSeconds() - DRAIN_MARGIN_SECONDS),
    MAX_CALL_S: String(props.maxCallLength.toSeconds()),
    HEALTH_PORT: String(HEALTH_PORT),
    LOG_LEVEL: props.logLevel ?? 'info',
    METRICS_NAMESPACE: metrics.namespace,
    // Twice in each of the ten-second periods by which a burst is seen.
    METRICS_INTERVAL_S: '5',
    SERVICE_NAME: metrics.serviceName,
    PRICE_AUDIO_IN_PER_M: String(prices.audioIn),
    PRICE_AUDIO_OUT_PER_M: String(prices.audioOut),
    PRICE_TEXT_IN_PER_M: String(prices.textIn),
    PRICE_TEXT_OUT_PER_M: String(prices.textOut),
  };
}
