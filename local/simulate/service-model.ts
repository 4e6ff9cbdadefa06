// SPDX-License-Identifier: Apache-2.0

import { CallDemand } from '../../agent/src/worker/call-demand.js';
import { MetricStore } from './metric-store.js';
import { poisson } from './poisson.js';
import { Scaler } from './scaler.js';
import type { ServiceScaling } from './scaling-policies.js';

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
/** How often a task asks ECS whether it is one too many: DEPLOYMENT_CHECK_S. */
const STANDING_S = 60;
/** Fargate starts a burst of 100 tasks, and then 500 a minute in one service. */
const LAUNCH_BURST = 100;
const LAUNCH_PER_SECOND = 500 / 60;
/** LiveKit weighs a worker by its distance from full, of which a task with a free slot reports at most this. */
const MAX_OPEN_LOAD = 0.65;

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

/** Simulates a service second by second: pure, without a clock, a file or chance of its own. */
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
