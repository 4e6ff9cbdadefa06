// SPDX-License-Identifier: Apache-2.0

/** Time, passed in wherever it matters so that a test can run an hour in a millisecond. */
export interface MonotonicClock {
  /** Milliseconds since some moment in the past; never runs backwards. */
  now(): number;
  /** Calls `fn` once after `ms`; returns a function that cancels it. */
  after(ms: number, fn: () => void): () => void;
}

export const systemMonotonicClock: MonotonicClock = {
  now: () => performance.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, ms);
    // A timer must not keep a finished process alive.
    timer.unref();
    return () => clearTimeout(timer);
  },
};
