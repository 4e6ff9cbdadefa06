// SPDX-License-Identifier: Apache-2.0

import type { Clock } from '../clock.js';

/** What came of asking a Region for a stream. */
export interface Connect {
  region: string;
  ok: boolean;
  /** Milliseconds from the request to the answer. */
  ms: number;
}

/** The first rest of a Region; doubled with each failure that follows it. */
const FIRST_MS = 5_000;
const LONGEST_MS = 60_000;

interface RegionState {
  failures: number;
  failedAt: number;
  restsUntil: number;
}

/**
 * Which Bedrock Regions rest, for all calls of the task: a Region that gave one call no stream would most likely
 * give the next one none either, and each would pay for finding out. After the rest the next call tries it again.
 */
export class RegionRests {
  readonly #clock: Clock;
  readonly #regions = new Map<string, RegionState>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes note; true when that changed which Regions rest, or until when. */
  note({ region, ok, ms }: Connect): boolean {
    const now = this.#clock.now();
    const state = this.#regions.get(region);
    // Asked before the last failure was known: one of the same burst, which says nothing new.
    if (state && now - ms < state.failedAt) return false;
    if (ok) return this.#regions.delete(region);
    const failures = (state?.failures ?? 0) + 1;
    const rest = Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1));
    this.#regions.set(region, { failures, failedAt: now, restsUntil: now + rest });
    return true;
  }

  /** Milliseconds that each resting Region still rests. */
  get resting(): Record<string, number> {
    const now = this.#clock.now();
    return Object.fromEntries(
      [...this.#regions].flatMap(([region, { restsUntil }]) =>
        restsUntil > now ? [[region, Math.ceil(restsUntil - now)]] : [],
      ),
    );
  }
}
