// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { RealClock, scaledClock } from '../../../packages/nova-sonic-emulator/src/clock.js';
import { ManualClock } from '../../support/manual-clock.js';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

it('a limit of months does not end a session at once, as Node would have it', () => {
  const set = jest.spyOn(globalThis, 'setTimeout');
  const fired: string[] = [];
  new RealClock().after(1e12, () => fired.push('months'));
  expect(set).toHaveBeenCalledWith(expect.any(Function), 2 ** 31 - 1);
  jest.advanceTimersByTime(3_600_000);
  expect(fired).toEqual([]);
  set.mockRestore();
});

it('measures how late its timers fire', () => {
  const clock = new RealClock();
  const fired: number[] = [];
  clock.after(10, () => fired.push(10));
  clock.after(-5, () => fired.push(0));
  const cancel = clock.after(20, () => fired.push(20));
  cancel();
  jest.advanceTimersByTime(30);
  expect(fired).toEqual([0, 10]);
  expect(clock.timerLag()).toEqual({ count: 2, p50: 0, p95: 0, p99: 0, max: 0 });
  clock.resetTimerLag();
  expect(clock.timerLag().count).toBe(0);
});

it('a clock of sixty times the speed makes a minute a second', async () => {
  jest.useRealTimers();
  const base = new ManualClock();
  const clock = scaledClock(base, 60);
  const fired: number[] = [];
  clock.after(60_000, () => fired.push(clock.now()));
  await base.pass(999);
  expect(fired).toEqual([]);
  await base.pass(1);
  expect(fired).toEqual([60_000]);
});
