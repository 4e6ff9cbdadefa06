// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { SessionSlots } from '../../../agent/src/worker/call-slots.js';

describe('SessionSlots', () => {
  it('gives out as many slots as there are, and one more when one is given back', () => {
    const slots = new SessionSlots(3);
    expect(['a', 'b', 'c', 'd'].map((job) => slots.take(job, 0))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect([slots.used, slots.free, slots.share]).toEqual([3, 0, 1]);
    slots.release('b');
    expect(slots.take('d', 1)).toBe(true);
    expect(slots.take('e', 1)).toBe(false);
  });

  it('takes one slot for a job that is offered twice', () => {
    const slots = new SessionSlots(2);
    expect([slots.take('a', 0), slots.take('a', 1)]).toEqual([true, true]);
    expect(slots.used).toBe(1);
    // It has its slot also when there is no other.
    slots.take('b', 2);
    expect(slots.take('a', 3)).toBe(true);
  });

  it('tells which accepted jobs never began', () => {
    const slots = new SessionSlots(3);
    slots.take('lost', 0);
    slots.take('running', 0);
    slots.take('new', 90);
    slots.begin('running', 10);
    expect(slots.overdue(50)).toEqual(['lost']);
    expect(slots.running).toBe(1);
  });

  it('counts a call that is there although its slot was given up', () => {
    const slots = new SessionSlots(1);
    slots.take('late', 0);
    slots.release('late');
    slots.take('other', 1);
    slots.begin('late', 2);
    expect([slots.used, slots.free, slots.share]).toEqual([2, 0, 1]);
  });
});
