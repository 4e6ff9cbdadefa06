// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { LaneCooldowns } from '../../../agent/src/supervision/lane-cooldowns.js';
import { ManualClock } from '../../support/manual-clock.js';

function setUp() {
  const clock = new ManualClock();
  const cooldowns = new LaneCooldowns(clock);
  const fails = (lane = 'a', ms = 50) => cooldowns.record({ lane, ok: false, ms });
  const opens = (lane = 'a', ms = 50) => cooldowns.record({ lane, ok: true, ms });
  return { clock, fails, opens, cooldowns };
}

describe('LaneCooldowns', () => {
  it('puts a lane that failed into cooldown, and no other', async () => {
    const { clock, fails, opens, cooldowns } = setUp();
    expect(opens('b')).toBe(false);
    expect(fails('a')).toBe(true);
    expect(cooldowns.failed).toEqual({ a: 5_000 });
    await clock.pass(4_000);
    expect(cooldowns.failed).toEqual({ a: 1_000 });
    await clock.pass(1_000);
    expect(cooldowns.failed).toEqual({ a: 0 });
  });

  it('ends the cooldown of a full lane when a stream of this task ends there, and of no other', async () => {
    const { clock, fails, opens, cooldowns } = setUp();
    cooldowns.record({ lane: 'full', ok: false, full: true, ms: 50 });
    fails('broken');
    await clock.pass(1_000);
    expect(cooldowns.streamEnded('broken')).toBe(false);
    expect(cooldowns.streamEnded('other')).toBe(false);
    expect(cooldowns.streamEnded(undefined)).toBe(false);
    expect(cooldowns.streamEnded('full')).toBe(true);
    expect(cooldowns.failed).toEqual({ full: 0, broken: 4_000 });
    expect(cooldowns.streamEnded('full')).toBe(false);
    // Somebody else took the room.
    fails('full');
    expect(cooldowns.failed).toEqual({ full: 10_000, broken: 4_000 });
    opens('full', 0);
    expect(cooldowns.failed).toEqual({ broken: 4_000 });
  });

  it('doubles the cooldown each time, up to a minute', async () => {
    const { clock, fails, cooldowns } = setUp();
    const lengths: (number | undefined)[] = [];
    for (let i = 0; i < 6; i++) {
      await clock.pass(cooldowns.failed.a ?? 0);
      await clock.pass(100);
      fails();
      lengths.push(cooldowns.failed.a);
    }
    expect(lengths).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  });

  it('counts a call that was requested just when the last failure was known', async () => {
    const { clock, fails, cooldowns } = setUp();
    fails();
    await clock.pass(50);
    expect(fails('a', 51)).toBe(false);
    expect(fails('a', 50)).toBe(true);
    expect(cooldowns.failed).toEqual({ a: 10_000 });
  });

  it('counts a burst of calls that fail together as one failure', async () => {
    const { clock, fails, cooldowns } = setUp();
    await clock.pass(1_000);
    expect(fails('a', 100)).toBe(true);
    await clock.pass(50);
    // Requested 150 ms ago, before the first failure was known.
    expect(fails('a', 150)).toBe(false);
    expect(cooldowns.failed).toEqual({ a: 4_950 });
  });

  it('resets when a stream opens that was requested after the failure', async () => {
    const { clock, fails, opens, cooldowns } = setUp();
    await clock.pass(1_000);
    fails();
    await clock.pass(100);
    // Requested before the lane failed.
    expect(opens('a', 200)).toBe(false);
    expect(cooldowns.failed).toEqual({ a: 4_900 });
    expect(opens('a', 60)).toBe(true);
    expect(cooldowns.failed).toEqual({});
    fails('a', 0);
    expect(cooldowns.failed).toEqual({ a: 5_000 });
  });
});
