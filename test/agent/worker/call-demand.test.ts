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
});
