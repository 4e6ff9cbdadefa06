// SPDX-License-Identifier: Apache-2.0

/** Up to this difference the clocks count as equal: the rest is the network latency of the messages. */
const TOLERANCE_MS = 60;

/** Estimates how far the page's clock is ahead of the agent's, from one-way messages only. */
export interface ClockOffset {
  /** The shortest time that any message seemed to take, in ms; Infinity before the first. */
  min: number;
}

export const unknownOffset: ClockOffset = { min: Number.POSITIVE_INFINITY };

/** The estimate after a message that the agent sent at `sentAt` (its clock) arrived at `arrivedAt` (the page's). */
export function observe(offset: ClockOffset, sentAt: number, arrivedAt: number): ClockOffset {
  const took = arrivedAt - sentAt;
  return took < offset.min ? { min: took } : offset;
}

/** Converts a time of the agent's clock to the page's. */
export function toPageTime({ min }: ClockOffset, at: number): number {
  return Number.isFinite(min) && Math.abs(min) > TOLERANCE_MS ? at + min : at;
}
