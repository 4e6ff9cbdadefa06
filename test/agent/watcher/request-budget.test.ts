// SPDX-License-Identifier: Apache-2.0

import { expect, it } from '@jest/globals';
import { RequestBudget } from '../../../agent/src/watcher/request-budget.js';
import { ManualClock } from '../../support/manual-clock.js';

function setUp(perSecond = 10) {
  const clock = new ManualClock();
  const budget = new RequestBudget(clock, perSecond);
  /** How many may be sent now. */
  const drain = () => {
    let sent = 0;
    while (budget.take(1)) sent += 1;
    return sent;
  };
  return { budget, clock, drain };
}

it('allows so many at once, and so many a second after that', async () => {
  const { clock, drain } = setUp();
  expect(drain()).toBe(10);
  await clock.pass(300);
  expect(drain()).toBe(3);
  await clock.pass(1_000);
  expect(drain()).toBe(10);
});

it('saves nothing up beyond a second', async () => {
  const { clock, drain } = setUp();
  await clock.pass(60_000);
  expect(drain()).toBe(10);
});

it('takes all or nothing, and leaves what is reserved for what matters more', () => {
  const { budget, drain } = setUp();
  expect(budget.take(11)).toBe(false);
  expect(budget.take(1, 10)).toBe(false);
  expect(budget.take(4, 6)).toBe(true);
  expect(budget.take(1, 6)).toBe(false);
  expect(drain()).toBe(6);
});

it('owes what followed from one that was allowed', async () => {
  const { budget, clock, drain } = setUp();
  expect(budget.take(10)).toBe(true);
  budget.spend();
  budget.spend();
  await clock.pass(500);
  expect(drain()).toBe(3);
});
