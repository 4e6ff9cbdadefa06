// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import type { EcsTask, ServiceSettings } from '../../../local/fleet/ecs-model.js';
import { EcsScheduler } from '../../../local/fleet/ecs-scheduler.js';
import { definition, fakeService, shortId } from '../../support/ecs-service.js';
import { ManualClock } from '../../support/manual-clock.js';

const FIRST = definition('agent:1');
const SECOND = definition('agent:2');
const SECOND_MS = 1_000;

async function serviceOf(desired: number, settings: ServiceSettings = {}) {
  const service = fakeService(settings);
  service.scheduler.update({ desired, definition: FIRST });
  await service.clock.pass(2 * SECOND_MS);
  const task = (id: string) => service.scheduler.tasks.find((t) => shortId(t) === id) as EcsTask;
  const live = () => service.scheduler.live().map(shortId);
  return { ...service, task, live };
}

describe('a service', () => {
  it('starts as many tasks as are desired, and replaces one that ends', async () => {
    const { clock, live, log, scheduler, task } = await serviceOf(2);
    expect(live()).toEqual(['t1', 't2']);
    expect(scheduler.primary.rolloutState).toBe('COMPLETED');
    scheduler.exited(task('t1'), 1);
    await clock.pass(0);
    expect(live()).toEqual(['t2', 't3']);
    expect(log).toEqual(['start t1', 'start t2', 'start t3']);
  });

  it('gives its tasks ids that no task of another service has', async () => {
    const ids = ['one', 'two'].map((name) => {
      const clock = new ManualClock();
      const runner = { start() {}, stop() {}, kill() {}, checkHealth: async () => true };
      const scheduler = new EcsScheduler(name, clock, runner);
      scheduler.update({ desired: 2, definition: FIRST });
      return scheduler.tasks.map(({ id }) => id);
    });
    expect(new Set(ids.flat()).size).toBe(4);
  });

  it('takes its time to start a task', async () => {
    const { clock, scheduler, task } = await serviceOf(1, { startMs: () => 40_000 });
    expect(task('t1').status).toBe('PENDING');
    await clock.pass(38_000);
    expect(scheduler.live()[0]?.status).toBe('RUNNING');
  });

  it.each([
    ['newest', ['t1', 't3']],
    ['oldest', ['t3', 't4']],
  ] as const)('scales in by the %s tasks that are not protected', async (scaleIn, left) => {
    const { live, log, scheduler, task } = await serviceOf(4, { scaleIn });
    scheduler.protect(task('t3'), true);
    scheduler.update({ desired: 2 });
    expect(live()).toEqual(left);
    expect(log).not.toContain('stop t3');
  });

  it('stops no protected task, until its protection is released or expires', async () => {
    const { clock, live, scheduler, task } = await serviceOf(2);
    scheduler.protect(task('t1'), true, 1);
    scheduler.protect(task('t2'), true, 1);
    scheduler.update({ desired: 0 });
    expect(live()).toEqual(['t1', 't2']);
    scheduler.protect(task('t1'), false);
    expect(live()).toEqual(['t2']);
    await clock.pass(60_000);
    expect(live()).toEqual([]);
  });

  it('kills a task that does not end within stopTimeout', async () => {
    const { clock, log, scheduler, task } = await serviceOf(1);
    scheduler.update({ desired: 0 });
    await clock.pass(119_000);
    expect(log.at(-1)).toBe('stop t1');
    await clock.pass(1_000);
    expect(log.at(-1)).toBe('kill t1');
    expect(task('t1').killed).toBe(true);
  });

  it('replaces an unhealthy task, also a protected one', async () => {
    const { clock, live, scheduler, sick, task } = await serviceOf(1);
    scheduler.protect(task('t1'), true);
    sick.add('t1');
    await clock.pass(3 * SECOND_MS);
    expect(live()).toEqual(['t2']);
  });

  it('counts a task without a health check as healthy 40 s after it runs', async () => {
    const { clock, scheduler } = fakeService();
    const { healthCheck: _, ...without } = FIRST;
    scheduler.update({ desired: 1, definition: without });
    await clock.pass(39_000);
    expect(scheduler.tasks[0]?.health).toBe('UNKNOWN');
    await clock.pass(1_000);
    expect(scheduler.tasks[0]?.health).toBe('HEALTHY');
  });
});

describe('protection', () => {
  it('is blocked when more tasks would be protected than are desired', async () => {
    const { clock, scheduler, task } = await serviceOf(2);
    scheduler.protect(task('t1'), true);
    scheduler.protect(task('t2'), true);
    scheduler.update({ forceNewDeployment: true });
    await clock.pass(0);
    expect(scheduler.protect(task('t3'), true)).toEqual({ failure: 'DEPLOYMENT_BLOCKED' });
    scheduler.protect(task('t1'), false);
    expect(scheduler.protect(task('t3'), true)).toMatchObject({ protected: true });
  });

  it.each([
    [false, { protected: true }],
    [true, { failure: 'DEPLOYMENT_BLOCKED' }],
  ])(
    'when fewer tasks are desired is blocked for renewals too: %s',
    async (renewalBlocked, out) => {
      const { scheduler, task } = await serviceOf(2, { renewalBlocked });
      scheduler.protect(task('t1'), true);
      scheduler.protect(task('t2'), true);
      scheduler.update({ desired: 1 });
      expect(scheduler.protect(task('t1'), true)).toMatchObject(out);
      expect(task('t1').protected).toBe(true);
    },
  );

  it('lasts 120 minutes unless told otherwise, counted anew with each request', async () => {
    const { clock, scheduler, task } = await serviceOf(1);
    scheduler.protect(task('t1'), true);
    await clock.pass(60 * 60_000);
    scheduler.protect(task('t1'), true);
    await clock.pass(119 * 60_000);
    expect(task('t1').protected).toBe(true);
    await clock.pass(60_000);
    expect(task('t1').protected).toBe(false);
  });

  it.each([0, 2_881, 1.5])('cannot last %d minutes', async (minutes) => {
    const { scheduler, task } = await serviceOf(1);
    expect(() => scheduler.protect(task('t1'), true, minutes)).toThrow('expiresInMinutes');
  });

  it('is for tasks that run', async () => {
    const { scheduler, task } = await serviceOf(1);
    scheduler.update({ desired: 0 });
    expect(scheduler.protect(task('t1'), true)).toEqual({ failure: 'TASK_NOT_VALID' });
  });
});

describe('a deployment', () => {
  it('stops old tasks one for each new one that is healthy', async () => {
    const { clock, live, log, scheduler, sick } = await serviceOf(2);
    sick.add('t4');
    scheduler.update({ definition: SECOND });
    await clock.pass(0);
    expect(live()).toEqual(['t1', 't2', 't3', 't4']);
    await clock.pass(SECOND_MS);
    expect(log.filter((line) => line.startsWith('stop'))).toEqual(['stop t2']);
    sick.clear();
    await clock.pass(SECOND_MS);
    expect(live()).toEqual(['t3', 't4']);
  });

  it.each([
    [100, 200, ['t1', 't2', 't3', 't4', 't5', 't6', 't7', 't8']],
    [100, 150, ['t1', 't2', 't3', 't4', 't5', 't6']],
    [50, 100, ['t1', 't2', 't5', 't6']],
  ])('keeps %d percent healthy and %d percent at most', async (min, max, tasks) => {
    const { clock, live, scheduler } = await serviceOf(4, {
      minimumHealthyPercent: min,
      maximumPercent: max,
    });
    scheduler.update({ definition: SECOND });
    await clock.pass(0);
    expect(live()).toEqual(tasks);
  });

  it('tells a protected task nothing, and is not COMPLETED before it has left', async () => {
    const { clock, log, scheduler, task } = await serviceOf(1);
    scheduler.protect(task('t1'), true);
    scheduler.update({ forceNewDeployment: true });
    await clock.pass(60_000);
    expect(log).toEqual(['start t1', 'start t2']);
    expect(scheduler.primary.rolloutState).toBe('IN_PROGRESS');
    scheduler.protect(task('t1'), false);
    expect(log.at(-1)).toBe('stop t1');
    expect(scheduler.primary.rolloutState).toBe('COMPLETED');
    expect(scheduler.deployments).toHaveLength(2);
    scheduler.exited(task('t1'), 0);
    expect(scheduler.deployments).toHaveLength(1);
  });

  it.each([
    [false, 'COMPLETED'],
    [true, 'IN_PROGRESS'],
  ] as const)(
    'with early success, delayed by protected tasks: %s, is %s when its tasks are healthy',
    async (protectedTasksDelaySuccess, state) => {
      const { clock, scheduler, task } = await serviceOf(1, {
        earlySuccessPercent: 100,
        protectedTasksDelaySuccess,
      });
      scheduler.protect(task('t1'), true);
      scheduler.update({ forceNewDeployment: true });
      expect(scheduler.primary.rolloutState).toBe('IN_PROGRESS');
      await clock.pass(SECOND_MS);
      expect(scheduler.primary.rolloutState).toBe(state);
    },
  );

  it('has another id than the one before, also with the same task definition', async () => {
    const { scheduler } = await serviceOf(1);
    const before = scheduler.primary;
    scheduler.update({ forceNewDeployment: true });
    expect(scheduler.primary.id).not.toBe(before.id);
    expect(scheduler.primary.definition).toBe(before.definition);
    const forced = scheduler.primary;
    scheduler.update({ desired: 2 });
    expect(scheduler.primary).toBe(forced);
  });

  it('is refused while five have not ended', async () => {
    const { clock, scheduler, task } = await serviceOf(5);
    for (const id of ['t1', 't2', 't3', 't4', 't5']) scheduler.protect(task(id), true);
    for (let i = 0; i < 4; i++) {
      scheduler.update({ forceNewDeployment: true });
      // One of each stays: it is busy.
      await clock.pass(0);
    }
    expect(() => scheduler.update({ forceNewDeployment: true })).toThrow(
      '5 active deployments exist, unable to create new deployment.',
    );
    expect(() => scheduler.update({ desired: 4 })).not.toThrow();
  });
});

describe('the circuit breaker', () => {
  const breaker = { circuitBreaker: { enable: true, rollback: true } };

  it.each([
    [false, 'the earlier deployment is primary again'],
    [true, 'a new deployment of the earlier task definition is'],
  ])('rolls back after three failed tasks: %s, %s', async (rollbackCreatesDeployment) => {
    const { clock, live, log, scheduler, sick } = await serviceOf(2, {
      ...breaker,
      rollbackCreatesDeployment,
    });
    const first = scheduler.primary;
    sick.add(SECOND.name);
    scheduler.update({ definition: SECOND });
    await clock.pass(60_000);
    expect(scheduler.primary === first).toBe(!rollbackCreatesDeployment);
    expect(scheduler.primary.definition).toBe(FIRST);
    const healthy = live().length;
    expect(healthy).toBe(2);
    if (!rollbackCreatesDeployment) expect(log).not.toContain('stop t1');
  });

  it('also counts tasks that exit before they were healthy', async () => {
    const { clock, scheduler } = await serviceOf(1, breaker);
    scheduler.update({ definition: SECOND });
    for (let i = 0; i < 3; i++) {
      await clock.pass(0);
      const [task] = scheduler.live(scheduler.primary) as [EcsTask];
      scheduler.exited(task, 1);
    }
    expect(scheduler.primary.definition).toBe(FIRST);
  });

  it('forgets failed tasks once one is healthy, and acts no more on a COMPLETED deployment', async () => {
    const { clock, scheduler, sick } = await serviceOf(2, { ...breaker, earlySuccessPercent: 50 });
    sick.add('t3');
    scheduler.update({ definition: SECOND });
    await clock.pass(2 * SECOND_MS);
    expect(scheduler.primary).toMatchObject({ failedTasks: 0, rolloutState: 'COMPLETED' });
    sick.add(SECOND.name);
    await clock.pass(10 * 60_000);
    expect(scheduler.primary.definition).toBe(SECOND);
  });

  it('is off unless it is enabled', async () => {
    const { clock, scheduler, sick } = await serviceOf(1);
    sick.add(SECOND.name);
    scheduler.update({ definition: SECOND });
    await clock.pass(10 * 60_000);
    expect(scheduler.primary.definition).toBe(SECOND);
  });
});
