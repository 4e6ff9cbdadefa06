// SPDX-License-Identifier: Apache-2.0

import {
  observe,
  toPageTime,
  unknownOffset,
} from '../../../../local/playground/state/clock-offset.js';

describe('the clock offset', () => {
  it('is ignored up to 60 ms', () => {
    const offset = observe(observe(unknownOffset, 1000, 1040), 2000, 2005);
    expect(toPageTime(offset, 3000)).toBe(3000);
  });

  it('is the shortest time that a message took', () => {
    const offset = observe(observe(unknownOffset, 1000, 61_500), 2000, 62_020);
    expect(toPageTime(offset, 3000)).toBe(63_020);
  });
});
