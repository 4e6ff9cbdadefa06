// SPDX-License-Identifier: Apache-2.0

/** The values at which alarms go off. */
export interface AlarmThresholds {
  /**
   * Slot utilization of all tasks in percent, for longer than a task needs to start.
   * @default 90
   */
  readonly slotUtilizationPercent?: number;
  /**
   * Rejected calls in five minutes.
   * @default 5
   */
  readonly callsRejected?: number;
  /**
   * Callers in five minutes whom nobody could answer, because the waiting line was full as well.
   * @default 1
   */
  readonly callersTurnedAway?: number;
  /**
   * Milliseconds from a caller's joining to the first sound of the agent, 95th percentile.
   * @default 6000
   */
  readonly timeToAnswerP95Ms?: number;
  /**
   * Milliseconds to the first audio of a reply, 90th percentile.
   * @default 2500
   */
  readonly timeToFirstAudioP90Ms?: number;
  /**
   * Failed Bedrock streams in five minutes.
   * @default 5
   */
  readonly streamErrors?: number;
  /**
   * Calls in five minutes that found no Region, because Bedrock throttled them in each.
   * @default 1
   */
  readonly throttles?: number;
  /**
   * Use of the stream quota of the emptiest Region in percent.
   * @default 80
   */
  readonly streamQuotaPercent?: number;
  /**
   * Requests for task protection that were not granted, in five minutes.
   * @default 1
   */
  readonly protectionFailures?: number;
  /**
   * Tasks that stopped on their own in fifteen minutes.
   * @default 3
   */
  readonly taskCrashes?: number;
  /**
   * How many times as fast as it may the error budget of a service level is used up, over an hour.
   * @default 6, by which a budget of 30 days lasts 5
   */
  readonly errorBudgetBurnRate?: number;
  /** @deprecated Use `slotUtilizationPercent`. */
  readonly slotSharePercent?: number;
  /** @deprecated Use `callsRejected`. */
  readonly callsRefused?: number;
  /** @deprecated Use `timeToFirstAudioP90Ms`. */
  readonly firstAudioP90Ms?: number;
}

/** Deprecated thresholds and their new names. */
export const RENAMED_THRESHOLDS = {
  slotSharePercent: 'slotUtilizationPercent',
  callsRefused: 'callsRejected',
  firstAudioP90Ms: 'timeToFirstAudioP90Ms',
} as const satisfies Partial<Record<keyof AlarmThresholds, keyof AlarmThresholds>>;

/** Thresholds with every default in place. */
export type ResolvedThresholds = Required<Omit<AlarmThresholds, keyof typeof RENAMED_THRESHOLDS>>;

export const DEFAULT_THRESHOLDS: ResolvedThresholds = {
  slotUtilizationPercent: 90,
  callsRejected: 5,
  callersTurnedAway: 1,
  timeToAnswerP95Ms: 6000,
  timeToFirstAudioP90Ms: 2500,
  streamErrors: 5,
  throttles: 1,
  streamQuotaPercent: 80,
  protectionFailures: 1,
  taskCrashes: 3,
  errorBudgetBurnRate: 6,
};
