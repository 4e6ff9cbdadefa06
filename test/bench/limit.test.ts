// SPDX-License-Identifier: Apache-2.0

import { expect, test } from '@jest/globals';
import { mostCalls } from '../../bench/peers/limit.js';

test.each([0, 1, 3, 4, 5, 13, 20])('the most calls, with a limit of %i', async (limit) => {
  const tried: number[] = [];
  const most = await mostCalls(async (calls) => {
    tried.push(calls);
    return calls <= limit;
  });
  expect(most).toBe(limit);
  // Each takes minutes: none twice.
  expect(new Set(tried).size).toBe(tried.length);
});
