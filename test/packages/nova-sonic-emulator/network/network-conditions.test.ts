// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import {
  NO_NETWORK,
  networkConditions,
} from '../../../../packages/nova-sonic-emulator/src/network/network-conditions.js';

describe('the conditions of a network', () => {
  it('are those of before where nothing is said, also by undefined', () => {
    const before = { latencyMs: 10, jitterMs: 5, bandwidthKbps: 64 };
    expect(networkConditions({}, before)).toEqual(before);
    expect(networkConditions({ latencyMs: undefined, jitterMs: 0 }, before)).toEqual({
      ...before,
      jitterMs: 0,
    });
    expect(networkConditions({ latencyMs: 3 })).toEqual({ ...NO_NETWORK, latencyMs: 3 });
  });

  it.each([
    [{ latencyMs: -1 }, 'latencyMs'],
    [{ jitterMs: 'much' }, 'jitterMs'],
    [{ bandwidthKbps: null }, 'bandwidthKbps'],
    [{ delay: 1 }, 'delay'],
  ])('%j is refused by a sentence that names the field', (value, field) => {
    expect(() => networkConditions(value)).toThrow(field);
  });

  it.each([null, 5, 'slow', []])('%j is none', (value) => {
    expect(() => networkConditions(value)).toThrow(Error);
  });
});
