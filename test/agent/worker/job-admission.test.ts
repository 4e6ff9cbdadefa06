// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { TaskProtection } from '../../../agent/src/ecs/task-protection.js';
import type { ProtectionAnswer } from '../../../agent/src/ecs/task-protection-endpoint.js';
import { SessionSlots } from '../../../agent/src/worker/call-slots.js';
import { JobGate } from '../../../agent/src/worker/job-admission.js';
import { ManualClock, settle } from '../../support/manual-clock.js';

function setUp(total: number, answer?: () => Promise<ProtectionAnswer>) {
  const clock = new ManualClock();
  const log: string[] = [];
  const protection = new TaskProtection(answer && { setProtection: answer }, clock);
  const gate = new JobGate(new SessionSlots(total), protection, clock, {
    onFull: (full) => log.push(full ? 'full' : 'open'),
    onAccepted: (job) => log.push(`+${job}`),
    onRefused: (job, reason) => log.push(`-${job} ${reason}`),
  });
  return { clock, gate, log };
}

const jobs = (n: number) => Array.from({ length: n }, (_, i) => `j${i}`);

describe('JobGate', () => {
  it('never admits one more than its slots, however many come at once and however slow ECS is', async () => {
    let finish: (answer: ProtectionAnswer) => void = () => {};
    const { gate, log } = setUp(10, () => new Promise((resolve) => (finish = resolve)));
    const answers = jobs(40).map((job) => gate.admit(job));
    await settle();
    // The thirty that do not fit are refused while ECS still thinks about the first ten.
    expect(log.filter((line) => line.endsWith('full')).length).toBe(31);
    finish({ ok: true });
    const admitted = (await Promise.all(answers)).filter(Boolean);
    expect(admitted.length).toBe(10);
    expect(gate.slots.used).toBe(10);
  });

  it('tells LiveKit that it is full before the last answer goes out, and that it is open when a call ends', async () => {
    const { gate, log } = setUp(2);
    await gate.admit('a');
    await gate.admit('b');
    expect(log).toEqual(['+a', 'full', '+b']);
    gate.begin('a');
    gate.leave('a');
    expect(log.at(-1)).toBe('open');
    expect(await gate.admit('c')).toBe(true);
  });

  it('refuses without protection, and gives the slots back', async () => {
    const { gate, log } = setUp(2, async () => ({
      ok: false,
      reason: 'DEPLOYMENT_BLOCKED',
      sure: true,
    }));
    expect(await Promise.all(jobs(3).map((job) => gate.admit(job)))).toEqual([false, false, false]);
    expect(log.filter((line) => line.includes('protection')).length).toBe(2);
    expect(gate.slots.used).toBe(0);
  });

  it('refuses while draining, also a job that was waiting for ECS when the drain began', async () => {
    let finish: (answer: ProtectionAnswer) => void = () => {};
    const { gate, log } = setUp(5, () => new Promise((resolve) => (finish = resolve)));
    const waiting = gate.admit('waiting');
    await settle();
    gate.drain();
    expect(await gate.admit('late')).toBe(false);
    finish({ ok: true });
    expect(await waiting).toBe(false);
    expect(log).toEqual(['-late draining', '-waiting draining']);
    expect(gate.slots.used).toBe(0);
  });

  it('protects a call that begins although its job was given up', async () => {
    let asked = 0;
    const { clock, gate } = setUp(1, async () => {
      asked += 1;
      return { ok: true };
    });
    gate.begin('late');
    await settle();
    expect(gate.protection.confirmed).toBe(true);
    expect(asked).toBe(1);
    // Held, so renewed, until the call has ended.
    await clock.pass(60 * 60_000);
    expect(gate.protection.confirmed).toBe(true);
    gate.leave('late');
    await clock.pass(60_000);
    expect(gate.protection.confirmed).toBe(false);
  });

  it('gives up a job that LiveKit never sends, but not one that is running', async () => {
    const { clock, gate } = setUp(2);
    await gate.admit('lost');
    await gate.admit('there');
    gate.begin('there');
    await clock.pass(21_000);
    expect(gate.sweep(20_000)).toEqual(['lost']);
    expect(gate.slots.used).toBe(1);
  });
});
