// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { TaskProtection } from '../../../agent/src/ecs/task-protection.js';
import type {
  EcsAgent,
  ProtectionAnswer,
} from '../../../agent/src/ecs/task-protection-endpoint.js';
import { ManualClock, random, settle } from '../../support/manual-clock.js';

const MINUTE = 60_000;
const blocked: ProtectionAnswer = { ok: false, reason: 'DEPLOYMENT_BLOCKED', sure: true };

/** ECS as the task sees it: what was asked, and what ECS believes. */
class Ecs implements EcsAgent {
  readonly asked: boolean[] = [];
  protectedUntil = Number.NEGATIVE_INFINITY;
  answer: (enabled: boolean) => ProtectionAnswer | Promise<ProtectionAnswer> = () => ({ ok: true });

  constructor(private readonly clock: ManualClock) {}

  get protected(): boolean {
    return this.clock.now() < this.protectedUntil;
  }

  async setProtection(enabled: boolean, minutes: number): Promise<ProtectionAnswer> {
    this.asked.push(enabled);
    const answer = await this.answer(enabled);
    if (answer.ok) {
      this.protectedUntil = enabled
        ? this.clock.now() + minutes * MINUTE
        : Number.NEGATIVE_INFINITY;
    }
    return answer;
  }
}

function setUp(options: ConstructorParameters<typeof TaskProtection>[2] = {}) {
  const clock = new ManualClock();
  const ecs = new Ecs(clock);
  const failures: string[] = [];
  const protection = new TaskProtection(ecs, clock, {
    ...options,
    onFailure: (what, reason) => failures.push(`${what} ${reason}`),
  });
  return { clock, ecs, failures, protection };
}

describe('TaskProtection', () => {
  it('confirms before the call is taken, with one request for calls that come together', async () => {
    const { ecs, protection } = setUp();
    const held = [protection.hold(), protection.hold(), protection.hold()];
    expect(protection.confirmed).toBe(false);
    expect(await Promise.all(held)).toEqual([true, true, true]);
    expect(protection.confirmed).toBe(true);
    expect(ecs.asked).toEqual([true]);
  });

  it('is renewed while a call lasts, well before it expires', async () => {
    const { clock, ecs, protection } = setUp({ expiresInMinutes: 5 });
    await protection.hold();
    for (let i = 0; i < 60; i++) {
      await clock.pass(MINUTE);
      expect(ecs.protected).toBe(true);
    }
    expect(ecs.asked.length).toBeGreaterThan(20);
    expect(ecs.asked.length).toBeLessThan(40);
  });

  it('goes off after the grace period, not before, and not when a call comes meanwhile', async () => {
    const { clock, ecs, protection } = setUp({ graceMs: 30_000 });
    await protection.hold();
    protection.release();
    await clock.pass(29_000);
    expect(ecs.protected).toBe(true);
    await protection.hold();
    await clock.pass(10 * MINUTE);
    expect(ecs.protected).toBe(true);
    protection.release();
    await clock.pass(30_000);
    expect(ecs.protected).toBe(false);
    expect(ecs.asked.at(-1)).toBe(false);
  });

  it('is taken off at the next try when ECS does not do so at the first', async () => {
    const { clock, ecs, failures, protection } = setUp({ graceMs: 1_000, retryMs: 10_000 });
    await protection.hold();
    ecs.answer = () => blocked;
    protection.release();
    await clock.pass(1_000);
    expect(failures).toEqual(['off DEPLOYMENT_BLOCKED']);
    expect(ecs.protected).toBe(true);
    ecs.answer = () => ({ ok: true });
    await clock.pass(10_000);
    expect(ecs.protected).toBe(false);
    expect(ecs.asked).toEqual([true, false, false]);
  });

  it('asks anew for a call that comes while protection is being taken off', async () => {
    const { clock, ecs, protection } = setUp({ graceMs: 1_000 });
    await protection.hold();
    protection.release();
    let finish: (answer: ProtectionAnswer) => void = () => {};
    ecs.answer = (enabled) =>
      enabled ? { ok: true } : new Promise((resolve) => (finish = resolve));
    await clock.pass(1_000);
    const held = protection.hold();
    await settle();
    expect(ecs.asked).toEqual([true, false]);
    finish({ ok: true });
    expect(await held).toBe(true);
    expect(ecs.asked).toEqual([true, false, true]);
    expect(ecs.protected).toBe(true);
  });

  it('refuses when ECS blocks it, and does not ask again for each job of a burst', async () => {
    const { clock, ecs, failures, protection } = setUp({ restMs: 2_000 });
    ecs.answer = () => blocked;
    expect(await protection.hold()).toBe(false);
    for (let i = 0; i < 20; i++) expect(await protection.hold()).toBe(false);
    expect(ecs.asked).toEqual([true]);
    expect(failures).toEqual(['on DEPLOYMENT_BLOCKED']);
    // Nothing holds the task, so nothing is asked until the next job.
    await clock.pass(60 * MINUTE);
    expect(ecs.asked).toEqual([true]);
    ecs.answer = () => ({ ok: true });
    expect(await protection.hold()).toBe(true);
  });

  it('takes off what may have been put on by a request that timed out', async () => {
    const { clock, ecs, protection } = setUp({ graceMs: 30_000 });
    ecs.answer = () => ({ ok: false, reason: 'timeout', sure: false });
    expect(await protection.hold()).toBe(false);
    ecs.protectedUntil = 5 * MINUTE;
    ecs.answer = () => ({ ok: true });
    await clock.pass(30_000);
    expect(ecs.protected).toBe(false);
  });

  it('tries again for a live call when a renewal fails, and takes no new call near the end', async () => {
    const { clock, ecs, failures, protection } = setUp({ retryMs: 10_000 });
    await protection.hold();
    ecs.answer = () => blocked;
    await clock.pass(4.6 * MINUTE);
    expect(failures.length).toBeGreaterThan(10);
    expect(protection.confirmed).toBe(true);
    expect(await protection.hold()).toBe(false);
    ecs.answer = () => ({ ok: true });
    await clock.pass(10_000);
    expect(await protection.hold()).toBe(true);
    expect(ecs.protected).toBe(true);
  });

  it('is no obstacle outside ECS', async () => {
    const protection = new TaskProtection(undefined, new ManualClock());
    expect(await protection.hold()).toBe(true);
    expect(protection.confirmed).toBe(true);
    protection.release();
  });

  // 500 starts and ends, a third of all requests failing or slow.
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'never leaves a live call without confirmed protection (trace %i)',
    async (seed) => {
      const chance = random(seed);
      const { clock, ecs, protection } = setUp({ graceMs: 30_000 });
      let broken: unknown;
      ecs.answer = async (enabled) => {
        // Also between the looks below: protection that had lapsed is seen when it is asked for again.
        try {
          check();
        } catch (error) {
          broken ??= error;
        }
        const roll = chance();
        if (roll < 0.15) return blocked;
        if (roll < 0.25) return { ok: false, reason: 'timeout', sure: false };
        if (roll < 0.3) await new Promise<void>((resolve) => clock.after(4_000, resolve));
        if (!enabled) offs += 1;
        return { ok: true };
      };
      let live = 0;
      let refused = 0;
      let idleSince = 0;
      let offs = 0;
      const check = () => {
        if (live > 0 && !(protection.confirmed && ecs.protected)) {
          throw new Error(`a call without protection at ${clock.now()} ms`);
        }
        // Off within the grace period, plus what ECS's own failures and slow answers may cost.
        if (live === 0 && ecs.protected && clock.now() - idleSince > 5 * MINUTE + 30_000) {
          throw new Error(`still protected ${clock.now() - idleSince} ms after the last call`);
        }
      };
      for (let step = 0; step < 500; step++) {
        if (live > 0 && chance() < 0.65) {
          live -= 1;
          protection.release();
          if (live === 0) idleSince = clock.now();
        } else {
          void protection.hold().then((held) => {
            if (held) live += 1;
            else refused += 1;
            if (live === 0) idleSince = clock.now();
            check();
          });
        }
        for (let i = 0; i < 10; i++) {
          await clock.pass(chance() * 9_000);
          check();
        }
      }
      expect(broken).toBeUndefined();
      expect(refused).toBeGreaterThan(10);
      expect(offs).toBeGreaterThan(10);
      while (live-- > 0) protection.release();
      await clock.pass(10 * MINUTE);
      expect(ecs.protected).toBe(false);
    },
  );
});
