// SPDX-License-Identifier: Apache-2.0
// What a worker tells of itself: its load to LiveKit, its metrics, its standing in the service, and what is left at its end.

import { existsSync } from 'node:fs';
import { afterEach, describe, expect, it } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import type { ServiceReading } from '../../../agent/src/ecs/service-api.js';
import { until } from '../../support/wait.js';
import { beginWorker } from './worker-rig.js';

initializeLogger({ pretty: false, level: 'silent' });

let rig: Awaited<ReturnType<typeof beginWorker>>;
const start = async (...options: Parameters<typeof beginWorker>) => {
  rig = await beginWorker(...options);
  return rig;
};
async function end() {
  rig.signal('SIGTERM');
  await rig.clock.pass(1_000);
  rig.signal('SIGINT');
  await rig.clock.pass(60_000);
  return rig.exited;
}
afterEach(async () => {
  if (rig.exitCode === undefined) await end();
});
const ENV = { METRICS_INTERVAL_S: '10', UNRESPONSIVE_TIMEOUT_S: '600' };

describe('the load of a worker', () => {
  it('is more while a free slot has no process that could take its call at once', async () => {
    const { register, clock, loads, processes } = await start();
    register();
    await clock.pass(1_000);
    expect(loads.at(-1)?.load).toBe(0);
    processes.room = 1;
    await clock.pass(1_000);
    expect(loads.at(-1)?.load).toBeCloseTo(0.65 / 2);
    // More processes than slots are no reason for less than nothing.
    processes.room = 5;
    await clock.pass(1_000);
    expect(loads.at(-1)?.load).toBe(0);
  });
});

describe('the metrics of a worker', () => {
  it('count the streams of its calls in each lane, also in those that have none', async () => {
    const { call, clock, metrics } = await start({
      env: { ...ENV, BEDROCK_REGIONS: 'us-east-1,us-west-2' },
    });
    const { report, read } = await call('j1');
    report({ type: 'stream', job: 'j1', id: 's', lane: 'us-west-2' });
    await read();
    await clock.pass(10_000);
    const streams = metrics
      .filter((line) => 'ActiveStreams' in line)
      .map(({ lane, ActiveStreams }) => [lane, ActiveStreams]);
    expect(streams).toEqual([
      ['us-east-1', 0],
      ['us-west-2', 1],
    ]);
  });

  it('expect no more callers than there are, once a minute has passed without any', async () => {
    const { register, call, clock, published } = await start({ env: ENV });
    register();
    await clock.pass(5_000);
    await call('j1');
    await clock.pass(30_000);
    expect(published('ExpectedCallDemand').at(-1)).toBeGreaterThan(1);
    await clock.pass(60_000);
    expect(published('ExpectedCallDemand').at(-1)).toBe(1);
  });

  it('expect more callers while the task is full, at the rate at which it filled up', async () => {
    const { register, call, clock, published } = await start({ env: ENV });
    register();
    await clock.pass(100_000);
    await call('j1');
    await call('j2');
    await clock.pass(90_000);
    expect(published('ExpectedCallDemand').at(-1)).toBeGreaterThan(2);
    await clock.pass(40_000);
    expect(published('ExpectedCallDemand').at(-1)).toBe(2);
  });

  it('of the last seconds are published at its end', async () => {
    const { call, calls, published } = await start();
    const { end: hangUp } = await call('j1');
    hangUp();
    await until('the call has ended', () => calls() === 0);
    expect(published('ActiveCalls')).toEqual([]);
    expect(await end()).toBe(0);
    expect(published('ActiveCalls')).toEqual([0]);
  });
});

describe('a task that is superseded', () => {
  const deployment = (id: string, primary: boolean, createdAt: number) => ({
    ...{ id, primary, rolloutState: 'COMPLETED', desired: 1, running: 1, failed: 0, createdAt },
  });

  it('says so to LiveKit at once, and asks ECS nothing after its end', async () => {
    let asked = 0;
    let service: ServiceReading = { desired: 1, deployments: [deployment('own', true, 1)] };
    const { register, clock, loads } = await start({
      env: {
        ECS_AGENT_URI: 'http://127.0.0.1:1',
        ECS_CONTAINER_METADATA_URI_V4: 'http://127.0.0.1:1',
      },
      peers: {
        // When it asks for the first time.
        random: () => 0.5,
        ecsAgent: () => ({ setProtection: async () => ({ ok: true }) }),
        serviceApi: async () => ({
          taskArn: 'a',
          describeOwnTask: async () => ({ service: 'agents', deployment: 'own' }),
          describeService: async () => {
            asked += 1;
            return service;
          },
          listTasks: async () => ({ arns: ['a'], complete: true }),
        }),
      },
    });
    register();
    await clock.pass(120_000);
    expect([asked > 0, loads.at(-1)?.load]).toEqual([true, 0]);
    service = {
      desired: 1,
      deployments: [deployment('new', true, 2), deployment('own', false, 1)],
    };
    // Until it has settled. What the worker reports each second is not counted: it reports what it is.
    const reported = loads.length;
    let seconds = 0;
    for (; loads.at(-1)?.load === 0 && seconds < 600; seconds += 1) await clock.pass(1_000);
    expect(loads.at(-1)?.load).toBe(1);
    // One each second, and one because it has changed.
    expect(loads.length - reported).toBe(seconds + 1);
    await end();
    const before = asked;
    await clock.pass(3_600_000);
    expect(asked).toBe(before);
  });
});

describe('a call that is too long', () => {
  it.each([
    ['with a last reply', 'Say goodbye.', ['end_gracefully', 'end_now']],
    ['at once without instructions for one', 'off', ['end_now']],
  ])('is ended %s', async (_, instructions, expected) => {
    const { call, clock } = await start({
      env: {
        ...ENV,
        MAX_CALL_S: '100',
        END_CALL_INSTRUCTIONS: instructions,
        END_CALL_TIMEOUT_S: '12',
      },
    });
    const { commands, read } = await call('j1');
    await clock.pass(100_000);
    await read();
    expect(commands()).toEqual([]);
    await clock.pass(15_000);
    await read();
    expect(commands().map(({ type }) => type)).toEqual(expected);
  });
});

describe('the end of a worker', () => {
  it.each([
    ['for the last reply', 'Say goodbye.', 88],
    ['to its end where there is none', 'off', 100],
  ])('leaves a call the time of the drain, less that %s', async (_, instructions, seconds) => {
    const { call, clock, signal } = await start({
      env: {
        ...ENV,
        DRAIN_TIMEOUT_S: '100',
        END_CALL_INSTRUCTIONS: instructions,
        END_CALL_TIMEOUT_S: '12',
      },
    });
    const { commands, read } = await call('j1');
    signal('SIGTERM');
    await clock.pass(seconds * 1_000 - 1);
    await read();
    expect(commands()).toEqual([]);
    await clock.pass(1);
    await read();
    expect(commands()).toHaveLength(1);
  });

  it('leaves no socket and no measurement of the CPU behind', async () => {
    let stopped = 0;
    const cpu = { utilization: 0, smoothed: 0, stop: () => (stopped += 1) };
    const { jobEnvironment } = await start({ peers: { createCpu: () => cpu as never } });
    const socket = jobEnvironment.SUPERVISOR_SOCKET ?? '';
    expect([existsSync(socket), stopped]).toEqual([true, 0]);
    expect(await end()).toBe(0);
    expect([existsSync(socket), stopped]).toEqual([false, 1]);
  });

  it('is a failure when something broke while it waited for its last call', async () => {
    const { call, signal, worker, exited } = await start();
    const { end: hangUp } = await call('j1');
    signal('SIGTERM');
    worker.failFatally(new Error('broken'));
    hangUp();
    expect(await exited).toBe(1);
  });

  it('is a failure also when that call never ended', async () => {
    const { call, signal, worker, clock, exited } = await start({ env: ENV });
    await call('j1');
    worker.failFatally(new Error('broken'));
    signal('SIGTERM');
    await clock.pass(130_000);
    expect(await exited).toBe(1);
  });

  it('comes also when the server does not close', async () => {
    const { onServerClose, exited, signal, clock } = await start();
    onServerClose(() => new Promise(() => {}));
    signal('SIGTERM');
    await clock.pass(3_999);
    expect(rig.exitCode).toBeUndefined();
    await clock.pass(1);
    expect(await exited).toBe(0);
  });
});
