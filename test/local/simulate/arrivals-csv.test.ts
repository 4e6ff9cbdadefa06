// SPDX-License-Identifier: Apache-2.0

import { expect, test } from '@jest/globals';
import { parseArrivals } from '../../../local/simulate/arrivals-csv.js';

test('a CSV file has calls at times, and straight lines between them', () => {
  const { calls, most, seconds } = parseArrivals('seconds,calls\n0,10\n600, 40\n\n1200,0\n');
  expect([0, 300, 600, 900, 1200, 5000].map(calls)).toEqual([10, 25, 40, 20, 0, 0]);
  expect([most, seconds]).toEqual([40, 1200]);
});

test.each(['', 'a,b\n1,2\n', 'seconds,calls\n0,many\n', 'seconds,calls\n-5,1\n'])(
  'rejects %j in one sentence',
  (text) => {
    expect(() => parseArrivals(text)).toThrow(/^The CSV file needs a header/);
  },
);
