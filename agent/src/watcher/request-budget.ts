// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../clock.js';

/** Requests that may be sent now: so many a second, and what was left over of one second. */
export class RequestBudget {
  readonly #clock: MonotonicClock;
  readonly #perSecond: number;
  #left: number;
  #at: number;

  constructor(clock: MonotonicClock, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#left = perSecond;
    this.#at = clock.now();
  }

  /** Takes so many requests, if after that `reserve` are left for what matters more. */
  take(requests: number, reserve = 0): boolean {
    const now = this.#clock.now();
    const earned = ((now - this.#at) / 1000) * this.#perSecond;
    this.#left = Math.min(this.#perSecond, this.#left + earned);
    this.#at = now;
    if (this.#left < requests + reserve) return false;
    this.#left -= requests;
    return true;
  }

  /** Takes requests that follow from one that was allowed. */
  spend(requests = 1): void {
    this.#left -= requests;
  }
}
