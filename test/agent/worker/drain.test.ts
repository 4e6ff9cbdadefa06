// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { Drain, type DrainOptions } from '../../../agent/src/worker/drain.js';
import { ManualClock } from '../../support/manual-clock.js';

function setUp(calls: number, options: DrainOptions = {}) {
  const clock = new ManualClock();
  const log: string[] = [];
  const note = (what: string) => log.push(`${clock.now() / 1000} ${what}`);
  const state = { calls };
  const drain = new Drain(
    clock,
    {
      stopAccepting: () => note('stop'),
      calls: () => state.calls,
      endGracefully: () => note('end gracefully'),
      endNow: () => note('end now'),
    },
    options,
  );
  const end = (n = 1) => {
    state.calls -= n;
    drain.callEnded();
  };
  let result: string | undefined;
  const start = () => void drain.start().then((value) => (result = value));
  return { clock, drain, end, log, start, result: () => result };
}

describe('Drain', () => {
  it('stops accepting jobs at once and is done at once without calls', async () => {
    const { clock, log, start, result } = setUp(0);
    start();
    await clock.pass(0);
    expect(log).toEqual(['0 stop']);
    expect(result()).toBe('idle');
  });

  it('waits for the last call and cuts none', async () => {
    const { clock, end, log, start, result } = setUp(2);
    start();
    await clock.pass(40_000);
    end();
    await clock.pass(40_000);
    expect(result()).toBeUndefined();
    end();
    await clock.pass(0);
    expect(result()).toBe('idle');
    expect(log).toEqual(['0 stop']);
  });

  it('ends calls gracefully in the last seconds and ends the rest at the deadline', async () => {
    const { clock, end, log, start, result } = setUp(2);
    start();
    await clock.pass(97_999);
    expect(log).toEqual(['0 stop']);
    await clock.pass(5_000);
    end();
    await clock.pass(7_001);
    expect(log).toEqual(['0 stop', '98 end gracefully', '110 end now']);
    expect(result()).toBeUndefined();
    end();
    await clock.pass(0);
    expect(result()).toBe('cut');
  });

  it('is over within Fargate’s 120 s even when a call does not end', async () => {
    const { clock, start, result } = setUp(1);
    start();
    await clock.pass(115_000);
    expect(result()).toBe('cut');
  });

  it('ends calls without a last reply when that is off', async () => {
    const { clock, log, start } = setUp(1, { endCallTimeoutMs: 0, timeoutMs: 20_000 });
    start();
    await clock.pass(20_000);
    expect(log).toEqual(['0 stop', '20 end now']);
  });

  it('has no more time for the last reply than for the drain', async () => {
    const { clock, log, start } = setUp(1, { endCallTimeoutMs: 12_000, timeoutMs: 5_000 });
    start();
    await clock.pass(5_000);
    expect(log).toEqual(['0 stop', '0 end gracefully', '5 end now']);
  });

  it('ignores a second SIGTERM, and hurries only on request', async () => {
    const { clock, drain, end, log, start, result } = setUp(1);
    start();
    await clock.pass(1_000);
    start();
    await clock.pass(1_000);
    expect(log).toEqual(['0 stop']);
    drain.hurry();
    await clock.pass(0);
    expect(log).toEqual(['0 stop', '2 end now']);
    end();
    await clock.pass(0);
    expect(result()).toBe('cut');
  });

  it('is started once it has been', async () => {
    const { clock, drain, start } = setUp(0);
    expect(drain.started).toBe(false);
    start();
    await clock.pass(0);
    expect(drain.started).toBe(true);
  });

  it('takes a second interrupt within half a second for the first one', async () => {
    const { clock, drain, log, start } = setUp(1);
    await clock.pass(60_000);
    start();
    await clock.pass(499);
    drain.hurry();
    await clock.pass(0);
    expect(log).toEqual(['60 stop']);
    await clock.pass(1);
    drain.hurry();
    await clock.pass(0);
    expect(log).toEqual(['60 stop', '60.5 end now']);
  });

  it('says so when the last call ended with its last reply', async () => {
    const { clock, end, log, start, result } = setUp(1);
    start();
    await clock.pass(98_000);
    end();
    await clock.pass(0);
    expect(result()).toBe('ended_gracefully');
    await clock.pass(60_000);
    expect(log).toEqual(['0 stop', '98 end gracefully']);
  });
});
