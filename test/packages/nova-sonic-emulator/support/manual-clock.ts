// SPDX-License-Identifier: Apache-2.0
import type { Clock } from '../../../../packages/nova-sonic-emulator/src/clock.js';

/** A clock that stands still until it is moved: dialogues of minutes take milliseconds. */
export class ManualClock implements Clock {
  private time = 0;
  private timers: { due: number; fn: () => void }[] = [];

  now(): number {
    return this.time;
  }

  after(delayMs: number, fn: () => void): () => void {
    const timer = { due: this.time + Math.max(0, delayMs), fn };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  /** Moves on, firing every timer on the way; what they set going is carried out too. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    for (;;) {
      await settle();
      const next = this.timers.reduce<{ due: number; fn: () => void } | undefined>(
        (first, timer) => (timer.due <= end && (!first || timer.due < first.due) ? timer : first),
        undefined,
      );
      if (!next) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.time = next.due;
      next.fn();
    }
    this.time = end;
  }

  /** Timers that are set. */
  get pending(): number {
    return this.timers.length;
  }
}

/** Lets every promise that can go on do so. */
export const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
