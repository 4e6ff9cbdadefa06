// SPDX-License-Identifier: Apache-2.0

// Long because the model is one pure module: nothing in it touches a clock, a file or chance of its own.

import { CallDemand } from '../../agent/src/worker/call-demand.js';
import {
  compileExpression,
  type ScalingMetric,
  type ServiceScaling,
  type StepPolicy,
  type TrackingPolicy,
} from './scaling-policies.js';

export interface ServiceModelOptions {
  readonly scaling: ServiceScaling;
  /** Calls that a task takes at once. */
  readonly slots: number;
  /** Callers a second at a second of the simulation. */
  readonly arrivals: (second: number) => number;
  /** Seconds to simulate. */
  readonly seconds: number;
  /** Mean length of a call in seconds; lengths are exponentially distributed. */
  readonly callSeconds: number;
  /** Tasks and calls at the start. Default: the minimum, and none. */
  readonly start?: { readonly tasks: number; readonly calls: number };
  /** Seconds from a request to a registered task: least and most. Default 40 and 90. */
  readonly taskStartSeconds?: readonly [number, number];
  /** Seconds from the end of a metric's period to an alarm that knows it. Default 15. */
  readonly metricDelaySeconds?: number;
  /** Seconds that a caller waits for a free slot. Default 0: LiveKit offers a call once (livekit-server 1.13.5). */
  readonly patienceSeconds?: number;
  /** Seconds at which a deployment starts. */
  readonly deploysAt?: readonly number[];
  /** Changes of the task limits, as a schedule makes them. */
  readonly limits?: readonly { at: number; minTasks: number; maxTasks: number }[];
  /** 0 to 1, of equal distribution. */
  readonly random: () => number;
}

/** What happened in each second. */
export interface ServiceHistory {
  readonly arrivals: Float64Array;
  readonly refused: Float64Array;
  readonly calls: Float64Array;
  /** Slots of registered tasks that take calls. */
  readonly capacity: Float64Array;
  readonly waiting: Float64Array;
  /** Tasks that are billed: starting, running and draining. */
  readonly tasks: Float64Array;
  readonly desired: Float64Array;
  /** Seconds that each answered caller waited, with the second of the call. */
  readonly waits: readonly { at: number; seconds: number }[];
}

/** How often a task publishes its metrics, in seconds: METRICS_INTERVAL_S of the stack. */
const PUBLISH_S = 5;
/** A worker publishes from its start, this long before LiveKit has registered it. */
const UNREGISTERED_S = 30;
/** The resolution in which metrics are kept. */
const BUCKET_S = 10;
/** How often a task asks ECS whether it is one too many: DEPLOYMENT_CHECK_S. */
const STANDING_S = 60;
/** Fargate starts a burst of 100 tasks, and then 500 a minute in one service. */
const LAUNCH_BURST = 100;
const LAUNCH_PER_SECOND = 500 / 60;
/** LiveKit weighs a worker by its distance from full, of which a task with a free slot reports at most this. */
const MAX_OPEN_LOAD = 0.65;
/** Target tracking's own alarms: 3 minutes above the target, 15 minutes below nine tenths of it. */
const TRACKING = { outPeriods: 3, inPeriods: 15, inShare: 0.9, periodSeconds: 60 };
/** CloudWatch repeats the action of an alarm that starts scaling once a minute. */
const REPEAT_S = 60;

interface Task {
  readonly readyAt: number;
  readonly publishAt: number;
  readonly asksAt: number;
  readonly deployment: number;
  registered: boolean;
  calls: number;
  stopped: boolean;
  /** A newer deployment takes the calls. */
  superseded: boolean;
  /** The service wants fewer tasks, and this is one too many. */
  surplus: boolean;
  demand: CallDemand | undefined;
}

interface Bucket {
  sum: number;
  count: number;
}

/** Simulates a service second by second. */
export function simulateService(options: ServiceModelOptions): ServiceHistory {
  const service = new Service(options);
  for (let second = 0; second < options.seconds; second++) service.step(second);
  return service.history;
}

class Service {
  readonly history: ServiceHistory & { waits: { at: number; seconds: number }[] };
  readonly #options: ServiceModelOptions;
  readonly #metrics = new MetricStore();
  readonly #scaler: Scaler;
  readonly #ends: (Task[] | undefined)[] = [];
  readonly #delay: number;
  #tasks: Task[] = [];
  /** Requested and not yet launched, because of Fargate's launch rate. */
  #launches = LAUNCH_BURST;
  #deployment = 0;
  #waiting: number[] = [];
  #calls = 0;

  constructor(options: ServiceModelOptions) {
    this.#options = options;
    const { seconds, scaling, start } = options;
    this.#delay = options.metricDelaySeconds ?? 15;
    const series = () => new Float64Array(seconds);
    this.history = {
      arrivals: series(),
      refused: series(),
      calls: series(),
      capacity: series(),
      waiting: series(),
      tasks: series(),
      desired: series(),
      waits: [],
    };
    const tasks = start?.tasks ?? scaling.minTasks;
    this.#scaler = new Scaler(scaling, this.#metrics, this.#delay, tasks);
    for (let i = 0; i < this.#scaler.desired; i++) this.#launch(0);
    for (const task of this.#tasks) this.#register(task, 0);
    for (let i = 0; i < (start?.calls ?? 0); i++) this.#admit(0);
    // These calls have been there for a while.
    for (const task of this.#tasks) task.demand = new CallDemand(0, task.calls);
  }

  step(now: number): void {
    const { random, arrivals, patienceSeconds = 0 } = this.#options;
    const { history } = this;
    this.#changes(now);
    this.#endCalls(now);
    this.#tasks = this.#tasks.filter(({ stopped }) => !stopped);
    for (const task of this.#tasks) {
      if (!task.registered && task.readyAt <= now) this.#register(task, now);
    }
    this.#supersede();
    this.#updateStanding(now);
    const count = poisson(arrivals(now), random);
    history.arrivals[now] = count;
    for (let i = 0; i < count; i++) this.#waiting.push(now);
    while (this.#waiting.length > 0 && this.#admit(now)) {
      const since = this.#waiting.shift() as number;
      history.waits.push({ at: since, seconds: now - since });
    }
    while (this.#waiting.length > 0 && (this.#waiting[0] as number) + patienceSeconds <= now) {
      const since = this.#waiting.shift() as number;
      history.refused[since] = (history.refused[since] ?? 0) + 1;
    }
    this.#publish(now);
    this.#scaler.step(now);
    this.#reconcile(now);
    history.calls[now] = this.#calls;
    history.waiting[now] = this.#waiting.length;
    history.tasks[now] = this.#tasks.length;
    history.desired[now] = this.#scaler.desired;
    history.capacity[now] = this.#tasks.filter(takesCalls).length * this.#options.slots;
  }

  #changes(now: number): void {
    for (const { at, minTasks, maxTasks } of this.#options.limits ?? []) {
      if (at === now) this.#scaler.limit(minTasks, maxTasks);
    }
    if (this.#options.deploysAt?.includes(now)) this.#deployment++;
  }

  /** Old tasks refuse calls as soon as the new deployment can take them. */
  #supersede(): void {
    if (this.#deployment === 0) return;
    const ready = this.#tasks.filter(
      ({ deployment, registered }) => deployment === this.#deployment && registered,
    ).length;
    if (ready < this.#scaler.desired) return;
    for (const task of this.#tasks) {
      if (task.deployment < this.#deployment) task.superseded = true;
    }
  }

  #register(task: Task, now: number): void {
    task.registered = true;
    task.demand = new CallDemand(now);
  }

  #endCalls(now: number): void {
    for (const task of this.#ends[now] ?? []) {
      if (task.calls === this.#options.slots) task.demand?.fullChanged(false, now);
      task.calls -= 1;
      this.#calls -= 1;
    }
    this.#ends[now] = undefined;
  }

  /** Gives a call to a task, more likely to one with fewer calls. @returns false when none has a free slot */
  #admit(now: number): boolean {
    const { random, slots, callSeconds } = this.#options;
    let total = 0;
    for (const task of this.#tasks) total += this.#weight(task);
    if (total === 0) return false;
    let at = random() * total;
    const task = this.#tasks.find((one) => {
      const weight = this.#weight(one);
      at -= weight;
      return weight > 0 && at <= 0;
    });
    if (!task) return false;
    task.calls += 1;
    this.#calls += 1;
    task.demand?.arrived(now);
    if (task.calls === slots) task.demand?.fullChanged(true, now);
    const end = now + Math.max(1, Math.round(-Math.log(1 - random()) * callSeconds));
    this.#ends[end] ??= [];
    this.#ends[end].push(task);
    return true;
  }

  #weight(task: Task): number {
    const { slots } = this.#options;
    return takesCalls(task) && task.calls < slots ? 1 - (MAX_OPEN_LOAD * task.calls) / slots : 0;
  }

  #publish(now: number): void {
    const { slots } = this.#options;
    let first = true;
    for (const task of this.#tasks) {
      if (now % PUBLISH_S !== task.publishAt || now < task.readyAt - UNREGISTERED_S) continue;
      this.#metrics.add('SlotUtilization', (100 * task.calls) / slots, now);
      const accepting = takesCalls(task);
      // Those who are about to leave bring nobody back: new callers go to the others.
      const demand = task.demand?.measure(now, {
        calls: task.calls,
        // One task counts those who wait.
        waiting: first ? this.#waiting.length : 0,
        slots,
        cpuUtilization: 0,
        cpuLoadThreshold: 0,
      });
      first = false;
      this.#metrics.add('CallDemand', demand?.now ?? 0, now);
      this.#metrics.add(
        'ExpectedCallDemand',
        (accepting ? demand?.expected : demand?.now) ?? 0,
        now,
      );
      this.#metrics.add('CallCapacity', accepting ? slots : 0, now);
    }
  }

  /** What ECS does to have the desired number of tasks of the newest deployment. */
  #reconcile(now: number): void {
    this.#launches = Math.min(LAUNCH_BURST, this.#launches + LAUNCH_PER_SECOND);
    const current = this.#tasks.filter(({ deployment }) => deployment === this.#deployment);
    let missing = this.#scaler.desired - current.length;
    for (; missing > 0 && this.#launches >= 1; missing--) {
      this.#launches -= 1;
      const [least, most] = this.#options.taskStartSeconds ?? [40, 90];
      this.#launch(now + least + this.#options.random() * (most - least));
    }
    // A task that takes calls is protected; ECS stops those that start, and those that know that they are not wanted.
    for (const task of current.reverse()) {
      if (missing >= 0) break;
      if (task.registered && !(task.surplus && task.calls === 0)) continue;
      task.stopped = true;
      missing++;
    }
    for (const task of this.#tasks) {
      if (task.superseded && task.calls === 0) task.stopped = true;
    }
    this.#tasks = this.#tasks.filter(({ stopped }) => !stopped);
  }

  /** The newest tasks are those too many; each notices it when it next asks ECS. */
  #updateStanding(now: number): void {
    let rank = 0;
    for (const task of this.#tasks) {
      if (task.deployment !== this.#deployment || !task.registered) continue;
      rank += 1;
      if (now % STANDING_S === task.asksAt) task.surplus = rank > this.#scaler.desired;
    }
  }

  #launch(readyAt: number): void {
    this.#tasks.push({
      readyAt,
      publishAt: Math.floor(this.#options.random() * PUBLISH_S),
      asksAt: Math.floor(this.#options.random() * STANDING_S),
      deployment: this.#deployment,
      registered: false,
      calls: 0,
      stopped: false,
      superseded: false,
      surplus: false,
      demand: undefined,
    });
  }
}

const takesCalls = (task: Task): boolean =>
  task.registered && !task.superseded && !task.surplus && !task.stopped;

/** CloudWatch: sums and counts in periods of ten seconds. */
class MetricStore {
  readonly #buckets = new Map<string, Bucket[]>();

  add(name: string, value: number, now: number): void {
    const buckets = this.#buckets.get(name) ?? [];
    this.#buckets.set(name, buckets);
    const index = Math.floor(now / BUCKET_S);
    const bucket = buckets[index] ?? { sum: 0, count: 0 };
    buckets[index] = bucket;
    bucket.sum += value;
    bucket.count += 1;
  }

  /** A value over the period from `from`; undefined without data. */
  read(name: string, statistic: 'Average' | 'Sum', from: number, seconds: number) {
    const buckets = this.#buckets.get(name) ?? [];
    let sum = 0;
    let count = 0;
    for (let at = from; at < from + seconds; at += BUCKET_S) {
      const bucket = buckets[at / BUCKET_S];
      sum += bucket?.sum ?? 0;
      count += bucket?.count ?? 0;
    }
    if (count === 0) return undefined;
    return statistic === 'Sum' ? sum : sum / count;
  }
}

/** An alarm: its value when it is to act now, else undefined. */
class ScalingAlarm {
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

/** Application Auto Scaling. */
class Scaler {
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

/** Above this exp(-mean) comes near the smallest number there is. */
const MAX_POISSON_MEAN = 500;

/** A Poisson-distributed number with this mean (Knuth); of a large one the sum of several. */
function poisson(mean: number, random: () => number): number {
  if (mean > MAX_POISSON_MEAN)
    return poisson(MAX_POISSON_MEAN, random) + poisson(mean - MAX_POISSON_MEAN, random);
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) count++;
  return count;
}
