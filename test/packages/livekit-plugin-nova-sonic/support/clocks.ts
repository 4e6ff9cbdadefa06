// SPDX-License-Identifier: Apache-2.0
import type { Clock } from 'livekit-plugin-nova-sonic';

/** A clock that stands until it is moved by hand; timers run in their order. */
export class SteppedClock implements Clock {
  #now = 1_000_000;
  #timers: Array<{ at: number; run: () => void }> = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((t) => t !== timer);
    };
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((t) => t !== due);
      this.#now = Math.max(this.#now, due.at);
      due.run();
    }
    this.#now = end;
  }

  /** When the next timer is due (ms). */
  get nextAt(): number | undefined {
    return this.#timers.reduce<number | undefined>(
      (first, { at }) => (first === undefined || at < first ? at : first),
      undefined,
    );
  }

  get pending(): number {
    return this.#timers.length;
  }
}
