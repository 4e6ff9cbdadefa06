// SPDX-License-Identifier: Apache-2.0

/** Two clocks that agree this well are taken as one: the rest is the way of the message. */
const AGREE_MS = 60;

/** How far the page's clock is ahead of the agent's, as well as one can tell from messages that only come. */
export interface Clock {
  /** The least time that any message seemed to take, ms; Infinity before the first. */
  least: number;
}

export const noClock: Clock = { least: Number.POSITIVE_INFINITY };

/** A message that the agent dated `sentAt` arrived at `arrivedAt`. */
export function observed(clock: Clock, sentAt: number, arrivedAt: number): Clock {
  const took = arrivedAt - sentAt;
  return took < clock.least ? { least: took } : clock;
}

/** A moment of the agent's clock in the page's. */
export function toPage({ least }: Clock, at: number): number {
  return Number.isFinite(least) && Math.abs(least) > AGREE_MS ? at + least : at;
}
