// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../clock.js';

/** The outcome of a request for a Bedrock stream. */
export interface ConnectOutcome {
  /** Name of the lane: see config.ts. */
  lane: string;
  ok: boolean;
  /** The lane refused it because of its stream quota. */
  full?: boolean;
  /** Milliseconds from the request to the answer. */
  ms: number;
}

/** The first cooldown of a lane; doubled with each failure that follows it. */
export const FIRST_COOLDOWN_MS = 5_000;
const MAX_COOLDOWN_MS = 60_000;

interface LaneState {
  failures: number;
  failedAt: number;
  cooldownUntil: number;
  full: boolean;
}

/**
 * The lanes in cooldown, for all calls of the task: a lane that failed one call would most likely fail the next one too,
 * and each call would lose time finding out. After the cooldown the next call tries the lane again.
 */
export class LaneCooldowns {
  readonly #clock: MonotonicClock;
  readonly #lanes = new Map<string, LaneState>();

  constructor(clock: MonotonicClock) {
    this.#clock = clock;
  }

  /** @returns whether the outcome changed the cooldowns */
  record({ lane, ok, full = false, ms }: ConnectOutcome): boolean {
    const now = this.#clock.now();
    const state = this.#lanes.get(lane);
    // Requested before the last failure was known: part of the same burst, so nothing new.
    if (state && now - ms < state.failedAt) return false;
    if (ok) return this.#lanes.delete(lane);
    const failures = (state?.failures ?? 0) + 1;
    const cooldown = Math.min(MAX_COOLDOWN_MS, FIRST_COOLDOWN_MS * 2 ** (failures - 1));
    this.#lanes.set(lane, { failures, failedAt: now, cooldownUntil: now + cooldown, full });
    return true;
  }

  /** A stream of this task has ended: a lane that was full has room. @returns whether that ended its cooldown */
  streamEnded(lane = ''): boolean {
    const state = this.#lanes.get(lane);
    if (!state?.full || state.cooldownUntil <= this.#clock.now()) return false;
    state.cooldownUntil = this.#clock.now();
    return true;
  }

  /** For each lane that failed when it was last asked the milliseconds left of its cooldown; 0: it is over. */
  get failed(): Record<string, number> {
    const now = this.#clock.now();
    return Object.fromEntries(
      [...this.#lanes].map(([lane, { cooldownUntil }]) => [
        lane,
        Math.max(0, Math.ceil(cooldownUntil - now)),
      ]),
    );
  }
}
