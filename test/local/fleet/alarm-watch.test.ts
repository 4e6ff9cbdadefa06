// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import type { ServiceSettings } from '../../../local/fleet/ecs-model.js';
import { definition, fakeService, shortId } from '../../support/ecs-service.js';

const FIRST = definition('agent:1');
const SECOND = definition('agent:2');
const SECOND_MS = 1_000;

describe('deployment alarms', () => {
  const MINUTE = 60_000;
  const alarms = { names: ['errors', 'crashes'], bakeMs: 10 * MINUTE };
  /** A service whose first deployment is COMPLETED. */
  const steady = async (settings: ServiceSettings = {}) => {
    const service = fakeService({ alarms, ...settings });
    service.scheduler.update({ desired: 2, definition: FIRST });
    await service.clock.pass(2 * SECOND_MS + alarms.bakeMs);
    expect(service.scheduler.primary.rolloutState).toBe('COMPLETED');
    return { ...service, live: () => service.scheduler.live().map(shortId) };
  };

  it('let a deployment be COMPLETED only when the bake time is over', async () => {
    const { clock, scheduler, log } = await steady();
    scheduler.update({ definition: SECOND });
    await clock.pass(4 * SECOND_MS);
    expect(log.filter((line) => line.startsWith('stop'))).toHaveLength(2);
    await clock.pass(alarms.bakeMs - 5 * SECOND_MS);
    expect(scheduler.primary).toMatchObject({ definition: SECOND, rolloutState: 'IN_PROGRESS' });
    await clock.pass(5 * SECOND_MS);
    expect(scheduler.primary).toMatchObject({ definition: SECOND, rolloutState: 'COMPLETED' });
  });

  it.each([
    ['before the new tasks are healthy', 0, false],
    ['in the bake time', 9 * MINUTE, false],
    ['in the bake time, with a deployment of its own', 9 * MINUTE, true],
  ])(
    'roll a deployment back when one goes off %s',
    async (_, afterMs, rollbackCreatesDeployment) => {
      const { clock, live, scheduler } = await steady({ rollbackCreatesDeployment });
      scheduler.update({ definition: SECOND });
      await clock.pass(afterMs);
      const bad = scheduler.primary;
      scheduler.setAlarm('crashes', 'ALARM');
      expect(bad.rolloutState).toBe('FAILED');
      expect(scheduler.primary.definition).toBe(FIRST);
      expect(bad.rolloutStateReason).toMatch(/^ECS deployment alarm: crashes is in ALARM/);
      expect(scheduler.events.map(({ text }) => text)).toContain(
        `rolling back to ${scheduler.primary.id}`,
      );
      // The alarm is still in ALARM: the way back is not watched, and has no bake time.
      await clock.pass(10 * SECOND_MS);
      expect(scheduler.primary.rolloutState).toBe('COMPLETED');
      expect(live()).toHaveLength(2);
      for (const task of scheduler.live()) expect(task.definition).toBe(FIRST);
    },
  );

  it('do nothing after the deployment, nor for alarms that are not named', async () => {
    const { clock, scheduler } = await steady();
    scheduler.update({ definition: SECOND });
    scheduler.setAlarm('other', 'ALARM');
    await clock.pass(11 * MINUTE);
    scheduler.setAlarm('errors', 'ALARM');
    expect(scheduler.primary).toMatchObject({ definition: SECOND, rolloutState: 'COMPLETED' });
  });

  it.each([
    [false, 'is watched by none'],
    [true, 'is watched by the others'],
  ])(
    'leave a fix alone: a deployment that starts in ALARM (others are watched: %s) %s',
    async (watchOthers) => {
      const { clock, scheduler } = await steady({ alarms: { ...alarms, watchOthers } });
      scheduler.setAlarm('errors', 'ALARM');
      scheduler.update({ definition: SECOND });
      const fix = scheduler.primary;
      await clock.pass(MINUTE);
      scheduler.setAlarm('errors', 'OK');
      scheduler.setAlarm('errors', 'ALARM');
      expect(fix.rolloutState).toBe(watchOthers ? 'IN_PROGRESS' : 'COMPLETED');
      scheduler.setAlarm('crashes', 'ALARM');
      expect(fix.rolloutState).toBe(watchOthers ? 'FAILED' : 'COMPLETED');
    },
  );

  it('without a rollback only fail it: it starts no more tasks', async () => {
    const { clock, live, scheduler } = await steady({ alarms: { ...alarms, rollback: false } });
    scheduler.update({ definition: SECOND });
    await clock.pass(MINUTE);
    scheduler.setAlarm('errors', 'ALARM');
    expect(scheduler.primary).toMatchObject({ definition: SECOND, rolloutState: 'FAILED' });
    const [task] = scheduler.live();
    if (task) scheduler.exited(task, 1);
    await clock.pass(MINUTE);
    expect(live()).toHaveLength(1);
  });
});
