// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import seedrandom from 'seedrandom';
import { TaskProtection } from '../../../agent/src/ecs/task-protection.js';
import type {
  EcsAgent,
  ProtectionResult,
} from '../../../agent/src/ecs/task-protection-endpoint.js';
import { ManualClock, settle } from '../../support/manual-clock.js';

const MINUTE = 60_000;
const blocked: ProtectionResult = { ok: false, reason: 'DEPLOYMENT_BLOCKED', rejected: true };

/** A fake ECS agent: the requests, and the state of the protection. */
class Ecs implements EcsAgent {
  readonly requests: boolean[] = [];
  protectedUntil = Number.NEGATIVE_INFINITY;
  answer: (enabled: boolean) => ProtectionResult | Promise<ProtectionResult> = () => ({ ok: true });

  constructor(private readonly clock: ManualClock) {}

  get protected(): boolean {
    return this.clock.now() < this.protectedUntil;
  }

  async setProtection(enabled: boolean, minutes: number): Promise<ProtectionResult> {
    this.requests.push(enabled);
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
  it('confirms before a call is accepted, with one request for simultaneous calls', async () => {
    const { ecs, protection } = setUp();
    const held = [protection.hold(), protection.hold(), protection.hold()];
    expect(protection.confirmed).toBe(false);
    expect(await Promise.all(held)).toEqual([true, true, true]);
    expect(protection.confirmed).toBe(true);
    expect(ecs.requests).toEqual([true]);
  });

  it('is renewed while a call lasts, well before it expires', async () => {
    const { clock, ecs, protection } = setUp({ expiresInMinutes: 5 });
    await protection.hold();
    for (let i = 0; i < 60; i++) {
      await clock.pass(MINUTE);
      expect(ecs.protected).toBe(true);
    }
    expect(ecs.requests.length).toBeGreaterThan(20);
    expect(ecs.requests.length).toBeLessThan(40);
  });

  it('is released after the grace period, not before, and not when a call comes meanwhile', async () => {
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
    expect(ecs.requests.at(-1)).toBe(false);
  });

  it('retries when ECS does not release protection', async () => {
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
    expect(ecs.requests).toEqual([true, false, false]);
  });

  it('requests protection again for a call that comes while it is being released', async () => {
    const { clock, ecs, protection } = setUp({ graceMs: 1_000 });
    await protection.hold();
    protection.release();
    let finish: (answer: ProtectionResult) => void = () => {};
    ecs.answer = (enabled) =>
      enabled ? { ok: true } : new Promise((resolve) => (finish = resolve));
    await clock.pass(1_000);
    const held = protection.hold();
    await settle();
    expect(ecs.requests).toEqual([true, false]);
    finish({ ok: true });
    expect(await held).toBe(true);
    expect(ecs.requests).toEqual([true, false, true]);
    expect(ecs.protected).toBe(true);
  });

  it('fails when ECS blocks it, without another request for each job of a burst', async () => {
    const { clock, ecs, failures, protection } = setUp({ backoffMs: 2_000 });
    ecs.answer = () => blocked;
    expect(await protection.hold()).toBe(false);
    for (let i = 0; i < 20; i++) expect(await protection.hold()).toBe(false);
    expect(ecs.requests).toEqual([true]);
    expect(failures).toEqual(['on DEPLOYMENT_BLOCKED']);
    // Nothing holds the task, so there is no request until the next job.
    await clock.pass(60 * MINUTE);
    expect(ecs.requests).toEqual([true]);
    ecs.answer = () => ({ ok: true });
    expect(await protection.hold()).toBe(true);
  });

  it('releases what a request that timed out may have set', async () => {
    const { clock, ecs, protection } = setUp({ graceMs: 30_000 });
    ecs.answer = () => ({ ok: false, reason: 'timeout', rejected: false });
    expect(await protection.hold()).toBe(false);
    ecs.protectedUntil = 5 * MINUTE;
    ecs.answer = () => ({ ok: true });
    await clock.pass(30_000);
    expect(ecs.protected).toBe(false);
  });

  it('retries for a live call when a renewal fails, and accepts no new call near the expiry', async () => {
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

  it('is always confirmed outside ECS', async () => {
    const protection = new TaskProtection(undefined, new ManualClock());
    expect(await protection.hold()).toBe(true);
    expect(protection.confirmed).toBe(true);
    protection.release();
  });

  // 500 starts and ends, a third of all requests failing or slow.
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'never leaves a live call without confirmed protection (trace %i)',
    async (seed) => {
      const chance = seedrandom(String(seed));
      const { clock, ecs, protection } = setUp({ graceMs: 30_000 });
      let broken: unknown;
      ecs.answer = async (enabled) => {
        // Also between the checks below: protection that had expired is noticed when it is requested again.
        try {
          check();
        } catch (error) {
          broken ??= error;
        }
        const roll = chance();
        if (roll < 0.15) return blocked;
        if (roll < 0.25) return { ok: false, reason: 'timeout', rejected: false };
        if (roll < 0.3) await new Promise<void>((resolve) => clock.after(4_000, resolve));
        if (!enabled) offs += 1;
        return { ok: true };
      };
      let live = 0;
      let rejected = 0;
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
            else rejected += 1;
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
      expect(rejected).toBeGreaterThan(10);
      expect(offs).toBeGreaterThan(10);
      while (live-- > 0) protection.release();
      await clock.pass(10 * MINUTE);
      expect(ecs.protected).toBe(false);
    },
  );
});
