// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { CallSlots } from '../../../agent/src/worker/call-slots.js';

describe('CallSlots', () => {
  it('gives out as many slots as there are, and one more when one is released', () => {
    const slots = new CallSlots(3);
    expect(['a', 'b', 'c', 'd'].map((job) => slots.take(job, 0))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect([slots.used, slots.free, slots.utilization]).toEqual([3, 0, 1]);
    slots.release('b');
    expect(slots.utilization).toBeCloseTo(2 / 3);
    expect(slots.take('d', 1)).toBe(true);
    expect(slots.take('e', 1)).toBe(false);
  });

  it('takes one slot for a job that is offered twice', () => {
    const slots = new CallSlots(2);
    expect([slots.take('a', 0), slots.take('a', 1)]).toEqual([true, true]);
    expect(slots.used).toBe(1);
    // It keeps its slot even when no other is free.
    slots.take('b', 2);
    expect(slots.take('a', 3)).toBe(true);
  });

  it('lists accepted jobs that never started', () => {
    const slots = new CallSlots(3);
    slots.take('lost', 0);
    slots.take('running', 0);
    slots.take('new', 90);
    slots.start('running', 10);
    expect(slots.overdue(50)).toEqual(['lost']);
    // One that was accepted at that very moment has its whole time still.
    expect(slots.overdue(90)).toEqual(['lost']);
    expect(slots.running).toBe(1);
  });

  it('counts a running call whose slot was released', () => {
    const slots = new CallSlots(1);
    slots.take('late', 0);
    slots.release('late');
    slots.take('other', 1);
    slots.start('late', 2);
    expect([slots.used, slots.free, slots.utilization]).toEqual([2, 0, 1]);
  });
});
