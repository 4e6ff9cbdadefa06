// SPDX-License-Identifier: Apache-2.0

/** Milliseconds before each attempt to start a process that does not start. */
export const RETRY_MS = [250, 500, 1_000, 2_000, 5_000, 10_000] as const;
/** A process that has run for less than this may have a problem that the next one has, too. */
export const STABLE_MS = 10_000;

/** The pause after so many failures in a row; the last one from there on, none without a failure. */
export function pauseAfter(failures: number, pauses: readonly number[] = RETRY_MS): number {
  return pauses[Math.min(failures, pauses.length) - 1] ?? 0;
}
