// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { CallDemand, type DemandInput, LEAD_S } from '../../../agent/src/worker/call-demand.js';

const input = (calls: number, more: Partial<DemandInput> = {}): DemandInput => ({
  calls,
  waiting: 0,
  slots: 10,
  cpuUtilization: 0,
  cpuLoadThreshold: 0,
  ...more,
});

/** A task with `calls` for longer than a minute. */
function settled(calls: number): CallDemand {
  const demand = new CallDemand(0, calls);
  for (let at = 5; at <= 100; at += 5) demand.measure(at, input(calls));
  return demand;
}

describe('CallDemand', () => {
  it('is the calls when nothing changes', () => {
    expect(settled(4).measure(105, input(4))).toEqual({ now: 4, expected: 4 });
  });

  it('expects the growth of the last minute to go on until a new task takes calls', () => {
    const demand = settled(2);
    for (const at of [110, 120, 130]) demand.arrived(at);
    expect(demand.measure(140, input(5))).toEqual({ now: 5, expected: 5 + (3 / 60) * LEAD_S });
  });

  it('expects fewer calls when they end, and none below zero', () => {
    expect(settled(8).measure(140, input(5)).expected).toBeCloseTo(5 - (3 / 60) * LEAD_S);
    expect(settled(8).measure(140, input(0)).expected).toBe(0);
  });

  it('forgets growth that was longer ago than a minute', () => {
    const demand = settled(2);
    for (const at of [105, 106, 107]) demand.arrived(at);
    demand.measure(110, input(5));
    for (let at = 115; at <= 175; at += 5) demand.measure(at, input(5));
    expect(demand.measure(180, input(5)).expected).toBe(5);
  });

  it('holds the rate at which it filled up while it is full, and for two minutes at most', () => {
    const demand = settled(0);
    for (let i = 0; i < 10; i++) demand.arrived(101 + 2 * i);
    demand.fullChanged(true, 119);
    expect(demand.measure(120, input(10)).expected).toBeCloseTo(10 + (10 / 18) * LEAD_S);
    for (let at = 125; at < 235; at += 5) demand.measure(at, input(10));
    expect(demand.measure(235, input(10)).expected).toBeCloseTo(10 + (10 / 18) * LEAD_S);
    expect(demand.measure(240, input(10)).expected).toBe(10);
  });

  it('takes ten callers at once for ten in ten seconds', () => {
    const demand = settled(0);
    for (let i = 0; i < 10; i++) demand.arrived(101);
    demand.fullChanged(true, 101);
    expect(demand.measure(102, input(10)).expected).toBe(10 + (10 / 10) * LEAD_S);
  });

  it('learns no rate from a slot that a full service filled again, or from a new task', () => {
    const demand = settled(10);
    demand.fullChanged(true, 100);
    demand.fullChanged(false, 150);
    demand.arrived(150.2);
    demand.fullChanged(true, 150.2);
    expect(demand.measure(151, input(10)).expected).toBe(10);
    const fresh = new CallDemand(0);
    for (let i = 0; i < 10; i++) fresh.arrived(1 + i * 0.3);
    fresh.fullChanged(true, 4);
    expect(fresh.measure(5, input(10)).expected).toBe(10 + (10 / 60) * LEAD_S);
  });

  it('forgets the held rate once it has had a free slot for a while', () => {
    const demand = settled(0);
    for (let i = 0; i < 10; i++) demand.arrived(101 + i);
    demand.fullChanged(true, 110);
    demand.fullChanged(false, 150);
    expect(demand.measure(155, input(9)).expected).toBeGreaterThan(80);
    expect(demand.measure(160, input(9)).expected).toBeLessThan(30);
  });

  it('counts callers who wait, and CPU in use when it is more than the calls', () => {
    expect(settled(3).measure(105, input(3, { waiting: 2 })).now).toBe(5);
    const cpu = { cpuUtilization: 0.45, cpuLoadThreshold: 0.75 };
    expect(settled(3).measure(105, input(3, cpu)).now).toBeCloseTo(6);
    expect(settled(8).measure(105, input(8, cpu)).now).toBe(8);
    // The CPU of a task without calls is that of processes that start.
    expect(settled(0).measure(105, input(0, cpu)).now).toBe(0);
  });

  it('knows the calls that it began with', () => {
    const demand = new CallDemand(0, 5);
    expect(demand.measure(10, input(3)).expected).toBeCloseTo(3 - (2 / 60) * LEAD_S);
  });

  it('measures the end of calls against those of a minute ago', () => {
    const demand = settled(0);
    for (let i = 0; i < 10; i++) demand.arrived(105);
    for (let at = 110; at <= 200; at += 10) demand.measure(at, input(10));
    expect(demand.measure(210, input(4)).expected).toBe(0);
    // The sample of exactly a minute ago counts, the one before does not.
    expect(demand.measure(270, input(4)).expected).toBe(4);
  });

  it('has filled up within the last minute or does not know how fast', () => {
    const rate = (openSince: number, fullAt: number, arrivals: number[]) => {
      const demand = new CallDemand(openSince);
      for (const at of arrivals) demand.arrived(at);
      demand.fullChanged(true, fullAt);
      // The same calls as before: what is expected beyond them is what is held.
      return demand.measure(fullAt, input(10)).expected;
    };
    const held = (perSecond: number) => 10 + perSecond * LEAD_S;
    // Open for a minute, which is long enough; ten seconds at least.
    expect(rate(1_000, 1_060, [1_055, 1_060])).toBe(held(2 / 10));
    expect(rate(1_000, 1_059, [1_055, 1_059])).toBe(held(2 / 60));
    // Only those of the last minute, of which the first says since when.
    expect(rate(1_000, 1_100, [1_010, 1_040, 1_080, 1_100])).toBe(held(2 / 20));
  });

  it('believes the held rate for two minutes, and not a second longer', () => {
    const demand = settled(0);
    for (let i = 0; i < 10; i++) demand.arrived(101);
    demand.fullChanged(true, 110);
    for (let at = 115; at < 230; at += 5) demand.measure(at, input(10));
    expect(demand.measure(229.9, input(10)).expected).toBeGreaterThan(10);
    expect(demand.measure(230, input(10)).expected).toBe(10);
  });
});
