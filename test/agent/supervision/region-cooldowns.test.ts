// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { RegionRests } from '../../../agent/src/supervision/region-cooldowns.js';
import { ManualClock } from '../../support/manual-clock.js';

function setUp() {
  const clock = new ManualClock();
  const rests = new RegionRests(clock);
  const fails = (region = 'a', ms = 50) => rests.note({ region, ok: false, ms });
  const opens = (region = 'a', ms = 50) => rests.note({ region, ok: true, ms });
  return { clock, fails, opens, rests };
}

describe('RegionRests', () => {
  it('lets a Region that failed rest, and no other', async () => {
    const { clock, fails, opens, rests } = setUp();
    expect(opens('b')).toBe(false);
    expect(fails('a')).toBe(true);
    expect(rests.resting).toEqual({ a: 5_000 });
    await clock.pass(4_000);
    expect(rests.resting).toEqual({ a: 1_000 });
    await clock.pass(1_000);
    expect(rests.resting).toEqual({});
  });

  it('lets it rest twice as long each time, up to a minute', async () => {
    const { clock, fails, rests } = setUp();
    const lengths: (number | undefined)[] = [];
    for (let i = 0; i < 6; i++) {
      await clock.pass(rests.resting.a ?? 0);
      await clock.pass(100);
      fails();
      lengths.push(rests.resting.a);
    }
    expect(lengths).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  });

  it('counts a burst of calls that are refused together as one failure', async () => {
    const { clock, fails, rests } = setUp();
    await clock.pass(1_000);
    expect(fails('a', 100)).toBe(true);
    await clock.pass(50);
    // Asked 150 ms ago, before the first answer was here.
    expect(fails('a', 150)).toBe(false);
    expect(rests.resting).toEqual({ a: 4_950 });
  });

  it('ends the rest and forgets what was when a stream opens that was asked for after the failure', async () => {
    const { clock, fails, opens, rests } = setUp();
    await clock.pass(1_000);
    fails();
    await clock.pass(100);
    // One of those that had been asked for before the Region was full.
    expect(opens('a', 200)).toBe(false);
    expect(rests.resting).toEqual({ a: 4_900 });
    expect(opens('a', 60)).toBe(true);
    expect(rests.resting).toEqual({});
    fails('a', 0);
    expect(rests.resting).toEqual({ a: 5_000 });
  });
});
