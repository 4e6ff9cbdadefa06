// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import type { ServiceSettings } from '../../../local/fleet/ecs-model.js';
import { GOOD, SimulatedService, type SimulationOptions } from './simulated-service.js';

/** What is unverified about ECS: the service must hold whatever it is. */
const UNVERIFIED: [string, ServiceSettings][] = [
  ['ECS as documented', {}],
  ['renewal of protection refused', { renewalBlocked: true }],
  ['early success delayed by protected tasks', { protectedTasksDelaySuccess: true }],
  ['oldest stopped first', { scaleIn: 'oldest', renewalBlocked: true }],
];

/** Longest call, the time between two reads with its jitter, and a minute. */
const GONE_S = 60 + 72 + 60;

async function running(desired: number, calls: number, options: SimulationOptions = {}) {
  const service = new SimulatedService(options);
  await service.begin(desired, calls);
  expect(service.refused).toEqual([]);
  expect(service.calls.length).toBeGreaterThan(calls);
  return service;
}

describe.each(UNVERIFIED)('with %s', (_, settings) => {
  it('a rolling deployment cuts no call, loses no caller, and replaces the old tasks', async () => {
    const service = await running(2, 8, { settings });
    const old = service.scheduler.primary;
    service.scheduler.update({ forceNewDeployment: true });
    await service.pass(60);
    const healthyAt = service.clock.now();
    // Early success delayed: the tasks must have been running for two minutes, as three reads see them.
    const settleS = settings.protectedTasksDelaySuccess ? 3 * 72 : 72;
    await service.pass(settleS + GONE_S);
    expect(service.scheduler.deployments.map(({ id }) => id)).not.toContain(old.id);
    expect(service.scheduler.primary.rolloutState).toBe('COMPLETED');
    const late = service.calls.filter(
      ({ at, deployment }) => deployment === old.id && at > healthyAt + settleS * 1_000,
    );
    expect(late).toEqual([]);
    expect([service.cut, service.refused]).toEqual([[], []]);
  });

  it.each([2, 6])(
    'from the moment all new ones of %d tasks take calls none goes to old code, also while alarms watch the deployment',
    async (tasks) => {
      for (const bakeMs of [0, 600_000]) {
        const all = { ...settings, alarms: { names: ['StreamErrors'], bakeMs } };
        const service = await running(tasks, 4 * tasks, { settings: all });
        await service.pass(bakeMs / 1_000);
        const { old, healthyAt } = await deployed(service);
        const late = service.calls.filter(
          ({ at, deployment }) => deployment === old.id && at > healthyAt,
        );
        expect(late).toEqual([]);
        expect([service.cut, service.refused]).toEqual([[], []]);
      }
    },
  );

  it('a broken revision is rolled back, and the tasks that were there answer every caller', async () => {
    for (const rollbackCreatesDeployment of [false, true]) {
      const circuitBreaker = { enable: true, rollback: true };
      const all = { ...settings, circuitBreaker, rollbackCreatesDeployment };
      const service = await running(2, 8, { settings: all });
      service.broken.add('agent:2');
      service.scheduler.update({ definition: { ...GOOD, name: 'agent:2' } });
      await service.pass(15 * 60);
      expect(service.scheduler.events.some(({ text }) => /rolling back/.test(text))).toBe(true);
      expect(service.scheduler.primary.definition).toBe(GOOD);
      expect(service.scheduler.primary.rolloutState).toBe('COMPLETED');
      expect([service.cut, service.refused]).toEqual([[], []]);
    }
  });

  it('a version whose calls go wrong is rolled back by an alarm, and no call is cut', async () => {
    for (const rollbackCreatesDeployment of [false, true]) {
      const alarms = { names: ['StreamErrors'], bakeMs: 600_000 };
      const all = { ...settings, alarms, rollbackCreatesDeployment };
      const service = await running(2, 8, { settings: all });
      await service.pass(600);
      expect(service.scheduler.primary.rolloutState).toBe('COMPLETED');
      service.scheduler.update({ definition: { ...GOOD, name: 'agent:2' } });
      await service.pass(300);
      const bad = service.scheduler.primary;
      expect(bad.rolloutState).toBe('IN_PROGRESS');
      service.scheduler.setAlarm('StreamErrors', 'ALARM');
      await service.pass(120 + 3 * 72 + GONE_S);
      const { primary } = service.scheduler;
      expect([primary.definition, primary.rolloutState]).toEqual([GOOD, 'COMPLETED']);
      expect(service.scheduler.live(bad)).toEqual([]);
      expect([service.cut, service.refused]).toEqual([[], []]);
    }
  });

  it('in the evening desired falls from 4 to 1 under 25 calls, and none is cut', async () => {
    const service = await running(4, 25, { settings, callS: [120, 600] });
    for (const desired of [3, 2, 1]) {
      await service.pass(5 * 60);
      service.scheduler.update({ desired });
    }
    await service.pass(10 * 60);
    service.endArrivals();
    await service.pass(3 * 3_600);
    expect(service.cut).toEqual([]);
    expect(service.scheduler.live()).toHaveLength(1);
    // The one that is left takes calls.
    const [left] = service.scheduler.live();
    expect(left && service.workers.get(left)?.admission.refusal).toBeUndefined();
  });

  it.each([10, 45, 120])(
    'six deployments in a row, %d s apart, cut no call, and the last one is what runs',
    async (apartS) => {
      const service = await running(2, 8, { settings });
      for (let i = 0; i < 6; i++) {
        while (!deploy(service)) await service.pass(30);
        await service.pass(apartS);
      }
      const last = service.scheduler.primary;
      await service.pass(3 * 72 + GONE_S);
      expect(service.scheduler.deployments).toEqual([last]);
      expect(last.rolloutState).toBe('COMPLETED');
      expect([service.cut, service.refused]).toEqual([[], []]);
    },
  );
});

/** A forced deployment, until some minutes after all its tasks were healthy. */
async function deployed(service: SimulatedService) {
  const old = service.scheduler.primary;
  service.scheduler.update({ forceNewDeployment: true });
  const fresh = () => service.scheduler.live(service.scheduler.primary);
  while (!fresh().every(({ health }) => health === 'HEALTHY')) await service.pass(1);
  const healthyAt = service.clock.now();
  await service.pass(5 * 60);
  return { old, healthyAt };
}

/** False when ECS refuses it, because five have not ended. */
function deploy(service: SimulatedService): boolean {
  try {
    service.scheduler.update({ forceNewDeployment: true });
    return true;
  } catch {
    return false;
  }
}

describe('a canary, which is a second stack with the same agent name', () => {
  /** Nine tasks with 40 calls, and one beside them. */
  const withCanary = async (broken = false) => {
    const service = await running(9, 40);
    const canary = new SimulatedService({ beside: service });
    if (broken) canary.broken.add('agent:2');
    canary.scheduler.update({ desired: 1, definition: { ...GOOD, name: 'agent:2' } });
    await service.pass(5 * 60);
    const from = service.clock.now();
    await service.pass(30 * 60);
    const calls = service.calls.filter(({ at }) => at >= from);
    const tasks = new Set(canary.scheduler.tasks.map(({ id }) => id));
    const onCanary = calls.filter(({ task }) => task !== undefined && tasks.has(task));
    return { service, canary, share: onCanary.length / calls.length };
  };

  it('gets about a tenth of the calls beside nine tasks', async () => {
    const { service, share } = await withCanary();
    expect(share).toBeGreaterThan(0.07);
    expect(share).toBeLessThan(0.13);
    expect([service.cut, service.refused]).toEqual([[], []]);
  });

  it('that never registers costs no caller the answer', async () => {
    const { service, share } = await withCanary(true);
    expect(share).toBe(0);
    expect([service.cut, service.refused]).toEqual([[], []]);
  });

  it('that takes no new calls ends without cutting one', async () => {
    const { service, canary } = await withCanary();
    // A deployment with another agent name: its new task gets no calls, and the old one leaves with its last.
    canary.broken.add('agent:3');
    canary.scheduler.update({ desired: 0 });
    await service.pass(3 * 72 + GONE_S);
    expect(canary.scheduler.live()).toEqual([]);
    expect([service.cut, service.refused]).toEqual([[], []]);
  });
});

describe('an ECS endpoint that', () => {
  it.each([
    ['takes 4 s', { delayMs: 4_000 }],
    ['hangs', { answer: 'hang' }],
    ['answers 500', { answer: 'error' }],
  ] as const)('%s loses no caller, and delays none', async (_, faults) => {
    const service = new SimulatedService({ faults });
    await service.begin(2, 8);
    await service.pass(30 * 60);
    expect([service.cut, service.refused]).toEqual([[], []]);
    const waits = service.calls.map(({ answeredMs }) => answeredMs);
    expect(waits.reduce((sum, ms) => sum + ms, 0) / waits.length).toBeLessThan(200);
    expect(Math.max(...waits)).toBeLessThanOrEqual(1_500);
  });

  it('fails only for a while is relied on again', async () => {
    const service = await running(2, 8, { faults: { answer: 'error' } });
    await service.pass(30 * 60);
    service.ecs.faults = {};
    await service.pass(12 * 60);
    const from = service.clock.now();
    await service.pass(60);
    const since = service.calls.filter(({ at }) => at >= from);
    expect(since.length).toBeGreaterThan(5);
    expect(since.filter(({ unprotected }) => unprotected)).toEqual([]);
  });
});

describe('a task of the new deployment', () => {
  it('takes calls while protected old tasks leave it no protection, and is protected when they have left', async () => {
    const service = await running(2, 8);
    service.scheduler.update({ forceNewDeployment: true });
    await service.pass(300);
    const unprotected = service.calls.filter((call) => call.unprotected);
    expect(unprotected.length).toBeGreaterThan(0);
    expect(new Set(unprotected.map(({ deployment }) => deployment))).toEqual(
      new Set([service.scheduler.primary.id]),
    );
    for (const task of service.scheduler.live()) expect(task.protected).toBe(true);
  });
});

describe('the ECS API', () => {
  it('is asked at most once a task and minute, through deployments and scale-in', async () => {
    const service = await running(4, 20);
    service.scheduler.update({ forceNewDeployment: true });
    await service.pass(10 * 60);
    service.scheduler.update({ desired: 2 });
    await service.pass(20 * 60);
    let reads = 0;
    for (const worker of service.workers.values()) {
      reads += worker.reads.length;
      const gaps = worker.reads.slice(1).map((at, i) => at - (worker.reads[i] ?? 0));
      for (const gap of gaps) expect(gap).toBeGreaterThanOrEqual(60_000);
    }
    expect(reads).toBeGreaterThan(50);
  });
});

describe('where the tasks tell each other nothing', () => {
  it('they go on with old code until each has asked ECS: the tests above would notice', async () => {
    const service = await running(2, 8, { presence: false });
    const { old, healthyAt } = await deployed(service);
    const late = service.calls.filter(
      ({ at, deployment }) => deployment === old.id && at > healthyAt,
    );
    expect(late.length).toBeGreaterThan(0);
    for (const { at } of late) expect(at - healthyAt).toBeLessThanOrEqual(72_000);
    expect([service.cut, service.refused]).toEqual([[], []]);
  });
});

describe('without the deployment watch', () => {
  it('a busy service is never replaced: the tests above would notice', async () => {
    const service = await running(2, 12, { watch: false });
    const old = service.scheduler.primary;
    service.scheduler.update({ forceNewDeployment: true });
    await service.pass(3_600);
    expect(service.scheduler.live(old).length).toBeGreaterThan(0);
    const late = service.calls.slice(-100).filter(({ deployment }) => deployment === old.id);
    expect(late.length).toBeGreaterThan(20);
  });
});
