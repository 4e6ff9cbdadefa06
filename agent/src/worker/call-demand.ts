// SPDX-License-Identifier: Apache-2.0

/** Over how many seconds arrivals and the growth of calls are measured. */
const WINDOW_S = 60;
/**
 * Seconds from a metric to a task that takes calls because of it: 25 to 35 until the alarm acts, 40 to 90 for the task
 * to start. What arrives until then has to fit as well.
 */
export const LEAD_S = 90;
/** A task that fills up faster says little about how long its callers will go on coming: ten at once may be all. */
const MIN_EXPOSURE_S = 10;
/** A full task believes for so long that callers come as they did when it filled up: until new tasks are there. */
const HOLD_S = 120;

export interface DemandInput {
  /** Calls that hold a slot. */
  calls: number;
  /** Callers whom no task could answer yet and whom this task counts. */
  waiting: number;
  /** Slots of the task. */
  slots: number;
  /** CPU in use, 0 to 1, smoothed over a minute. */
  cpuUtilization: number;
  /** CPU use at which the task takes no more calls, 0 to 1; 0: CPU is ignored. */
  cpuLoadThreshold: number;
}

/** What a task asks for, in call slots. Values of several tasks add up. */
export interface Demand {
  /** Now: calls and waiting callers, or what the CPU in use amounts to, whichever is more. */
  now: number;
  /** The same, and by how much the calls will have grown when a task that is asked for now takes calls. */
  expected: number;
}

/**
 * How many call slots the callers of this task need, now and when a new task could help.
 *
 * The growth is signed, so that chance cancels out over several tasks. A full task sees no arrivals: it holds the rate
 * at which it filled up. Pure: time is passed in, in seconds.
 */
export class CallDemand {
  /** Arrivals of the last minute. */
  #arrivals: number[] = [];
  /** Calls at each measurement of the last minute. */
  #samples: { at: number; calls: number }[];
  /** Since when the task has had a free slot; undefined while it is full. */
  #openSince: number | undefined;
  #held = { perSecond: 0, until: Number.NEGATIVE_INFINITY };

  /** @param calls calls that are in progress already */
  constructor(now: number, calls = 0) {
    this.#openSince = now;
    this.#samples = [{ at: now, calls }];
  }

  /** A call took a slot. */
  arrived(now: number): void {
    this.#arrivals.push(now);
  }

  /** The last slot was taken, or one became free. */
  fullChanged(full: boolean, now: number): void {
    if (!full) {
      this.#openSince ??= now;
      return;
    }
    const openFor = now - (this.#openSince ?? now);
    this.#openSince = undefined;
    // A slot that a full service filled again, or a new task that took everybody for a moment.
    if (openFor < WINDOW_S) return;
    const taken = this.#arrivals.filter((at) => at > now - WINDOW_S);
    const seconds = Math.max(MIN_EXPOSURE_S, now - (taken[0] ?? now));
    this.#held = { perSecond: taken.length / seconds, until: now + HOLD_S };
  }

  /** To be called at least every ten seconds: the growth is measured from one sample to another. */
  measure(now: number, input: DemandInput): Demand {
    const { calls, waiting, slots, cpuUtilization, cpuLoadThreshold } = input;
    const growth = this.#arrivalsPerSecond(now) - this.#endsPerSecond(now, calls);
    // Without calls the CPU is that of a task that starts.
    const cpu = calls > 0 && cpuLoadThreshold > 0 ? cpuUtilization / cpuLoadThreshold : 0;
    const used = Math.max(calls, cpu * slots) + waiting;
    return { now: used, expected: Math.max(0, used + growth * LEAD_S) };
  }

  #arrivalsPerSecond(now: number): number {
    this.#arrivals = this.#arrivals.filter((at) => at > now - WINDOW_S);
    const measured = this.#arrivals.length / WINDOW_S;
    const open = this.#openSince !== undefined && now - this.#openSince >= MIN_EXPOSURE_S;
    return open || now >= this.#held.until ? measured : Math.max(measured, this.#held.perSecond);
  }

  #endsPerSecond(now: number, calls: number): number {
    this.#samples.push({ at: now, calls });
    while ((this.#samples[1]?.at ?? Number.POSITIVE_INFINITY) <= now - WINDOW_S) {
      this.#samples.shift();
    }
    const before = this.#samples[0]?.calls ?? 0;
    return Math.max(0, this.#arrivals.length - (calls - before)) / WINDOW_S;
  }
}
