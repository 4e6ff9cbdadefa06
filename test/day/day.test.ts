// SPDX-License-Identifier: Apache-2.0
// A little of `npm run test:day`, which runs whole days.

import { beforeAll, describe, expect, it } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import type { DayWorld } from './day-world.js';
import { simulateDay } from './simulate-day.js';
import { simulateLine } from './simulate-line.js';

/** They take some seconds; on a machine that does much else, a minute. */
const TIMEOUT_MS = 300_000;

beforeAll(() => initializeLogger({ pretty: false, level: 'silent' }));

describe('a part of a day', () => {
  const evening = { seed: 9, hours: 0.3, from: 17, calls: 6_000, trouble: 25, quiet: 0.1 };

  it(
    'with deployments, crashes and outages: no call is cut, no caller is forgotten',
    async () => {
      const { violations, counts, faults } = await simulateDay(evening);
      expect(violations).toEqual([]);
      expect(counts.arrived).toBeGreaterThan(40);
      // Something happened.
      expect(Object.keys(faults).length).toBeGreaterThan(4);
    },
    TIMEOUT_MS,
  );

  it(
    'is the same again with its seed, and another one with another',
    async () => {
      const short = { ...evening, hours: 0.05, quiet: 0 };
      const { digest } = await simulateDay(short);
      expect((await simulateDay(short)).digest).toBe(digest);
      expect((await simulateDay({ ...short, seed: 7 })).digest).not.toBe(digest);
    },
    TIMEOUT_MS,
  );

  it.each<[string, (world: DayWorld) => void, RegExp]>([
    [
      'a caller who vanishes',
      ({ counts }) => {
        counts.arrived += 1;
      },
      /lost or counted twice/,
    ],
    [
      'a slot that is not given back',
      ({ running }) => {
        for (const { promised } of running) promised.clear();
      },
      /slots in use for 0 calls/,
    ],
    [
      'protection that is not there',
      ({ running }) => {
        for (const { ecsTask } of running) ecsTask.protected = false;
      },
      /relies on a protection that ECS does not know of/,
    ],
  ])(
    'would tell of %s, and when',
    async (_, tamper, message) => {
      const { violations } = await simulateDay({
        ...evening,
        trouble: 0.001,
        hours: 0.05,
        quiet: 0.01,
        onHour: (_hour, world) => tamper(world),
      });
      expect(violations[0]).toMatch(message);
      // Three minutes, after three that the first tasks took.
      expect(violations[0]).toMatch(/^17:06:\d\d /);
    },
    TIMEOUT_MS,
  );
});

describe('a part of the day of a line', () => {
  it(
    'with renewals and failures: every question has its answer, and a seed replays it',
    async () => {
      const first = await simulateLine({ seed: 3, hours: 0.15 });
      expect(first.violations).toEqual([]);
      expect(first.questions).toBeGreaterThan(15);
      expect((await simulateLine({ seed: 3, hours: 0.15 })).digest).toBe(first.digest);
    },
    TIMEOUT_MS,
  );
});
