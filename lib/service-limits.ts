// SPDX-License-Identifier: Apache-2.0

/** Fargate kills a container at most this many seconds after SIGTERM, even if the task definition asks for more. */
export const MAX_STOP_SECONDS = 120;

/** Seconds between the end of the worker's drain and the SIGKILL: time to say goodbye and close streams. */
export const DRAIN_MARGIN_SECONDS = 10;

/** Availability Zones of a new VPC; it gets at most one NAT gateway for each. */
export const ZONES = 2;

/** Minimum and maximum of a number. CloudFormation enforces those of its parameters. */
export const RANGES = {
  minTasks: [1, 500],
  maxTasks: [1, 500],
  callsPerTask: [1, 100],
  callsPerProcess: [1, 100],
  targetSlotUtilization: [10, 80],
  natGateways: [0, ZONES],
  // The worker's limits: it does not start with another value.
  maxCallSeconds: [60, 86_400],
  renewAfterSeconds: [10, 470],
  bakeMinutes: [0, 180],
  syntheticCallMinutes: [1, 1440],
  tracePercent: [0, 100],
} as const satisfies Record<string, readonly [number, number]>;

/** Checks a number. @returns one sentence about a problem, else undefined */
export function validateRange(
  prop: string,
  value: number,
  [min, max]: readonly [number, number],
  unit = '',
): string | undefined {
  if (Number.isInteger(value) && value >= min && value <= max) return undefined;
  return `"${prop}" cannot be ${value}: it must be a whole number from ${min} to ${max}${unit}.`;
}

/** Checks a stop timeout. @returns one sentence about a problem, else undefined */
export function validateStopTimeout(
  seconds: number,
  prop = 'stopTimeoutSeconds',
): string | undefined {
  if (seconds > MAX_STOP_SECONDS) {
    return `"${prop}" cannot be ${seconds}: Fargate kills a container ${MAX_STOP_SECONDS} s after SIGTERM, and neither CDK nor CloudFormation rejects more; task protection keeps longer calls alive, not this.`;
  }
  if (seconds < 2 * DRAIN_MARGIN_SECONDS) {
    return `"${prop}" cannot be ${seconds}: it must be at least ${2 * DRAIN_MARGIN_SECONDS}, of which the last ${DRAIN_MARGIN_SECONDS} are for closing streams.`;
  }
  return undefined;
}

/** Checks a pair of task counts. @returns one sentence about a problem, else undefined */
export function validateTaskCounts(minTasks: number, maxTasks: number): string | undefined {
  if (minTasks < 1) {
    return `"minTasks" cannot be ${minTasks}: with no task nothing publishes the metric that starts the first one.`;
  }
  if (minTasks > maxTasks) {
    return `"minTasks" (${minTasks}) cannot be above "maxTasks" (${maxTasks}).`;
  }
  return undefined;
}

/** The highest maximum of tasks, at whatever time of the day, and what sets it. */
export function mostTasks(limits: {
  readonly maxTasks: number;
  readonly schedules: readonly { readonly maxTasks: number }[];
}): { tasks: number; setting: 'maxTasks' | 'schedules' } {
  const scheduled = Math.max(0, ...limits.schedules.map(({ maxTasks }) => maxTasks));
  return scheduled > limits.maxTasks
    ? { tasks: scheduled, setting: 'schedules' }
    : { tasks: limits.maxTasks, setting: 'maxTasks' };
}

/** Compares calls with Bedrock's stream quota. @returns one sentence when the calls can exceed it, else undefined */
export function streamQuotaWarning(capacity: {
  maxTasks: number;
  schedules?: readonly { readonly maxTasks: number }[];
  callsPerTask: number;
  regions: number;
  quotaPerRegion: number;
  /** Streams of each lane, when there are lanes instead of Regions. */
  lanes?: readonly number[] | undefined;
}): string | undefined {
  const { schedules = [], callsPerTask, regions, quotaPerRegion, lanes } = capacity;
  const { tasks, setting } = mostTasks({ maxTasks: capacity.maxTasks, schedules });
  const calls = tasks * callsPerTask;
  if (lanes) {
    const streams = lanes.reduce((sum, count) => sum + count, 0);
    if (calls <= streams) return undefined;
    return `${tasks} tasks x ${callsPerTask} calls = ${calls} concurrent calls, but ${lanes.length} lane${lanes.length === 1 ? '' : 's'} have ${streams} streams: calls above that fail, so add accounts or Regions to "lanes", lower "${setting}" or "callsPerTask", or set "streams" of a lane to what AWS granted it.`;
  }
  const allowed = regions * quotaPerRegion;
  if (calls <= allowed) return undefined;
  return `${tasks} tasks x ${callsPerTask} calls = ${calls} concurrent calls, but ${regions} Bedrock Region${regions === 1 ? '' : 's'} x ${quotaPerRegion} streams = ${allowed}: calls above that fail, so add Regions to "bedrockRegions", lower "${setting}" or "callsPerTask", or set "streamQuotaPerRegion" to what AWS granted you.`;
}
