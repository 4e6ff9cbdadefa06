// SPDX-License-Identifier: Apache-2.0

/** Time as the emulator sees it: milliseconds, monotonic. Passed in, so that tests can move it by hand. */
export interface Clock {
  /** Milliseconds since an arbitrary start. */
  now(): number;
  /** Calls `fn` once `delayMs` from now; returns a function that cancels it. */
  after(delayMs: number, fn: () => void): () => void;
}

/** How late the clock's timers fired: an emulator that stalls makes false findings. */
export interface TimerLag {
  /** Number of timers measured. */
  count: number;
  /** Median, in milliseconds late. */
  p50: number;
  /** 95th percentile, in milliseconds late. */
  p95: number;
  /** 99th percentile, in milliseconds late. */
  p99: number;
  /** Milliseconds late at the most. */
  max: number;
}

/** Node fires a timer that is longer than this at once: 24.8 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's clock, which also measures how late its timers fire. */
export class RealClock implements Clock {
  // A ring of the newest timers: enough for percentiles, bounded in memory.
  private readonly late = new Float32Array(65_536);
  private count = 0;

  now(): number {
    return performance.now();
  }

  after(delayMs: number, fn: () => void): () => void {
    const waitMs = Math.min(Math.max(0, delayMs), LONGEST_TIMER_MS);
    const due = performance.now() + waitMs;
    const timer = setTimeout(() => {
      this.late[this.count++ % this.late.length] = Math.max(0, performance.now() - due);
      fn();
    }, waitMs);
    return () => clearTimeout(timer);
  }

  /** How late the newest 65,536 timers fired. */
  timerLag(): TimerLag {
    const n = Math.min(this.count, this.late.length);
    const sorted = this.late.slice(0, n).sort();
    const at = (q: number) => sorted[Math.min(n - 1, Math.floor(q * n))] ?? 0;
    return { count: this.count, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
  }

  /** Restarts the measurement. */
  resetTimerLag(): void {
    this.count = 0;
  }
}

/** A clock that runs `scale` times as fast: 60 makes a minute's limit last a second. */
export function scaledClock(base: Clock, scale: number): Clock {
  return {
    now: () => base.now() * scale,
    after: (delayMs, fn) => base.after(delayMs / scale, fn),
  };
}
