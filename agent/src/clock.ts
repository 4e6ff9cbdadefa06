// SPDX-License-Identifier: Apache-2.0

/** Time as the fleet's decisions see it: passed in, so that a test can run an hour in a millisecond. */
export interface Clock {
  /** Milliseconds that never run backwards. */
  now(): number;
  /** Calls `fn` once after `ms`; returns a function that takes it back. */
  after(ms: number, fn: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, ms);
    // A plan for later must not keep a finished process alive.
    timer.unref();
    return () => clearTimeout(timer);
  },
};
