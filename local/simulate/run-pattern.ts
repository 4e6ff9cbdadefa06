// SPDX-License-Identifier: Apache-2.0

import type { ArrivalPattern } from './scenarios.js';
import { type ServiceHistory, type ServiceModelOptions, simulateService } from './service-model.js';

/** Lets the service find the size that it keeps before the event. */
const WARM_UP_S = 30 * 60;

/** A run of one pattern: its history, with the start of the event. */
export interface PatternRun {
  readonly pattern: ArrivalPattern;
  readonly history: ServiceHistory;
  readonly eventAt: number;
  /** The end of the window in which refusals count. */
  readonly end: number;
}

export interface PatternOptions
  extends Omit<ServiceModelOptions, 'arrivals' | 'seconds' | 'start' | 'deploysAt'> {
  /** Calls in progress at the full rate. */
  readonly calls: number;
  /** Changes of the limits; `at` counts from the start of the event. */
  readonly limits?: ServiceModelOptions['limits'];
  /** Slots in use at which the service starts, in percent. */
  readonly targetPercent: number;
  /** Seconds before the event. Default: half an hour. */
  readonly warmUpSeconds?: number;
  /** Seconds after the start of the event at which a deployment starts. */
  readonly deploys?: readonly number[];
}

/** Simulates one pattern, from a service that has settled before the event. */
export function runPattern(pattern: ArrivalPattern, options: PatternOptions): PatternRun {
  const { calls, targetPercent, callSeconds, slots, warmUpSeconds: eventAt = WARM_UP_S } = options;
  const rate = calls / callSeconds;
  const before = Math.round(calls * pattern.before);
  const history = simulateService({
    ...options,
    deploysAt: (options.deploys ?? []).map((at) => eventAt + at),
    limits: (options.limits ?? []).map((limit) => ({ ...limit, at: eventAt + limit.at })),
    seconds: eventAt + pattern.window,
    start: { calls: before, tasks: Math.ceil((before * 100) / (slots * targetPercent)) },
    arrivals: (second) =>
      second < eventAt
        ? rate * pattern.before
        : rate * pattern.share(second - eventAt) + calls * (pattern.extra?.(second - eventAt) ?? 0),
  });
  return { pattern, history, eventAt, end: eventAt + pattern.window };
}

/** The sum of a series over seconds. */
export function sum(series: Float64Array, from = 0, to = series.length): number {
  let total = 0;
  for (let at = from; at < to; at++) total += series[at] ?? 0;
  return total;
}

/** Refused callers of the window, in percent. */
export function refusedPercent({ history, eventAt, end }: PatternRun): number {
  const arrivals = sum(history.arrivals, eventAt, end);
  return arrivals === 0 ? 0 : (100 * sum(history.refused, eventAt, end)) / arrivals;
}
