// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { workerLoad } from '../../../agent/src/worker/load.js';

const idle = {
  slotUtilization: 0,
  coldSlots: 0,
  draining: false,
  cpuUtilization: 0,
  cpuLoadThreshold: 0.9,
};

describe('workerLoad', () => {
  it.each([
    ['no calls', {}, 0],
    ['half of the slots', { slotUtilization: 0.5 }, 0.325],
    ['CPU above slots', { slotUtilization: 0.1, cpuUtilization: 0.45 }, 0.325],
    ['slots above CPU', { slotUtilization: 0.6, cpuUtilization: 0.45 }, 0.39],
    ['all slots', { slotUtilization: 1 }, 1],
    ['CPU at its limit', { cpuUtilization: 0.9 }, 1],
    ['CPU beyond its limit', { cpuUtilization: 1 }, 1],
    ['CPU that is ignored', { cpuUtilization: 1, cpuLoadThreshold: 0 }, 0],
    ['draining', { draining: true }, 1],
    ['slots without a warm process', { slotUtilization: 0.3, coldSlots: 0.2 }, 0.325],
    ['a task without warm processes, which still takes calls', { coldSlots: 1 }, 0.6435],
  ])('%s', (_, input, expected) => {
    expect(workerLoad({ ...idle, ...input })).toBeCloseTo(expected, 5);
  });

  it("stays under LiveKit's target load while a slot is free, else no job would be offered", () => {
    const LIVEKIT_TARGET_LOAD = 0.7;
    expect(workerLoad({ ...idle, slotUtilization: 0.99 })).toBeLessThan(LIVEKIT_TARGET_LOAD);
  });
});
