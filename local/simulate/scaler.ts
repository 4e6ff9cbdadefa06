// SPDX-License-Identifier: Apache-2.0

import type { MetricStore } from './metric-store.js';
import { ScalingAlarm } from './scaling-alarm.js';
import type { ServiceScaling, StepPolicy, TrackingPolicy } from './scaling-policies.js';

/** Target tracking's own alarms: 3 minutes above the target, 15 minutes below nine tenths of it. */
const TRACKING = { outPeriods: 3, inPeriods: 15, inShare: 0.9, periodSeconds: 60 };

/** Application Auto Scaling: how many tasks the service is to have. */
export class Scaler {
  desired: number;
  #min: number;
  #max: number;
  readonly #rules: ((now: number) => void)[];
  #outAt = Number.NEGATIVE_INFINITY;
  #outCooldown = 0;
  #inAt = Number.NEGATIVE_INFINITY;

  constructor(scaling: ServiceScaling, metrics: MetricStore, delay: number, tasks: number) {
    this.#min = scaling.minTasks;
    this.#max = scaling.maxTasks;
    this.desired = this.#clamp(tasks);
    this.#rules = scaling.policies.map((policy) =>
      policy.type === 'step'
        ? this.#step(policy, metrics, delay)
        : this.#tracking(policy, metrics, delay),
    );
  }

  step(now: number): void {
    for (const rule of this.#rules) rule(now);
  }

  limit(min: number, max: number): void {
    this.#min = min;
    this.#max = max;
    this.desired = this.#clamp(this.desired);
  }

  #clamp(tasks: number): number {
    return Math.min(this.#max, Math.max(this.#min, tasks));
  }

  /**
   * A policy that scales out: in its cooldown, what it added counts towards what it wants, so that only a larger
   * step adds more.
   */
  #out(cooldownSeconds: number): (now: number, wanted: (capacity: number) => number) => void {
    let at = Number.NEGATIVE_INFINITY;
    let before = this.desired;
    return (now, wanted) => {
      const cooling = now - at < cooldownSeconds;
      const base = cooling ? before : this.desired;
      const next = this.#clamp(wanted(base));
      if (next <= this.desired) return;
      before = base;
      at = now;
      this.#outAt = now;
      this.#outCooldown = cooldownSeconds;
      this.desired = next;
    };
  }

  #step(policy: StepPolicy, metrics: MetricStore, delay: number) {
    const { threshold, percent, minAdjustment, steps } = policy;
    const alarm = new ScalingAlarm(metrics, delay, {
      metric: policy.metric,
      periodSeconds: policy.periodSeconds,
      periods: policy.evaluationPeriods,
      datapoints: policy.datapointsToAlarm,
      breaches: (value) => value >= threshold,
    });
    const out = this.#out(policy.cooldownSeconds);
    return (now: number) => {
      const value = alarm.evaluate(now);
      if (value === undefined) return;
      const above = value - threshold;
      const change = steps.find(({ lower, upper }) => above >= lower && above < upper)?.change ?? 0;
      out(now, (capacity) => {
        const tasks = percent ? Math.trunc((capacity * change) / 100) : change;
        return capacity + Math.max(minAdjustment, tasks);
      });
    };
  }

  #tracking(policy: TrackingPolicy, metrics: MetricStore, delay: number) {
    const { metric, targetValue } = policy;
    const alarm = (periods: number, breaches: (value: number) => boolean) =>
      new ScalingAlarm(metrics, delay, {
        metric,
        periodSeconds: TRACKING.periodSeconds,
        periods,
        datapoints: periods,
        breaches,
      });
    const high = alarm(TRACKING.outPeriods, (value) => value > targetValue);
    const low = alarm(TRACKING.inPeriods, (value) => value < TRACKING.inShare * targetValue);
    const out = this.#out(policy.scaleOutCooldownSeconds);
    return (now: number) => {
      const above = high.evaluate(now);
      if (above !== undefined) out(now, (tasks) => Math.ceil((tasks * above) / targetValue));
      const below = low.evaluate(now);
      if (below === undefined || now - this.#inAt < policy.scaleInCooldownSeconds) return;
      if (now - this.#outAt < this.#outCooldown) return;
      const next = this.#clamp(Math.ceil((this.desired * below) / targetValue));
      if (next >= this.desired) return;
      this.desired = next;
      this.#inAt = now;
    };
  }
}
