// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import seedrandom from 'seedrandom';
import { defaultExpiryMinutes, TaskProtection } from '../../../agent/src/ecs/task-protection.js';
import type {
  EcsAgent,
  ProtectionResult,
} from '../../../agent/src/ecs/task-protection-endpoint.js';
import { ManualClock, settle } from '../../support/manual-clock.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const blocked: ProtectionResult = { ok: false, reason: 'DEPLOYMENT_BLOCKED', rejected: true };

/** A fake ECS agent: the requests, and the state of the protection. */
class Ecs implements EcsAgent {
  readonly requests: boolean[] = [];
  minutes = 0;
  protectedUntil = Number.NEGATIVE_INFINITY;
  answer: (enabled: boolean) => ProtectionResult | Promise<ProtectionResult> = () => ({ ok: true });

  constructor(private readonly clock: ManualClock) {}

  get protected(): boolean {
    return this.clock.now() < this.protectedUntil;
  }

  async setProtection(enabled: boolean, minutes: number): Promise<ProtectionResult> {
    this.requests.push(enabled);
    this.minutes = minutes;
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
  const changes: boolean[] = [];
  const protection = new TaskProtection(ecs, clock, {
    longestCallMs: HOUR,
    random: () => 0,
    ...options,
    onChange: (confirmed) => changes.push(confirmed),
    onFailure: (what, reason) => failures.push(`${what} ${reason}`),
  });
  return { changes, clock, ecs, failures, protection };
}

describe('TaskProtection', () => {
  it.each([
    [HOUR, 75],
    [MINUTE, 16],
    [24 * HOUR, 1_455],
    [48 * HOUR, 2_880],
    [0, 2_880],
  ])('lasts as long as a call of %d ms and a margin', async (longestCallMs, minutes) => {
    expect(defaultExpiryMinutes(longestCallMs)).toBe(minutes);
    const { ecs, protection } = setUp({ longestCallMs });
    protection.hold();
    await settle();
    expect(ecs.minutes).toBe(minutes);
    expect(protection.covers).toBe(true);
  });

  it('is there ahead of the first call, which needs no request', async () => {
    const { clock, ecs, protection } = setUp();
    protection.mode = 'ahead';
    await clock.pass(0);
    expect([ecs.protected, protection.covers]).toEqual([true, true]);
    protection.hold();
    expect(await protection.ensure(500)).toBe(true);
    protection.release();
    await clock.pass(10 * HOUR);
    expect([ecs.protected, protection.covers]).toEqual([true, true]);
    expect(ecs.requests).not.toContain(false);
  });

  it('always lasts as long as the longest call while ECS renews it', async () => {
    const { clock, ecs, protection } = setUp();
    protection.hold();
    for (let i = 0; i < 300; i++) {
      await clock.pass(MINUTE);
      expect(protection.covers).toBe(true);
      expect(ecs.protectedUntil - clock.now()).toBeGreaterThanOrEqual(HOUR);
    }
    expect(ecs.requests.length).toBeLessThan(80);
  });

  it('outlasts every call that it covered when ECS refuses to renew it, and says when it covers no more', async () => {
    const { clock, ecs, protection } = setUp();
    protection.hold();
    await clock.pass(4 * MINUTE);
    ecs.answer = () => blocked;
    let lastCovered = 0;
    for (let i = 0; i < 60; i++) {
      await clock.pass(MINUTE);
      if (protection.covers) lastCovered = clock.now();
    }
    expect(lastCovered).toBeGreaterThan(14 * MINUTE);
    expect(protection.covers).toBe(false);
    expect(protection.confirmed).toBe(true);
    await clock.pass(lastCovered + HOUR - clock.now() - 1);
    expect(ecs.protected).toBe(true);
  });

  it('shares one request among simultaneous calls', async () => {
    const { changes, ecs, protection } = setUp();
    let finish: (answer: ProtectionResult) => void = () => {};
    ecs.answer = () => new Promise((resolve) => (finish = resolve));
    for (let i = 0; i < 3; i++) protection.hold();
    const covered = [1, 2, 3].map(() => protection.ensure(500));
    expect(protection.confirmed).toBe(false);
    finish({ ok: true });
    expect(await Promise.all(covered)).toEqual([true, true, true]);
    expect([ecs.requests, changes]).toEqual([[true], [true]]);
  });

  it('delays nobody by more than the time since a request began, and most not at all', async () => {
    const { clock, ecs, protection } = setUp();
    ecs.answer = () =>
      new Promise((resolve) =>
        clock.after(4_000, () => resolve({ ok: false, reason: 'timeout', rejected: false })),
      );
    protection.mode = 'ahead';
    const waits: number[] = [];
    for (let i = 0; i < 600; i++) {
      await clock.pass(500);
      const from = clock.now();
      void protection.ensure(500).then((covered) => {
        expect(covered).toBe(false);
        waits.push(clock.now() - from);
      });
    }
    await clock.pass(500);
    expect(waits).toHaveLength(600);
    expect(Math.max(...waits)).toBeLessThanOrEqual(500);
    expect(waits.reduce((sum, ms) => sum + ms, 0) / waits.length).toBeLessThan(50);
  });

  it('is requested again while ECS blocks it: soon, then once a minute', async () => {
    const { clock, ecs, failures, protection } = setUp();
    ecs.answer = () => blocked;
    protection.mode = 'ahead';
    await clock.pass(10 * MINUTE);
    expect(ecs.requests.length).toBeGreaterThan(10);
    expect(ecs.requests.length).toBeLessThan(15);
    expect(new Set(failures)).toEqual(new Set(['on DEPLOYMENT_BLOCKED']));
    // A burst of calls asks no more often.
    const asked = ecs.requests.length;
    for (let i = 0; i < 20; i++) {
      protection.hold();
      expect(await protection.ensure(500)).toBe(false);
    }
    expect(ecs.requests.length).toBe(asked);
    ecs.answer = () => ({ ok: true });
    await clock.pass(MINUTE);
    expect(protection.covers).toBe(true);
  });

  it('on demand is released after the grace period, not before, and not when a call comes meanwhile', async () => {
    const { changes, clock, ecs, protection } = setUp({ graceMs: 30_000 });
    protection.hold();
    await clock.pass(0);
    protection.release();
    await clock.pass(29_000);
    expect(ecs.protected).toBe(true);
    protection.hold();
    await clock.pass(10 * MINUTE);
    expect(ecs.protected).toBe(true);
    protection.release();
    await clock.pass(30_000);
    expect(ecs.protected).toBe(false);
    expect(changes).toEqual([true, false]);
  });

  it('of a task that leaves is kept until the last call has ended, and released at once then', async () => {
    const { clock, ecs, protection } = setUp();
    protection.mode = 'ahead';
    protection.hold();
    protection.hold();
    protection.mode = 'leaving';
    protection.release();
    await clock.pass(2 * HOUR);
    expect(ecs.protected).toBe(true);
    protection.release();
    await clock.pass(0);
    expect(ecs.protected).toBe(false);
    // A rollback.
    protection.mode = 'ahead';
    await clock.pass(0);
    expect(ecs.protected).toBe(true);
    protection.mode = 'leaving';
    await clock.pass(0);
    expect(ecs.protected).toBe(false);
  });

  it('retries when ECS does not release it', async () => {
    const { clock, ecs, failures, protection } = setUp({ graceMs: 1_000, retryMs: 10_000 });
    protection.hold();
    await clock.pass(0);
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

  it('is requested again for a call that comes while it is being released', async () => {
    const { clock, ecs, protection } = setUp({ graceMs: 1_000 });
    protection.hold();
    await clock.pass(0);
    protection.release();
    let finish: (answer: ProtectionResult) => void = () => {};
    ecs.answer = (enabled) =>
      enabled ? { ok: true } : new Promise((resolve) => (finish = resolve));
    await clock.pass(1_000);
    protection.hold();
    const covered = protection.ensure(500);
    await settle();
    expect(ecs.requests).toEqual([true, false]);
    finish({ ok: true });
    expect(await covered).toBe(true);
    expect(ecs.requests).toEqual([true, false, true]);
    expect(ecs.protected).toBe(true);
  });

  it('releases what a request that timed out may have set', async () => {
    const { clock, ecs, protection } = setUp({ graceMs: 30_000 });
    ecs.answer = () => ({ ok: false, reason: 'timeout', rejected: false });
    protection.hold();
    await clock.pass(0);
    expect(protection.covers).toBe(false);
    protection.release();
    ecs.protectedUntil = 75 * MINUTE;
    ecs.answer = () => ({ ok: true });
    await clock.pass(30_000);
    expect(ecs.protected).toBe(false);
  });

  it('does nothing after it was stopped', async () => {
    const { clock, ecs, protection } = setUp();
    protection.hold();
    await clock.pass(0);
    protection.stop();
    protection.release();
    await clock.pass(10 * HOUR);
    expect(ecs.requests).toEqual([true]);
  });

  it('counts as there outside ECS', async () => {
    const protection = new TaskProtection(undefined, new ManualClock());
    protection.hold();
    expect([protection.confirmed, protection.covers, await protection.ensure(0)]).toEqual([
      true,
      true,
      true,
    ]);
    protection.release();
  });

  // 300 starts and ends, a third of all requests failing or slow.
  it.each([1, 2, 3, 4])(
    'is never said to cover a call that ECS might stop (trace %i)',
    async (seed) => {
      const chance = seedrandom(String(seed));
      const { clock, ecs, protection } = setUp({ longestCallMs: 10 * MINUTE, random: chance });
      ecs.answer = async () => {
        const roll = chance();
        if (roll < 0.2) return blocked;
        if (roll < 0.3) return { ok: false, reason: 'timeout', rejected: false };
        if (roll < 0.35) await new Promise<void>((resolve) => clock.after(4_000, resolve));
        return { ok: true };
      };
      let live = 0;
      let checks = 0;
      for (let step = 0; step < 300; step++) {
        if (step % 40 === 0) protection.mode = 'ahead';
        if (step % 40 === 20) protection.mode = chance() < 0.5 ? 'leaving' : 'on_demand';
        if (live > 0 && chance() < 0.6) {
          live -= 1;
          protection.release();
        } else {
          live += 1;
          protection.hold();
        }
        for (let i = 0; i < 5; i++) {
          await clock.pass(chance() * 9_000);
          if (!protection.covers) continue;
          checks += 1;
          expect(ecs.protectedUntil - clock.now()).toBeGreaterThanOrEqual(8 * MINUTE);
        }
      }
      expect(checks).toBeGreaterThan(300);
      protection.mode = 'on_demand';
      while (live-- > 0) protection.release();
      await clock.pass(30 * MINUTE);
      expect(ecs.protected).toBe(false);
    },
  );
});
