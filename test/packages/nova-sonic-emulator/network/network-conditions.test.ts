// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import { EmulatedNetwork } from '../../../../packages/nova-sonic-emulator/src/network/network.js';
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

describe('the network of an emulator', () => {
  it('has conditions that change, and are none again', () => {
    const network = new EmulatedNetwork({ latencyMs: 10 });
    expect(network.set({ jitterMs: 5 })).toEqual({ ...NO_NETWORK, latencyMs: 10, jitterMs: 5 });
    expect(network.conditions.jitterMs).toBe(5);
    expect(() => network.set({ latencyMs: -1 })).toThrow('latencyMs');
    expect(network.conditions.latencyMs).toBe(10);
    network.reset();
    expect(network.conditions).toEqual(NO_NETWORK);
  });

  it('holds back the connections that are open', () => {
    const network = new EmulatedNetwork();
    const stalls: string[] = [];
    const join = (name: string) => network.join({ stall: (ms) => stalls.push(`${name} ${ms}`) });
    const leave = join('a');
    join('b');
    network.stall(5);
    leave();
    network.stall(7);
    expect(stalls).toEqual(['a 5', 'b 5', 'b 7']);
    for (const ms of [0, -1, Number.NaN]) expect(() => network.stall(ms)).toThrow('above 0');
  });
});
