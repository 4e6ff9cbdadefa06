// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import { DelayLine } from '../../../../packages/nova-sonic-emulator/src/network/delay-line.js';
import {
  NO_NETWORK,
  networkConditions,
} from '../../../../packages/nova-sonic-emulator/src/network/network-conditions.js';
import { SeededRandom } from '../../../../packages/nova-sonic-emulator/src/random.js';
import { ManualClock } from '../../../support/manual-clock.js';

function line(conditions: object) {
  const clock = new ManualClock();
  let current = networkConditions(conditions);
  const delivered: [name: string, at: number][] = [];
  const delay = new DelayLine(clock, new SeededRandom(1), () => current);
  return {
    clock,
    delay,
    delivered,
    push: (name: string, bytes = 0) =>
      delay.push(bytes, () => delivered.push([name, Math.round(clock.now())])),
    change: (next: object) => {
      current = networkConditions(next, current);
    },
  };
}

describe('one direction of a network', () => {
  it('delivers at once where there is none', () => {
    const { push, delivered, clock } = line({});
    push('a', 1000);
    expect(delivered).toEqual([['a', 0]]);
    expect(clock.pending).toBe(0);
  });

  it('delivers after the latency', async () => {
    const { push, delivered, clock } = line({ latencyMs: 60 });
    push('a');
    await clock.pass(30);
    push('b');
    await clock.pass(100);
    expect(delivered).toEqual([
      ['a', 60],
      ['b', 90],
    ]);
  });

  it('varies the delay by the jitter, and keeps the order', async () => {
    const { push, delivered, clock } = line({ latencyMs: 60, jitterMs: 20 });
    for (let i = 0; i < 200; i++) {
      push(String(i));
      await clock.pass(1);
    }
    await clock.pass(100);
    expect(delivered.map(([name]) => Number(name))).toEqual([...Array(200).keys()]);
    const delays = delivered.map(([, at], i) => at - i);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(40);
    expect(Math.max(...delays)).toBeLessThanOrEqual(81);
    expect(new Set(delays).size).toBeGreaterThan(5);
  });

  it('takes the time that the bytes need at the bandwidth, one after the other', async () => {
    // 8 kbit/s: a byte takes a millisecond.
    const { push, delivered, clock } = line({ latencyMs: 10, bandwidthKbps: 8 });
    push('a', 100);
    push('b', 50);
    await clock.pass(1000);
    push('c', 1);
    await clock.pass(100);
    expect(delivered).toEqual([
      ['a', 110],
      ['b', 160],
      ['c', 1011],
    ]);
  });

  it('delivers nothing during a stall, and everything after it', async () => {
    const { push, delivered, clock, delay } = line({ latencyMs: 10 });
    push('a');
    delay.stall(500);
    await clock.pass(300);
    push('b');
    await clock.pass(199);
    expect(delivered).toEqual([]);
    expect(delay.inFlight).toBe(0);
    await clock.pass(1);
    expect(delivered).toEqual([
      ['a', 500],
      ['b', 500],
    ]);
  });

  it('stalls a line without any delay, too', async () => {
    const { push, delivered, clock, delay } = line({});
    delay.stall(100);
    push('a', 7);
    expect(delay.inFlight).toBe(7);
    await clock.pass(100);
    push('b');
    expect(delivered).toEqual([
      ['a', 100],
      ['b', 100],
    ]);
  });

  it('keeps the order when the network becomes faster', async () => {
    const { push, delivered, clock, change } = line({ latencyMs: 100 });
    push('a');
    change({ latencyMs: 0 });
    push('b');
    await clock.pass(100);
    push('c');
    expect(delivered.map(([name]) => name)).toEqual(['a', 'b', 'c']);
  });

  it('delivers in order what a delivery pushes', async () => {
    const { delay, delivered, clock, push, change } = line({ latencyMs: 5 });
    delay.push(0, () => {
      change({ latencyMs: 0 });
      push('inner');
    });
    push('next');
    await clock.pass(10);
    expect(delivered.map(([name]) => name)).toEqual(['next', 'inner']);
  });

  it('drops what is on its way when it is cleared', async () => {
    const { push, delivered, clock, delay } = line({ latencyMs: 5 });
    push('a');
    delay.clear();
    await clock.pass(10);
    expect(delivered).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});

describe('conditions', () => {
  it('keep what is left out', () => {
    expect(networkConditions({ jitterMs: 5 }, { ...NO_NETWORK, latencyMs: 60 })).toEqual({
      latencyMs: 60,
      jitterMs: 5,
      bandwidthKbps: 0,
    });
  });

  it.each([
    [{ latencyMs: -1 }, /^network: latencyMs: /],
    [{ latency: 5 }, /^network: .*latency/],
    ['fast', /^network: /],
  ])('%j are refused in one sentence', (value, message) => {
    expect(() => networkConditions(value)).toThrow(message);
  });
});
