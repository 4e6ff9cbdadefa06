// SPDX-License-Identifier: Apache-2.0

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
