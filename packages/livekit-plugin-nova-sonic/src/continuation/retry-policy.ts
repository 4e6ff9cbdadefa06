// SPDX-License-Identifier: Apache-2.0
import type { RetryOptions } from '../options.js';
import type { NovaSonicError } from '../protocol/errors.js';

/** What to do after a failure. */
export type RetryDecision =
  | {
      readonly type: 'connect';
      readonly lane: string;
      readonly delayMs: number;
      /** All lanes have refused the call, and it waits until one has room. */
      readonly waits?: 'begins' | 'goes on';
    }
  | { readonly type: 'give_up'; readonly why: string };

/** Never more connects than this within the window, except one to each lane. */
const MAX_CONNECTS = 7;
const CONNECT_WINDOW_MS = 12_000;
/** Longest pause between two attempts of a call that waits for a lane to have room. */
const WAIT_PAUSE_MS = 2_000;
/** A stream that lived this long proves that the lane works. */
const HEALTHY_MS = 20_000;

interface LaneState {
  failures: number;
  cooldownUntil: number;
  /** It refused the call since this had its last stream; `full` when it throttled the last time. */
  refused: boolean;
  full: boolean;
  /** Set when the lane cannot serve: it is not tried again in this call. */
  rejected?: NovaSonicError;
}

/**
 * Decides when and where the next stream is opened. Pure: time and chance are passed in. A throttled or failing
 * lane cools down with exponential backoff and jitter while the next one in the list is tried at once.
 */
export class RetryPolicy {
  readonly #options: RetryOptions;
  readonly #random: () => number;
  readonly #lanes: Map<string, LaneState>;
  readonly #maxConnects: number;
  #connects: number[] = [];
  #inARow = 0;
  #total = 0;
  #outageSince?: number;
  #waits = false;

  constructor(lanes: readonly string[], options: RetryOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
    this.#maxConnects = Math.max(MAX_CONNECTS, lanes.length);
    this.#lanes = new Map(
      lanes.map((lane) => [lane, { failures: 0, cooldownUntil: 0, refused: false, full: false }]),
    );
  }

  /** The first lane of the list that is not cooling down. @param spread of those that are ready, the one that failed least */
  pick(now: number, spread = false): string {
    return this.#next(now, spread).lane;
  }

  /** How long a call without a stream may wait for one, from now on (ms). */
  waitLeft(now: number): number {
    const { waitWhenFullMs, maxOutageMs } = this.#options;
    this.#outageSince ??= now;
    return Math.max(0, this.#outageSince + (waitWhenFullMs ?? maxOutageMs) - now);
  }

  /** A connection is attempted. */
  connecting(now: number): void {
    this.#connects = [...this.#connects.filter((at) => now - at < CONNECT_WINDOW_MS), now];
  }

  /** A stream answered its caller, or lived long: earlier failures do not count any more. */
  healthy(lane: string): void {
    this.#inARow = 0;
    const state = this.#lanes.get(lane);
    if (state) state.failures = 0;
  }

  /** A stream is up. */
  opened(): void {
    this.#outageSince = undefined;
    this.#waits = false;
    for (const state of this.#lanes.values()) Object.assign(state, { refused: false, full: false });
  }

  /** A renewal failed; the call still has its stream. Returns how long to wait before the next attempt (ms). */
  renewalFailed(lane: string, error: NovaSonicError, now: number): number {
    const state = this.#lanes.get(lane);
    if (!state) return this.#options.maxDelayMs;
    state.failures += 1;
    const wait = this.#delay(state.failures);
    state.cooldownUntil = now + wait;
    if (!error.retryable && error.otherRegion && this.#lanes.size > 1) state.rejected = error;
    return this.#next(now).at - now;
  }

  /** A stream failed; `livedMs` is how long it had been up (0 when it never was). */
  failed(lane: string, error: NovaSonicError, livedMs: number, now: number): RetryDecision {
    if (livedMs >= HEALTHY_MS) this.healthy(lane);
    this.#outageSince ??= now;
    const state = this.#lanes.get(lane);
    if (state) {
      state.failures += 1;
      state.refused ||= livedMs === 0;
      state.full = error.kind === 'throttled';
      if (!error.retryable && error.otherRegion) state.rejected = error;
    }
    const open = [...this.#lanes.values()].filter((s) => !s.rejected);
    if (open.length === 0) return { type: 'give_up', why: 'no Region can serve the model' };
    const { waitWhenFullMs, maxAttempts, budget, maxOutageMs } = this.#options;
    // To wait for a lane that is full is no failure of the call; one that ends what it has opened is not waited for.
    const waits = waitWhenFullMs !== undefined && livedMs === 0 && open.some((s) => s.full);
    if (!waits) {
      this.#inARow += 1;
      this.#total += 1;
    }
    // What the service rejected once in the middle of a call may have been an accident; twice it is not.
    const secondChance = error.kind === 'invalid_request' && livedMs > 0 && this.#inARow === 1;
    if (!error.retryable && !error.otherRegion && !secondChance) {
      return { type: 'give_up', why: 'another attempt would fail in the same way' };
    }
    if (!waits && this.#inARow >= maxAttempts) {
      return { type: 'give_up', why: `${this.#inARow} attempts in a row failed` };
    }
    if (!waits && this.#total >= budget) {
      return { type: 'give_up', why: `${this.#total} attempts failed in this call` };
    }
    // A stream that served until now is replaced at once, in its own lane.
    const sudden = livedMs > 0 && this.#inARow === 1 && error.kind !== 'throttled';
    const pause = sudden ? 0 : this.#delay(state?.failures ?? 1);
    if (state && !sudden) state.cooldownUntil = now + pause;
    const first = this.#next(now, !sudden);
    const hasRefused = ({ lane }: { lane: string }) => this.#lanes.get(lane)?.refused === true;
    // It has refused this call, and those that have not were full or failed a moment ago in others.
    const all = waits && hasRefused(first);
    if (state && all) state.cooldownUntil = now;
    // Each is asked once before any is asked again.
    const wait =
      all && hasRefused(this.#next(now, !sudden, true)) ? Math.min(pause, WAIT_PAUSE_MS) : 0;
    const next = all ? this.#next(now + wait, !sudden, true) : first;
    const delayMs = all ? wait : Math.max(next.at, this.#windowOpensAt(now)) - now;
    const outage = now - (this.#outageSince ?? now);
    const limit = all ? waitWhenFullMs : Math.max(maxOutageMs, waits ? waitWhenFullMs : 0);
    if (outage + delayMs > limit) {
      return { type: 'give_up', why: `there was no stream for ${Math.round(outage / 1_000)} s` };
    }
    if (!all) return { type: 'connect', lane: next.lane, delayMs };
    const begun = this.#waits;
    this.#waits = true;
    return { type: 'connect', lane: next.lane, delayMs, waits: begun ? 'goes on' : 'begins' };
  }

  /** When this call may connect once more (ms since the epoch). */
  #windowOpensAt(now: number): number {
    const recent = this.#connects.filter((at) => now - at < CONNECT_WINDOW_MS);
    const oldest = recent[recent.length - this.#maxConnects];
    return oldest === undefined ? now : oldest + CONNECT_WINDOW_MS;
  }

  /**
   * @param spread of lanes that are ready, the one that failed least, not the first of the list
   * @param unasked one that has not refused this call comes first
   */
  #next(now: number, spread = false, unasked = false): { lane: string; at: number } {
    let best:
      | { lane: string; asked: number; at: number; rank: number; doubts: number; failures: number }
      | undefined;
    for (const [lane, state] of this.#lanes) {
      if (state.rejected) continue;
      const at = Math.max(now, state.cooldownUntil);
      // Failures in other calls decide which Region is tried, never how long to wait.
      const failedElsewhere = this.#options.cooldownUntil?.(lane);
      const rank = Math.max(at, failedElsewhere ?? 0);
      // One that was full when it was last asked may still be: a call pays for one such lane, not for all of them.
      const doubts = spread && failedElsewhere !== undefined ? 1 : 0;
      const failures = spread ? state.failures : 0;
      const asked = unasked && state.refused ? 1 : 0;
      // Two that are never ready differ by NaN.
      const order = best
        ? asked - best.asked ||
          rank - best.rank ||
          at - best.at ||
          doubts - best.doubts ||
          failures - best.failures
        : Number.NEGATIVE_INFINITY;
      if (order < 0) best = { lane, asked, at, rank, doubts, failures };
    }
    return best ?? { lane: [...this.#lanes.keys()][0] as string, at: now };
  }

  #delay(failures: number): number {
    const { baseDelayMs, maxDelayMs } = this.#options;
    const full = Math.min(maxDelayMs, baseDelayMs * 2 ** Math.max(0, failures - 1));
    return full * (0.75 + this.#random() * 0.5);
  }
}
