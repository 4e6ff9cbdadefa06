// SPDX-License-Identifier: Apache-2.0

import type { MetricStore } from './metric-store.js';
import { compileExpression, type ScalingMetric } from './scaling-policies.js';

/** CloudWatch repeats the action of an alarm that starts scaling once a minute. */
const REPEAT_S = 60;

/** An alarm: its value when it is to act now, else undefined. */
export class ScalingAlarm {
  #actedAt = Number.NEGATIVE_INFINITY;
  readonly #values: (number | undefined)[] = [];
  readonly #compute: (values: readonly number[]) => number | undefined;

  constructor(
    private readonly metrics: MetricStore,
    private readonly delay: number,
    private readonly alarm: {
      metric: ScalingMetric;
      periodSeconds: number;
      periods: number;
      datapoints: number;
      breaches: (value: number) => boolean;
    },
  ) {
    this.#compute = compileExpression(alarm.metric);
  }

  evaluate(now: number): number | undefined {
    const { metric, periodSeconds, periods, datapoints, breaches } = this.alarm;
    const end = now - this.delay;
    if (end < periodSeconds || end % periodSeconds !== 0) return undefined;
    const inputs = Object.values(metric.inputs).map(({ name, statistic }) =>
      this.metrics.read(name, statistic, end - periodSeconds, periodSeconds),
    );
    const value = inputs.includes(undefined) ? undefined : this.#compute(inputs as number[]);
    this.#values.push(value);
    const last = this.#values.slice(-periods);
    const breaching = last.filter((one) => one !== undefined && breaches(one)).length;
    if (breaching < datapoints) {
      this.#actedAt = Number.NEGATIVE_INFINITY;
      return undefined;
    }
    if (value === undefined || now - this.#actedAt < REPEAT_S) return undefined;
    this.#actedAt = now;
    return value;
  }
}
