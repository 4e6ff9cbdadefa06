// SPDX-License-Identifier: Apache-2.0

/** Fargate stops a container for good this many seconds after SIGTERM, whatever the task definition says. */
export const MOST_STOP_SECONDS = 120;

/** Seconds between the end of the worker's own drain and the SIGKILL: time to say goodbye and close streams. */
export const DRAIN_MARGIN_SECONDS = 10;

/** Share of slots, in percent, at which the fast step-out starts; target tracking must aim below it. */
export const BURST_SLOT_SHARE = 85;

/** Availability Zones of an own VPC; a NAT gateway beyond one for each would not be made. */
export const ZONES = 2;

/** From the least to the most of a number. CloudFormation enforces those of its parameters. */
export const RANGES = {
  minTasks: [1, 500],
  maxTasks: [1, 500],
  callsPerTask: [1, 100],
  targetSlotShare: [10, 80],
  natGateways: [0, ZONES],
  // What the worker takes: with another value it would not start.
  maxCallSeconds: [60, 86_400],
  renewAfterSeconds: [10, 470],
} as const satisfies Record<string, readonly [number, number]>;

/** What is wrong with a number. @returns one sentence, or nothing. */
export function rangeMistake(
  prop: string,
  value: number,
  [least, most]: readonly [number, number],
  unit = '',
): string | undefined {
  if (Number.isInteger(value) && value >= least && value <= most) return undefined;
  return `"${prop}" cannot be ${value}: it must be a whole number from ${least} to ${most}${unit}.`;
}

/** What is wrong with a stop timeout. @returns one sentence, or nothing. */
export function stopTimeoutMistake(
  seconds: number,
  prop = 'stopTimeoutSeconds',
): string | undefined {
  if (seconds > MOST_STOP_SECONDS) {
    return `"${prop}" cannot be ${seconds}: Fargate kills a container ${MOST_STOP_SECONDS} s after SIGTERM, and neither CDK nor CloudFormation would say so; longer calls are kept by task protection, not by this.`;
  }
  if (seconds < 2 * DRAIN_MARGIN_SECONDS) {
    return `"${prop}" cannot be ${seconds}: it must be at least ${2 * DRAIN_MARGIN_SECONDS}, of which the last ${DRAIN_MARGIN_SECONDS} are for closing streams.`;
  }
  return undefined;
}

/** What is wrong with a pair of task counts. @returns one sentence, or nothing. */
export function taskCountMistake(minTasks: number, maxTasks: number): string | undefined {
  if (minTasks < 1) {
    return `"minTasks" cannot be ${minTasks}: with no task nothing publishes the metric that starts the first one.`;
  }
  if (minTasks > maxTasks) {
    return `"minTasks" (${minTasks}) cannot be above "maxTasks" (${maxTasks}).`;
  }
  return undefined;
}

/** The arithmetic of Bedrock's stream quota. @returns one sentence when the calls can exceed it, else nothing. */
export function streamQuotaWarning(calls: {
  maxTasks: number;
  callsPerTask: number;
  regions: number;
  quotaPerRegion: number;
}): string | undefined {
  const { maxTasks, callsPerTask, regions, quotaPerRegion } = calls;
  const most = maxTasks * callsPerTask;
  const allowed = regions * quotaPerRegion;
  if (most <= allowed) return undefined;
  return `${maxTasks} tasks x ${callsPerTask} calls = ${most} calls at once, but ${regions} Bedrock Region${regions === 1 ? '' : 's'} x ${quotaPerRegion} streams = ${allowed}: the calls above that fail, so add Regions to "bedrockRegions", lower "maxTasks" or "callsPerTask", or set "streamQuotaPerRegion" to what AWS granted you.`;
}
