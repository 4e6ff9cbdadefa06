// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { TaskProtection } from '../../../agent/src/ecs/task-protection.js';
import type { ProtectionResult } from '../../../agent/src/ecs/task-protection-endpoint.js';
import { CallSlots } from '../../../agent/src/worker/call-slots.js';
import { JobAdmission } from '../../../agent/src/worker/job-admission.js';
import { ManualClock, settle } from '../../support/manual-clock.js';

function setUp(total: number, answer?: () => Promise<ProtectionResult>) {
  const clock = new ManualClock();
  const log: string[] = [];
  const protection = new TaskProtection(answer && { setProtection: answer }, clock);
  const admission = new JobAdmission(new CallSlots(total), protection, clock, {
    onFullChanged: (full) => log.push(full ? 'full' : 'open'),
    onAccepted: (job, unprotected) => log.push(`+${job}${unprotected ? ' unprotected' : ''}`),
    onRejected: (job, reason) => log.push(`-${job} ${reason}`),
  });
  return { clock, admission, log };
}

const jobs = (n: number) => Array.from({ length: n }, (_, i) => `j${i}`);

describe('JobAdmission', () => {
  it('never admits one more than its slots, however many come at once and however slow ECS is', async () => {
    let finish: (answer: ProtectionResult) => void = () => {};
    const { admission, log } = setUp(10, () => new Promise((resolve) => (finish = resolve)));
    const answers = jobs(40).map((job) => admission.admit(job));
    await settle();
    // The thirty that do not fit are rejected while ECS has not answered for the first ten.
    expect(log.filter((line) => line.endsWith('full')).length).toBe(31);
    finish({ ok: true });
    const admitted = (await Promise.all(answers)).filter(Boolean);
    expect(admitted.length).toBe(10);
    expect(admission.slots.used).toBe(10);
  });

  it('reports that it is full before the last answer goes out, and that it is open when a call ends', async () => {
    const { admission, log } = setUp(2);
    await admission.admit('a');
    await admission.admit('b');
    expect(log).toEqual(['+a', 'full', '+b']);
    admission.start('a');
    admission.release('a');
    expect(log.at(-1)).toBe('open');
    expect(await admission.admit('c')).toBe(true);
  });

  it('keeps a slot that has just become free for those who wait for one', async () => {
    const { admission, log, clock } = setUp(1);
    const asked: string[] = [];
    const offer = (job: string, isTurn: boolean) =>
      admission.admit(job, async () => {
        asked.push(job);
        return isTurn;
      });
    // Nobody waits for a slot that has been free.
    expect(await offer('a', false)).toBe(true);
    expect(await offer('b', true)).toBe(false);
    expect(asked).toEqual([]);
    admission.release('a');
    expect(await offer('late', false)).toBe(false);
    expect(await offer('first', true)).toBe(true);
    expect(asked).toEqual(['late', 'first']);
    expect(log.slice(-4)).toEqual(['open', '-late line', 'full', '+first']);
    admission.release('first');
    await clock.pass(2_000);
    // Who waited would have come by now.
    expect(await offer('later', false)).toBe(true);
  });

  it('asks whose turn it is only for a slot that there is, and that it would give', async () => {
    const { admission, log } = setUp(1);
    let asked = 0;
    const offer = (job: string) =>
      admission.admit(job, async () => {
        asked += 1;
        return false;
      });
    await admission.admit('a');
    admission.release('a');
    await admission.admit('b');
    expect(await offer('c')).toBe(false);
    admission.release('b');
    admission.drain();
    expect(await offer('d')).toBe(false);
    expect(asked).toBe(0);
    expect(log.filter((line) => line.startsWith('-'))).toEqual(['-c full', '-d draining']);
  });

  it('promises no slot to a job that asked whose turn it is while the drain began', async () => {
    const { admission, log } = setUp(1);
    await admission.admit('a');
    admission.release('a');
    log.length = 0;
    const answer = admission.admit('b', async () => {
      admission.drain();
      return true;
    });
    expect(await answer).toBe(false);
    expect(log).toEqual(['-b draining']);
  });

  it('needs nobody who listens', async () => {
    const { admission, clock } = setUp(1);
    const alone = new JobAdmission(new CallSlots(1), admission.protection, clock);
    expect(await alone.admit('a')).toBe(true);
    expect(await alone.admit('b')).toBe(false);
    alone.release('a');
    alone.drain();
    expect(await alone.admit('c')).toBe(false);
  });

  it('is not open because a job has gone that held no slot, or one too many', async () => {
    const { admission, log } = setUp(1);
    await admission.admit('a');
    // It had expired, and came all the same.
    admission.start('b');
    log.length = 0;
    admission.release('unknown');
    admission.release('b');
    expect(log).toEqual([]);
    admission.release('a');
    expect(log).toEqual(['open']);
  });

  it('that was not full is not open once more when a call ends', async () => {
    const { admission, log } = setUp(2);
    await admission.admit('a');
    admission.release('a');
    expect(log).toEqual(['+a']);
  });

  it('does not let the protection go for a job that it did not hold', async () => {
    const { admission, clock } = setUp(2, async () => ({ ok: true }));
    await admission.admit('a');
    admission.release('unknown');
    await clock.pass(60 * 60_000);
    expect(admission.protection.confirmed).toBe(true);
    admission.release('a');
    admission.release('a');
    await admission.admit('b');
    await clock.pass(60 * 60_000);
    expect(admission.protection.confirmed).toBe(true);
  });

  it('does not promise a slot to two while it asks whose turn it is', async () => {
    const { admission } = setUp(1);
    await admission.admit('a');
    admission.release('a');
    const answers = await Promise.all(jobs(5).map((job) => admission.admit(job, async () => true)));
    expect(answers.filter(Boolean).length).toBe(1);
  });

  it.each<[string, () => Promise<ProtectionResult>, number]>([
    ['blocks it', async () => ({ ok: false, reason: 'DEPLOYMENT_BLOCKED', rejected: true }), 0],
    ['fails', async () => ({ ok: false, reason: 'http_500', rejected: false }), 0],
    ['does not answer', () => new Promise(() => {}), 500],
  ])('takes a job without protection when ECS %s, soon, and says so', async (_, answer, ms) => {
    const { admission, clock, log } = setUp(3, answer);
    const answers = jobs(3).map(async (job) => {
      const admitted = await admission.admit(job);
      return [admitted, clock.now()];
    });
    await clock.pass(10_000);
    expect(await Promise.all(answers)).toEqual(Array(3).fill([true, ms]));
    expect(log.filter((line) => line.endsWith(' unprotected')).length).toBe(3);
    expect(admission.slots.used).toBe(3);
  });

  it.each(['superseded', 'surplus'] as const)(
    'rejects while %s, and takes jobs again after',
    async (standing) => {
      const { admission, log } = setUp(2);
      await admission.admit('running');
      admission.standing = standing;
      expect(admission.refusal).toBe(standing);
      expect(await admission.admit('late')).toBe(false);
      expect(admission.draining).toBe(false);
      admission.standing = 'current';
      expect(await admission.admit('again')).toBe(true);
      expect(log).toEqual(['+running', `-late ${standing}`, 'full', '+again']);
    },
  );

  it('rejects a job that was waiting for ECS when the task was superseded', async () => {
    const { admission, clock } = setUp(2, () => new Promise(() => {}));
    const waiting = admission.admit('waiting');
    admission.standing = 'superseded';
    await clock.pass(500);
    expect(await waiting).toBe(false);
    expect(admission.slots.used).toBe(0);
  });

  it('rejects while draining, also a job that was waiting for ECS when the drain started', async () => {
    let finish: (answer: ProtectionResult) => void = () => {};
    const { admission, log } = setUp(5, () => new Promise((resolve) => (finish = resolve)));
    const waiting = admission.admit('waiting');
    await settle();
    admission.drain();
    expect(await admission.admit('late')).toBe(false);
    finish({ ok: true });
    expect(await waiting).toBe(false);
    expect(log).toEqual(['-late draining', '-waiting draining']);
    expect(admission.slots.used).toBe(0);
  });

  it('protects a call that starts after its job expired', async () => {
    let asked = 0;
    const { clock, admission } = setUp(1, async () => {
      asked += 1;
      return { ok: true };
    });
    admission.start('late');
    await settle();
    expect(admission.protection.confirmed).toBe(true);
    expect(asked).toBe(1);
    // Held, so renewed, until the call has ended.
    await clock.pass(60 * 60_000);
    expect(admission.protection.confirmed).toBe(true);
    admission.release('late');
    await clock.pass(60_000);
    expect(admission.protection.confirmed).toBe(false);
  });

  it('expires a job that LiveKit never assigns, but not one that is running', async () => {
    const { clock, admission } = setUp(2);
    await admission.admit('lost');
    await admission.admit('there');
    admission.start('there');
    await clock.pass(20_000);
    expect(admission.expire(20_000)).toEqual([]);
    await clock.pass(1_000);
    expect(admission.expire(20_000)).toEqual(['lost']);
    expect(admission.slots.used).toBe(1);
  });
});
