// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { TaskProtection } from '../../../agent/src/ecs/task-protection.js';
import { CallSlots } from '../../../agent/src/worker/call-slots.js';
import { JobAdmission } from '../../../agent/src/worker/job-admission.js';
import type { JobProcesses } from '../../../agent/src/worker/job-processes.js';
import { WorkerHealth } from '../../../agent/src/worker/worker-health.js';
import { ManualClock } from '../../support/manual-clock.js';

function setUp() {
  const clock = new ManualClock();
  const admission = new JobAdmission(new CallSlots(2), new TaskProtection(undefined, clock), clock);
  const state = { failures: 0, registered: true };
  const processes = {
    room: 3,
    get failures() {
      return state.failures;
    },
  } as JobProcesses;
  const health = new WorkerHealth({
    admission,
    processes,
    registered: () => state.registered,
  });
  return { admission, health, state };
}

describe('WorkerHealth', () => {
  it('is live and ready while registered', () => {
    const { health } = setUp();
    expect(health.livenessProblem()).toBeUndefined();
    expect(health.readinessProblem()).toBeUndefined();
    expect(health.details()).toEqual({
      calls: 0,
      slots: 2,
      warm: 3,
      registered: true,
      draining: false,
      accepting: true,
      protected: true,
    });
  });

  it('is live but not ready without LiveKit, while superseded and while draining', () => {
    const { admission, health, state } = setUp();
    state.registered = false;
    expect(health.readinessProblem()).toBe('not registered with LiveKit');
    admission.standing = 'superseded';
    expect(health.readinessProblem()).toBe('superseded');
    admission.drain();
    expect(health.readinessProblem()).toBe('draining');
    expect(health.livenessProblem()).toBeUndefined();
  });

  it('is not live when job processes fail to start five times in a row', () => {
    const { health, state } = setUp();
    state.failures = 4;
    expect(health.livenessProblem()).toBeUndefined();
    state.failures = 5;
    expect(health.livenessProblem()).toBe('job processes do not start');
    expect(health.readinessProblem()).toBe('job processes do not start');
  });

  it('keeps the first reason of a failure, and stays live until the last call has ended', async () => {
    const { admission, health } = setUp();
    await admission.admit('a');
    health.fail('first');
    health.fail('second');
    expect(health.livenessProblem()).toBeUndefined();
    admission.release('a');
    expect(health.livenessProblem()).toBe('first');
    expect(health.fatalReason).toBe('first');
  });
});
