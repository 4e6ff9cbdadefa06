// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../../agent/src/clock.js';

/** A clock that a test moves: `pass` runs what falls due, in order, and lets promises settle in between. */
export class ManualClock implements MonotonicClock {
  #now = 0;
  #next = 0;
  readonly #plans = new Map<number, { at: number; fn: () => void }>();

  now(): number {
    return this.#now;
  }

  after(ms: number, fn: () => void): () => void {
    const id = this.#next++;
    this.#plans.set(id, { at: this.#now + ms, fn });
    return () => this.#plans.delete(id);
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#plans.size;
  }

  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const due = [...this.#plans].filter(([, plan]) => plan.at <= end);
      const first = due.sort(([a, x], [b, y]) => x.at - y.at || a - b)[0];
      if (!first) break;
      const [id, plan] = first;
      this.#plans.delete(id);
      this.#now = Math.max(this.#now, plan.at);
      plan.fn();
      await settle();
    }
    this.#now = end;
  }
}

/** Lets every promise that can settle do so. */
export const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
