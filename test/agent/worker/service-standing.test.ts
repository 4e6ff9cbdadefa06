// SPDX-License-Identifier: Apache-2.0

import { beforeAll, describe, expect, it } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import type { ServiceReading } from '../../../agent/src/ecs/service-api.js';
import { TaskProtection } from '../../../agent/src/ecs/task-protection.js';
import { CallSlots } from '../../../agent/src/worker/call-slots.js';
import { JobAdmission } from '../../../agent/src/worker/job-admission.js';
import { ServiceStanding } from '../../../agent/src/worker/service-standing.js';
import { ManualClock, settle } from '../../support/manual-clock.js';

const MINUTE = 60_000;

beforeAll(() => initializeLogger({ pretty: false, level: 'silent' }));

const deployment = (id: string, primary: boolean, createdAt: number) => ({
  id,
  primary,
  rolloutState: 'COMPLETED',
  desired: 1,
  running: 1,
  failed: 0,
  createdAt,
});
const alone: ServiceReading = { desired: 1, deployments: [deployment('own', true, 1)] };
const replaced: ServiceReading = {
  desired: 1,
  deployments: [deployment('new', true, 2), deployment('own', false, 1)],
};

function setUp(ecs = true, maxCallMs = 10 * MINUTE) {
  const clock = new ManualClock();
  const served: (string | undefined)[] = [];
  const state = { service: alone, fails: false, protected: false, changes: 0, failures: 0 };
  const protection = new TaskProtection(
    {
      setProtection: async (enabled) => {
        state.protected = enabled;
        return { ok: true };
      },
    },
    clock,
    { longestCallMs: 10 * MINUTE },
  );
  const admission = new JobAdmission(new CallSlots(2), protection, clock);
  const answer = async <T>(value: T): Promise<T> => {
    if (state.fails) throw new Error('AccessDeniedException');
    return value;
  };
  const standing = new ServiceStanding(
    {
      deployment: { intervalMs: MINUTE, settleMs: 2 * MINUTE },
      maxCallMs,
      ...(ecs && { ecsAgentUri: 'http://agent', ecsMetadataUri: 'http://metadata' }),
    },
    admission,
    { add: () => (state.failures += 1) },
    {
      clock,
      random: Math.random,
      serviceApi: async () => ({
        taskArn: 'a',
        describeOwnTask: () => answer({ service: 'agents', deployment: 'own' }),
        describeService: () => answer(state.service),
        listTasks: () => answer({ arns: ['a'], complete: true }),
      }),
    },
    {
      onChanged: () => (state.changes += 1),
      onServing: (task) => served.push(task?.tasks ? task.deployment : undefined),
    },
  );
  return { admission, clock, served, standing, state };
}

describe('ServiceStanding', () => {
  it('protects the task ahead, and lets it take calls', async () => {
    const { admission, clock, served, standing, state } = setUp();
    standing.start();
    await clock.pass(MINUTE);
    expect([state.protected, served]).toEqual([false, []]);
    standing.registered();
    expect(served).toEqual(['own']);
    await clock.pass(30 * MINUTE);
    expect(state).toMatchObject({ protected: true, changes: 0 });
    expect(admission.refusal).toBeUndefined();
    expect(standing.gauges()).toEqual({ unprotectedCalls: 0, supersededCalls: 0, overdueCalls: 0 });
  });

  it('of a superseded task: no new calls, protection until the last one ends, and a rollback undoes it', async () => {
    const { admission, clock, served, standing, state } = setUp();
    standing.start();
    standing.registered();
    await clock.pass(0);
    await admission.admit('call');
    admission.start('call');
    state.service = replaced;
    await clock.pass(4 * MINUTE);
    // The others know of it while it takes calls, from when ECS has told what it is.
    expect(served).toEqual([undefined, 'own', undefined]);
    expect([admission.refusal, state.protected, state.changes]).toEqual(['superseded', true, 1]);
    expect(standing.gauges()).toEqual({ unprotectedCalls: 0, supersededCalls: 1, overdueCalls: 0 });
    await clock.pass(12 * MINUTE);
    expect(standing.gauges()).toEqual({ unprotectedCalls: 0, supersededCalls: 1, overdueCalls: 1 });
    admission.release('call');
    await settle();
    expect(state.protected).toBe(false);
    state.service = alone;
    await clock.pass(2 * MINUTE);
    expect([admission.refusal, state.protected, state.changes]).toEqual([undefined, true, 2]);
    expect(served.at(-1)).toBe('own');
    admission.drain();
    standing.update();
    expect(served.at(-1)).toBeUndefined();
    standing.stop();
  });

  it('is superseded as soon as the tasks of a newer deployment tell that they take calls', async () => {
    const { admission, clock, standing, state } = setUp();
    standing.start();
    standing.registered();
    await clock.pass(2 * MINUTE);
    standing.hear([{ service: '/agents', deployment: 'new', tasks: 1 }]);
    expect([admission.refusal, state.changes]).toEqual(['superseded', 1]);
    standing.hear([]);
    expect([admission.refusal, state.changes]).toEqual([undefined, 2]);
    standing.stop();
  });

  it('of a surplus task: no new calls, but none of its calls is in the way of a deployment', async () => {
    const { admission, clock, standing, state } = setUp();
    standing.start();
    standing.registered();
    await clock.pass(0);
    await admission.admit('call');
    admission.start('call');
    // None is wanted any more.
    state.service = { ...alone, desired: 0 };
    await clock.pass(4 * MINUTE);
    expect(admission.refusal).toBe('surplus');
    await clock.pass(30 * MINUTE);
    expect(standing.gauges()).toEqual({ unprotectedCalls: 0, supersededCalls: 0, overdueCalls: 0 });
    standing.stop();
  });

  it('has no call that is overdue where calls may be as long as they like', async () => {
    const { admission, clock, standing, state } = setUp(true, 0);
    standing.start();
    standing.registered();
    await clock.pass(0);
    await admission.admit('call');
    admission.start('call');
    state.service = replaced;
    await clock.pass(60 * MINUTE);
    expect(standing.gauges()).toMatchObject({ supersededCalls: 1, overdueCalls: 0 });
    standing.stop();
  });

  it('without an answer of ECS takes calls, and is protected only while it has some', async () => {
    const { admission, clock, standing, state } = setUp();
    state.fails = true;
    standing.start();
    standing.registered();
    await clock.pass(30 * MINUTE);
    expect([admission.refusal, state.protected]).toEqual([undefined, false]);
    expect(state.failures).toBeGreaterThan(3);
    expect(await admission.admit('call')).toBe(true);
    expect(state.protected).toBe(true);
  });

  it('does nothing outside ECS', async () => {
    const { admission, clock, standing } = setUp(false);
    standing.start();
    standing.registered();
    await clock.pass(30 * MINUTE);
    expect([standing.gauges(), admission.refusal]).toEqual([undefined, undefined]);
    standing.stop();
  });
});
