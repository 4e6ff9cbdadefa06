// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import {
  DeploymentWatch,
  type DeploymentWatchOptions,
} from '../../../agent/src/ecs/deployment-watch.js';
import type { ServiceApi, ServiceReading } from '../../../agent/src/ecs/service-api.js';
import { ManualClock } from '../../support/manual-clock.js';

const MINUTE = 60_000;

const own = (running: number, desired: number, primary = true) => ({
  id: 'own',
  primary,
  rolloutState: 'COMPLETED',
  desired,
  running,
  failed: 0,
  createdAt: 1,
});
const alone: ServiceReading = { desired: 2, deployments: [own(2, 2)] };
const replaced: ServiceReading = {
  desired: 2,
  deployments: [{ ...own(2, 2), id: 'new', createdAt: 2 }, own(2, 0, false)],
};

function setUp(options: DeploymentWatchOptions = {}) {
  const clock = new ManualClock();
  const log: string[] = [];
  const requests: { at: number; action: string }[] = [];
  const state: { service: ServiceReading; arns: string[]; fails?: () => Promise<never> } = {
    service: alone,
    arns: ['a', 'b'].map((id) => `arn:aws:ecs:eu-west-1:1:task/c/${id}`),
  };
  const answer = async <T>(action: string, value: () => T): Promise<T> => {
    requests.push({ at: clock.now(), action });
    if (state.fails) await state.fails();
    return value();
  };
  const api: ServiceApi = {
    taskArn: 'arn:aws:ecs:eu-west-1:1:task/c/b',
    describeOwnTask: () => answer('task', () => ({ service: 'agents', deployment: 'own' })),
    describeService: () => answer('service', () => state.service),
    listTasks: () => answer('list', () => ({ arns: state.arns, complete: true })),
  };
  const watch = new DeploymentWatch(async () => api, clock, {
    random: () => 0.5,
    onStanding: (standing) => log.push(standing),
    onInformed: (informed) => log.push(informed ? 'informed' : 'uninformed'),
    onFailure: () => log.push('failed'),
    ...options,
  });
  watch.start();
  return { clock, log, requests, state, watch };
}

describe('DeploymentWatch', () => {
  it('asks who it is once, and then about its service', async () => {
    const { clock, log, requests, watch } = setUp();
    await clock.pass(5 * MINUTE);
    expect(requests.map(({ action }) => action)).toEqual([
      'task',
      'service',
      'service',
      'service',
      'service',
    ]);
    expect(watch.standing).toBe('current');
    expect(log).toEqual([]);
  });

  it('says when it is superseded, and when it is not any more', async () => {
    const { clock, log, state } = setUp();
    await clock.pass(2 * MINUTE);
    state.service = replaced;
    await clock.pass(2 * MINUTE);
    expect(log).toEqual(['superseded']);
    state.service = alone;
    await clock.pass(2 * MINUTE);
    expect(log).toEqual(['superseded', 'current']);
  });

  it('lists the tasks every other time, only while there are too many', async () => {
    const { clock, log, requests, state } = setUp();
    await clock.pass(2 * MINUTE);
    state.service = { desired: 1, deployments: [own(2, 1)] };
    const from = requests.length;
    await clock.pass(5 * MINUTE);
    expect(requests.slice(from).map(({ action }) => action)).toEqual([
      'service',
      'list',
      'service',
      'list',
    ]);
    expect(log).toEqual(['surplus']);
    state.service = alone;
    await clock.pass(4 * MINUTE);
    expect(requests.slice(-2).map(({ action }) => action)).toEqual(['service', 'service']);
    expect(log).toEqual(['surplus', 'current']);
  });

  it('is superseded as soon as a newer deployment takes calls, and not while it does not any more', async () => {
    const { clock, log, requests, watch } = setUp();
    expect(watch.identity).toBeUndefined();
    await clock.pass(2 * MINUTE);
    const { service = '' } = watch.identity ?? {};
    expect(watch.identity).toEqual({
      service: 'c/agents',
      deployment: 'own',
    });
    const asked = requests.length;
    const tasks = (deployment: string, count: number, of = service) => ({
      ...{ service: of, deployment },
      tasks: count,
    });
    // Of another service, as a canary is.
    watch.hear([tasks('own', 2), tasks('canary', 5, 'c/canary')]);
    watch.hear([tasks('own', 2), tasks('new', 1)]);
    expect(log).toEqual([]);
    watch.hear([tasks('own', 2), tasks('new', 2)]);
    watch.hear([tasks('new', 2)]);
    expect(log).toEqual(['superseded']);
    watch.hear([]);
    expect(log).toEqual(['superseded', 'current']);
    expect(requests.length).toBe(asked);
  });

  it('relies on what the tasks tell each other only while it knows the deployments', async () => {
    const { clock, log, state, watch } = setUp();
    const hear = () =>
      watch.hear([{ service: watch.identity?.service ?? '', deployment: 'new', tasks: 5 }]);
    await clock.pass(2 * MINUTE);
    hear();
    state.fails = () => Promise.reject(new Error('500'));
    await clock.pass(30 * MINUTE);
    hear();
    expect(log.filter((line) => line !== 'failed')).toEqual([
      'superseded',
      'uninformed',
      'current',
    ]);
  });

  // Whatever is asked, answered, failed or slow: 1,000 tasks must stay far below what the API allows.
  it.each([
    ['answers', undefined],
    ['fails', async () => Promise.reject(new Error('500'))],
    [
      'is slow to fail',
      (clock: ManualClock) =>
        new Promise<never>((_, reject) => clock.after(10_000, () => reject(new Error('timeout')))),
    ],
  ])('asks at most once a minute when ECS %s', async (_, fails) => {
    for (const random of [0, 0.3, 0.999]) {
      const { clock, requests, state } = setUp({ random: () => random });
      state.service = { desired: 1, deployments: [own(2, 1)] };
      if (fails) state.fails = () => fails(clock);
      await clock.pass(60 * MINUTE);
      expect(requests.length).toBeGreaterThan(3);
      const gaps = requests.slice(1).map(({ at }, i) => at - (requests[i]?.at ?? 0));
      expect(Math.min(...gaps)).toBeGreaterThanOrEqual(MINUTE);
    }
  });

  it('spreads the tasks of a service over the interval, and drifts apart', async () => {
    const at = async (random: number) => {
      const { clock, requests } = setUp({ random: () => random });
      await clock.pass(3 * MINUTE);
      return requests.map((request) => request.at);
    };
    expect(await at(0)).toEqual([0, 60_000, 120_000, 180_000]);
    expect(await at(0.5)).toEqual([1_000, 91_000, 157_000]);
  });

  it('asks less often while ECS does not answer, and goes on serving', async () => {
    const { clock, log, requests, state, watch } = setUp();
    await clock.pass(2 * MINUTE);
    state.service = replaced;
    await clock.pass(MINUTE);
    expect(watch.standing).toBe('superseded');
    state.fails = () => Promise.reject(new Error('AccessDeniedException'));
    const from = requests.length;
    await clock.pass(30 * MINUTE);
    expect(requests.length - from).toBeLessThan(8);
    // A rollback may have made it primary meanwhile: nobody answering is worse than old code that does.
    expect(watch.standing).toBe('current');
    expect(watch.informed).toBe(false);
    expect(log.filter((line) => line !== 'failed')).toEqual([
      'superseded',
      'uninformed',
      'current',
    ]);
    delete state.fails;
    await clock.pass(10 * MINUTE);
    expect(log.slice(-2)).toEqual(['superseded', 'informed']);
  });

  it('starts again to find out who it is until it knows', async () => {
    const clock = new ManualClock();
    let tries = 0;
    const watch = new DeploymentWatch(
      async () => {
        tries += 1;
        throw new Error('no metadata');
      },
      clock,
      { random: () => 0 },
    );
    watch.start();
    await clock.pass(8 * MINUTE);
    expect(tries).toBe(3);
    expect(watch.standing).toBe('current');
    expect(watch.informed).toBe(false);
  });

  it('asks nothing after it was stopped, also while a request is under way', async () => {
    const { clock, requests, state, watch } = setUp();
    state.fails = () =>
      new Promise<never>((_, reject) => clock.after(10_000, () => reject(new Error())));
    await clock.pass(31_000);
    expect(requests).toHaveLength(1);
    watch.stop();
    await clock.pass(60 * MINUTE);
    expect(requests).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });
});
