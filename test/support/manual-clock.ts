// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../../agent/src/clock.js';

interface Plan {
  at: number;
  /** Of plans for the same moment the earlier one runs first. */
  order: number;
  fn: (() => void) | undefined;
}

/** A clock that a test moves: `pass` runs what falls due, in order, and lets promises settle in between. */
export class ManualClock implements MonotonicClock {
  #now = 0;
  #next = 0;
  #pending = 0;
  /** A binary heap, the next plan first: a day of a service has millions of them. */
  readonly #heap: Plan[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, fn: () => void): () => void {
    const plan: Plan = { at: this.#now + ms, order: this.#next++, fn };
    this.#pending += 1;
    this.#push(plan);
    return () => {
      if (!plan.fn) return;
      plan.fn = undefined;
      this.#pending -= 1;
    };
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#pending;
  }

  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let plan = this.#heap[0]; plan && plan.at <= end; plan = this.#heap[0]) {
      this.#pop();
      const { fn } = plan;
      if (!fn) continue;
      plan.fn = undefined;
      this.#pending -= 1;
      this.#now = Math.max(this.#now, plan.at);
      fn();
      await settle();
    }
    this.#now = end;
  }

  #push(plan: Plan): void {
    const heap = this.#heap;
    let i = heap.length;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent] as Plan;
      if (isBefore(above, plan)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = plan;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Plan;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right && isBefore(right, heap[child] as Plan)) child += 1;
      const below = heap[child] as Plan;
      if (isBefore(last, below)) break;
      heap[i] = below;
      i = child;
    }
    heap[i] = last;
  }
}

function isBefore(a: Plan, b: Plan): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Lets every promise that can settle do so. */
export const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
