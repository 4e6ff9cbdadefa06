// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { IdleCaller } from '../../../agent/src/call/idle-caller.js';
import { ManualClock } from '../../support/manual-clock.js';

/** A call in which the agent's question takes two seconds. */
function watch(askAfterS: number, endAfterS: number) {
  const clock = new ManualClock();
  const happened: string[] = [];
  const note = (what: string) => happened.push(`${what} at ${clock.now() / 1_000}`);
  const idle = new IdleCaller(
    {
      askAfterMs: askAfterS * 1_000,
      endAfterMs: endAfterS * 1_000,
      ask: () => {
        note('asked');
        idle.set('agent', true);
        return new Promise<void>((resolve) => {
          clock.after(2_000, () => {
            idle.set('agent', false);
            resolve();
          });
        });
      },
      end: () => note('ended'),
    },
    clock,
  );
  return { clock, happened, idle };
}

describe('a caller who says nothing', () => {
  it.each<[number, number, string[]]>([
    [10, 30, ['asked at 10', 'ended at 30']],
    [10, 0, ['asked at 10']],
    [0, 30, ['ended at 30']],
    [0, 0, []],
    [30, 30, ['ended at 30']],
    [10, 11, ['asked at 10', 'ended at 12']],
  ])('is asked after %s s, and the call ends after %s s', async (ask, end, expected) => {
    const { clock, happened } = watch(ask, end);
    await clock.pass(120_000);
    expect(happened).toEqual(expected);
  });

  it('is asked once in each silence', async () => {
    const { clock, happened, idle } = watch(10, 30);
    await clock.pass(15_000);
    idle.set('caller', true);
    await clock.pass(60_000);
    idle.set('caller', false);
    await clock.pass(60_000);
    expect(happened).toEqual(['asked at 10', 'asked at 85', 'ended at 105']);
  });

  it('who answers over the question is there', async () => {
    const { clock, happened, idle } = watch(10, 30);
    await clock.pass(11_000);
    idle.heard();
    await clock.pass(25_000);
    expect(happened).toEqual(['asked at 10', 'asked at 21']);
  });

  it('is not idle while the agent speaks, a tool runs or the phone rings', async () => {
    const { clock, happened, idle } = watch(10, 30);
    for (const what of ['agent', 'tool', 'phone']) {
      idle.set(what, true);
      await clock.pass(60_000);
      idle.set(what, false);
    }
    await clock.pass(9_000);
    expect(happened).toEqual([]);
  });

  it('is left alone when the call is over', async () => {
    const { clock, happened, idle } = watch(10, 30);
    idle.close();
    await clock.pass(60_000);
    idle.heard();
    await clock.pass(60_000);
    expect(happened).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
