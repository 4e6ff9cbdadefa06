// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../clock.js';

/** The outcome of a request for a Bedrock stream. */
export interface ConnectOutcome {
  region: string;
  ok: boolean;
  /** Milliseconds from the request to the answer. */
  ms: number;
}

/** The first cooldown of a Region; doubled with each failure that follows it. */
const FIRST_COOLDOWN_MS = 5_000;
const MAX_COOLDOWN_MS = 60_000;

interface RegionState {
  failures: number;
  failedAt: number;
  cooldownUntil: number;
}

/**
 * The Bedrock Regions in cooldown, for all calls of the task: a Region that failed one call would most likely fail
 * the next one too, and each call would lose time finding out. After the cooldown the next call tries the Region again.
 */
export class RegionCooldowns {
  readonly #clock: MonotonicClock;
  readonly #regions = new Map<string, RegionState>();

  constructor(clock: MonotonicClock) {
    this.#clock = clock;
  }

  /** @returns whether the outcome changed the cooldowns */
  record({ region, ok, ms }: ConnectOutcome): boolean {
    const now = this.#clock.now();
    const state = this.#regions.get(region);
    // Requested before the last failure was known: part of the same burst, so nothing new.
    if (state && now - ms < state.failedAt) return false;
    if (ok) return this.#regions.delete(region);
    const failures = (state?.failures ?? 0) + 1;
    const cooldown = Math.min(MAX_COOLDOWN_MS, FIRST_COOLDOWN_MS * 2 ** (failures - 1));
    this.#regions.set(region, { failures, failedAt: now, cooldownUntil: now + cooldown });
    return true;
  }

  /** For each Region in cooldown the milliseconds left. */
  get active(): Record<string, number> {
    const now = this.#clock.now();
    return Object.fromEntries(
      [...this.#regions].flatMap(([region, { cooldownUntil }]) =>
        cooldownUntil > now ? [[region, Math.ceil(cooldownUntil - now)]] : [],
      ),
    );
  }
}
