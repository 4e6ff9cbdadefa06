// SPDX-License-Identifier: Apache-2.0
import type { Clock } from 'livekit-plugin-nova-sonic';

/** A clock that stands until it is moved by hand; timers run in their order. */
export class SteppedClock implements Clock {
  #now = 1_000_000;
  /** The next one first; of those for the same moment, the one that was set first. */
  readonly #timers: Array<{ at: number; run: () => void }> = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run };
    this.#timers.splice(this.#timers.findLastIndex(({ at }) => at <= timer.at) + 1, 0, timer);
    return () => {
      const place = this.#timers.indexOf(timer);
      if (place >= 0) this.#timers.splice(place, 1);
    };
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (let due = this.#timers[0]; due && due.at <= end; due = this.#timers[0]) {
      this.#timers.shift();
      this.#now = Math.max(this.#now, due.at);
      due.run();
    }
    this.#now = end;
  }

  /** When the next timer is due (ms). */
  get nextAt(): number | undefined {
    return this.#timers[0]?.at;
  }

  get pending(): number {
    return this.#timers.length;
  }
}
