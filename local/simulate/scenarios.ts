// SPDX-License-Identifier: Apache-2.0

/** How callers arrive, relative to the rate at which the full number of calls is in progress. */
export interface ArrivalPattern {
  readonly name: string;
  /** Share of the full rate before the event. */
  readonly before: number;
  /** Share of the full rate, from the start of the event on. */
  readonly share: (second: number) => number;
  /** Callers in addition, as a share of the full number of calls in each second. */
  readonly extra?: (second: number) => number;
  /** Seconds from the start of the event in which refusals are counted. */
  readonly window: number;
}

const MINUTE = 60;
const HOUR = 3600;

/** From 5 percent to the full rate. */
export const ramp = (name: string, seconds: number): ArrivalPattern => ({
  name,
  before: 0.05,
  share: (second) => Math.min(1, 0.05 + (0.95 * second) / seconds),
  window: seconds + 30 * MINUTE,
});

/** Callers of a minute in addition to the full rate. */
export const spike = (name: string, share: number, window: number): ArrivalPattern => ({
  name,
  before: 1,
  share: () => 1,
  extra: (second) => (second < MINUTE ? share / MINUTE : 0),
  window,
});

export const STEADY: ArrivalPattern = {
  name: 'steady',
  before: 1,
  share: () => 1,
  window: HOUR,
};

export const FROM_IDLE: ArrivalPattern = {
  name: 'from idle',
  before: 0,
  share: () => 1,
  window: 30 * MINUTE,
};

/** A day and a night: a tenth at four in the morning, all at four in the afternoon, the evening in between. */
export const DAY: ArrivalPattern = {
  name: 'a day',
  before: 0.1,
  share: (second) => 0.55 - 0.45 * Math.cos((2 * Math.PI * second) / (24 * HOUR)),
  window: 24 * HOUR,
};

/** The scenarios of the table in docs/operations/scaling.md. */
export const PATTERNS: readonly ArrivalPattern[] = [
  STEADY,
  ramp('ramp from 5 % in 2 h', 2 * HOUR),
  ramp('ramp from 5 % in 15 min', 15 * MINUTE),
  ramp('ramp from 5 % in 5 min', 5 * MINUTE),
  { name: 'rate doubled at once', before: 0.5, share: () => 1, window: 30 * MINUTE },
  spike('100 % more within 60 s', 1, MINUTE),
  spike('150 % more within 60 s', 1.5, MINUTE),
  FROM_IDLE,
];
