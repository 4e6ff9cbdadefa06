// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { load } from '../../../agent/src/worker/load.js';

const idle = { slotShare: 0, coldShare: 0, draining: false, cpu: 0, cpuFullAt: 0.9 };

describe('load', () => {
  it.each([
    ['nothing to do', {}, 0],
    ['half of the slots', { slotShare: 0.5 }, 0.325],
    ['CPU above slots', { slotShare: 0.1, cpu: 0.45 }, 0.325],
    ['slots above CPU', { slotShare: 0.6, cpu: 0.45 }, 0.39],
    ['all slots', { slotShare: 1 }, 1],
    ['CPU at its limit', { cpu: 0.9 }, 1],
    ['CPU beyond its limit', { cpu: 1 }, 1],
    ['CPU that is not looked at', { cpu: 1, cpuFullAt: 0 }, 0],
    ['draining', { draining: true }, 1],
    ['processes that still boot', { slotShare: 0.3, coldShare: 0.2 }, 0.325],
    ['a task that is all cold, yet takes calls', { coldShare: 1 }, 0.6435],
  ])('%s', (_, input, expected) => {
    expect(load({ ...idle, ...input })).toBeCloseTo(expected, 5);
  });

  it("stays under LiveKit's target load while a slot is free, else no job would be offered", () => {
    const LIVEKIT_TARGET_LOAD = 0.7;
    expect(load({ ...idle, slotShare: 0.99 })).toBeLessThan(LIVEKIT_TARGET_LOAD);
  });
});
