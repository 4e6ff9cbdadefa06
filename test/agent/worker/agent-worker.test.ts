// SPDX-License-Identifier: Apache-2.0
// Long because it plays the whole life of a worker: how it connects its parts, each of which has a test of its own.

import { afterEach, describe, expect, it } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import { settle } from '../../support/manual-clock.js';
import { until } from '../../support/wait.js';
import { beginWorker, NO_PROCESS, startEcsAgent } from './worker-rig.js';

initializeLogger({ pretty: false, level: 'silent' });

/** LiveKit's WorkerStatus. */
const [WS_AVAILABLE, WS_FULL] = [0, 1];

let rig: Awaited<ReturnType<typeof beginWorker>>;
const start = async (...options: Parameters<typeof beginWorker>) => {
  rig = await beginWorker(...options);
  return rig;
};
/** Ends whatever a test left: SIGTERM, and the second SIGINT, which waits for no call. */
afterEach(async () => {
  if (rig.exitCode !== undefined) return;
  rig.signal('SIGTERM');
  await rig.clock.pass(1_000);
  rig.signal('SIGINT');
  await rig.clock.pass(60_000);
  await rig.exited.catch(() => {});
});

describe('AgentWorker', () => {
  describe('the slot of a call', () => {
    it('is taken with the offer and free again when the call has ended', async () => {
      const { register, call, offer, calls, loads, log } = await start();
      register();
      const first = await call('j1');
      expect(calls()).toBe(1);
      const second = await call('j2');
      expect(loads.at(-1)).toMatchObject({ load: 1, status: WS_FULL });
      expect(await offer('j3')).toBe(false);
      log.length = 0;
      first.end();
      await until('the slot is free', () => calls() === 1);
      // LiveKit hears of it at once, and a process for the next call is started.
      expect(loads.at(-1)?.status).toBe(WS_AVAILABLE);
      expect(log).toEqual(['forget j1', 'resize']);
      expect(await offer('j4')).toBe(true);
      second.end();
      await until('one call is left', () => calls() === 1);
    });

    it('is free when its process has died, and the agent is removed from the room', async () => {
      const { call, calls, log, published } = await start();
      const { die } = await call('j1');
      die();
      await until('the slot is free', () => calls() === 0);
      expect(log.filter((line) => line.startsWith('remove'))).toEqual(['remove j1 from room-j1']);
      expect(published('JobCrashes')).toEqual([1]);
    });

    it('stays taken while another process takes the call up', async () => {
      const { call, calls, log, processes, published } = await start();
      processes.others = true;
      const { die } = await call('j1');
      die();
      await until('the call is to go on', () => log.includes('resume j1'));
      expect(calls()).toBe(1);
      const again = await call('j1', { offered: false });
      expect(calls()).toBe(1);
      again.end();
      await until('the slot is free', () => calls() === 0);
      expect(log.filter((line) => line.startsWith('remove'))).toEqual([]);
      expect([published('JobCrashes'), published('CallsResumed')]).toEqual([[1], [1]]);
    });

    it('keeps the agent of a call that ended in order from being removed', async () => {
      const { call, calls, log } = await start();
      (await call('j1')).end();
      await until('the slot is free', () => calls() === 0);
      expect(log.filter((line) => line.startsWith('remove'))).toEqual([]);
    });

    it('is free when LiveKit has not assigned the job within twenty seconds', async () => {
      const { offer, calls, clock } = await start();
      expect(await offer('j1')).toBe(true);
      await clock.pass(20_000);
      expect(calls()).toBe(1);
      await clock.pass(2_000);
      expect(calls()).toBe(0);
    });

    it('stays taken however long the call lasts', async () => {
      const { call, calls, clock } = await start({ env: { UNRESPONSIVE_TIMEOUT_S: '600' } });
      await call('j1');
      await clock.pass(500_000);
      expect(calls()).toBe(1);
    });
  });

  it('holds the protection of its task while it has a call, and gives it back after', async () => {
    const ecs = await startEcsAgent();
    try {
      const { call, calls, clock, health, register } = await start({
        env: { ECS_AGENT_URI: ecs.uri, PROTECTION_GRACE_S: '30', UNRESPONSIVE_TIMEOUT_S: '600' },
      });
      register();
      expect(health.details().protected).toBe(false);
      const { end } = await call('j1');
      await until('ECS is asked', () => ecs.asked.length === 1);
      await until('ECS has confirmed', () => health.details().protected === true);
      await clock.pass(60_000);
      expect(health.details().protected).toBe(true);
      end();
      await until('the call has ended', () => calls() === 0);
      await clock.pass(29_000);
      expect(health.details().protected).toBe(true);
      await clock.pass(1_000);
      await until('ECS is asked again', () => ecs.asked.at(-1) === false);
      expect(health.details().protected).toBe(false);
    } finally {
      ecs.close();
    }
  });

  it('lets its protection go at once when it takes no more calls', async () => {
    const ecs = await startEcsAgent();
    try {
      const { call, calls, register, signal, exited } = await start({
        env: { ECS_AGENT_URI: ecs.uri, PROTECTION_GRACE_S: '3600' },
      });
      register();
      const { end } = await call('j1');
      await until('ECS has confirmed', () => rig.health.details().protected === true);
      end();
      await until('the call has ended', () => calls() === 0);
      signal('SIGTERM');
      await until('ECS is asked', () => ecs.asked.at(-1) === false);
      expect(await exited).toBe(0);
    } finally {
      ecs.close();
    }
  });

  it('renews no protection after its end', async () => {
    const ecs = await startEcsAgent();
    try {
      const env = { ECS_AGENT_URI: ecs.uri };
      const { call, signal, exited, clock, register } = await start({ env });
      register();
      await call('j1');
      await until('ECS has confirmed', () => rig.health.details().protected === true);
      signal('SIGINT');
      await clock.pass(1_000);
      signal('SIGINT');
      await clock.pass(5_000);
      expect(await exited).toBe(0);
      expect(clock.pending).toBe(0);
    } finally {
      ecs.close();
    }
  });

  it('asks ECS who it is from its start on, so that the others know once LiveKit has accepted it', async () => {
    const ecs = await startEcsAgent();
    try {
      const { clock } = await start({
        env: { ECS_AGENT_URI: ecs.uri, ECS_CONTAINER_METADATA_URI_V4: `${ecs.uri}/v4` },
      });
      await clock.pass(2_000);
      await until('ECS is asked', () => ecs.metadataRequests.length > 0);
    } finally {
      ecs.close();
    }
  });

  describe('health', () => {
    it('is ready when LiveKit has accepted the worker, as long as it is connected', async () => {
      const { health, register, loseConnection, clock } = await start();
      expect(health.readinessProblem()).toBe('not registered with LiveKit');
      register();
      expect(health.readinessProblem()).toBeUndefined();
      loseConnection();
      await clock.pass(1_000);
      expect(health.readinessProblem()).toBe('not registered with LiveKit');
      register();
      expect(health.readinessProblem()).toBeUndefined();
    });

    it('counts a task with calls as live, whatever is wrong, and exits after the last one', async () => {
      const { worker, health, processes, call, offer, exited, log } = await start();
      const { end } = await call('j1');
      processes.failures = 99;
      worker.failFatally(new Error('broken'));
      expect(health.livenessProblem()).toBeUndefined();
      expect(health.readinessProblem()).toBe('draining');
      expect(await offer('j2')).toBe(false);
      expect(rig.exitCode).toBeUndefined();
      end();
      expect(await exited).toBe(1);
      expect(health.livenessProblem()).toBe('unexpected error');
      expect(log.slice(-2)).toEqual(['kill initializing', 'server closed']);
    });

    it('is on its own port when that was chosen, and on any free one when it was not', async () => {
      const inUse = () => [new Error('in use')];
      expect((await start({ healthErrors: inUse() })).log).toEqual([
        'health port 8081',
        'health port 0',
        'resize',
      ]);
      rig.signal('SIGTERM');
      await rig.exited;
      const { exited } = await start({ healthErrors: inUse(), env: { HEALTH_PORT: '9000' } });
      await expect(exited).rejects.toThrow('in use');
    });
  });

  describe('the end of the worker', () => {
    it('without calls comes at once, and leaves no timer behind', async () => {
      const { signal, exited, repeating, clock, log } = await start();
      expect(repeating.size).toBe(2);
      signal('SIGTERM');
      expect(await exited).toBe(0);
      expect(repeating.size).toBe(0);
      await clock.pass(3_600_000);
      expect(clock.pending).toBe(0);
      expect(log.slice(-2)).toEqual(['kill initializing', 'server closed']);
    });

    it('is no crash of the processes that wait for a call', async () => {
      const worker = await start();
      const idle = await worker.connectProcess(NO_PROCESS);
      worker.onServerClose(async () => {
        idle.die();
        for (let i = 0; i < 20; i += 1) await settle();
      });
      worker.signal('SIGTERM');
      expect(await worker.exited).toBe(0);
      expect(worker.published('JobCrashes')).toEqual([]);
    });

    it('waits for the last call, and takes no new one meanwhile', async () => {
      const { signal, call, offer, exited, clock, register, loads } = await start({
        env: { UNRESPONSIVE_TIMEOUT_S: '600' },
      });
      register();
      const { end, read, commands } = await call('j1');
      signal('SIGTERM');
      signal('SIGTERM');
      expect(loads.at(-1)).toMatchObject({ load: 1, status: WS_FULL });
      expect(await offer('j2')).toBe(false);
      await clock.pass(60_000);
      expect(rig.exitCode).toBeUndefined();
      await read();
      expect(commands()).toEqual([]);
      end();
      expect(await exited).toBe(0);
    });

    it('ends what is left before the time is over: first with a last reply, then without', async () => {
      const { signal, call, exited, clock } = await start({
        env: { DRAIN_TIMEOUT_S: '100', END_CALL_TIMEOUT_S: '12', UNRESPONSIVE_TIMEOUT_S: '600' },
      });
      const { commands } = await call('j1');
      signal('SIGTERM');
      await clock.pass(88_000);
      const graceful = { type: 'end_gracefully', job: 'j1', reason: 'task_stopping' };
      await until('the last reply is asked for', () => commands().length === 1);
      expect(commands()).toEqual([graceful]);
      await clock.pass(12_000);
      await until('the call is to end', () => commands().length === 2);
      expect(commands()).toEqual([graceful, { ...graceful, type: 'end_now' }]);
      await clock.pass(5_000);
      expect(await exited).toBe(0);
    });

    it('comes with the second SIGINT, which ends the calls, if npm has not passed on the first', async () => {
      const { signal, call, exited, clock } = await start();
      const { commands, read, end } = await call('j1');
      signal('SIGINT');
      await clock.pass(100);
      signal('SIGINT');
      await read();
      expect(commands()).toEqual([]);
      await clock.pass(1_000);
      signal('SIGINT');
      await until('the call is to end', () => commands()[0]?.type === 'end_now');
      end();
      expect(await exited).toBe(0);
    });

    it('is a failure when LiveKit does not accept the worker in time', async () => {
      const { exited, clock, health } = await start({ env: { REGISTER_TIMEOUT_S: '120' } });
      await clock.pass(119_999);
      expect(rig.exitCode).toBeUndefined();
      await clock.pass(1);
      expect(await exited).toBe(1);
      expect(health.livenessProblem()).toMatch(
        /did not accept this worker in 120 s: check LIVEKIT_URL/,
      );
    });

    it('does not come when LiveKit has accepted it once', async () => {
      const { register, loseConnection, clock, health } = await start({
        env: { REGISTER_TIMEOUT_S: '120' },
      });
      await clock.pass(119_000);
      register();
      loseConnection();
      await clock.pass(600_000);
      expect(rig.exitCode).toBeUndefined();
      expect(health.livenessProblem()).toBeUndefined();
    });

    it.each([
      ['ends', undefined, 'the agent server ended by itself'],
      ['fails', new Error('no socket'), 'Error: no socket'],
    ])('is a failure when the agent server %s by itself', async (_, error, reason) => {
      const { endServer, exited, health } = await start();
      endServer(error);
      expect(await exited).toBe(1);
      expect(health.livenessProblem()).toBe(reason);
    });

    it('is none when the server ends during the drain', async () => {
      const { endServer, call, signal, exited, health } = await start();
      const { end } = await call('j1');
      signal('SIGTERM');
      endServer();
      end();
      expect(await exited).toBe(0);
      expect(health.livenessProblem()).toBeUndefined();
    });
  });

  it('publishes its calls, its offers and its demand in every interval', async () => {
    const { call, offer, clock, metrics, published, register } = await start({
      env: { METRICS_INTERVAL_S: '10' },
    });
    register();
    await call('j1');
    await call('j2');
    await offer('j3');
    await clock.pass(10_000);
    expect(published('ActiveCalls')).toEqual([2]);
    expect(published('SlotUtilization')).toEqual([100]);
    expect(published('WorkersRegistered')).toEqual([1]);
    expect(published('CallCapacity')).toEqual([2]);
    expect(published('CallDemand')).toEqual([2]);
    // Two in a minute; a new task is there after 90 seconds.
    expect(published('ExpectedCallDemand')).toEqual([5]);
    expect(published('CallsAccepted')).toEqual([1, 1]);
    expect(metrics.filter((line) => 'CallsRejected' in line)).toMatchObject([{ reason: 'full' }]);
    // A worker that takes no calls offers no capacity and asks for no growth.
    rig.signal('SIGTERM');
    await clock.pass(10_000);
    expect(published('CallCapacity')).toEqual([2, 0]);
    expect(published('ExpectedCallDemand').at(-1)).toBe(2);
    expect(published('SlotUtilization')).toHaveLength(1);
  });

  it('does not count as rejected whom it leaves to the waiting line, since others came before', async () => {
    const note = () => ({
      name: 'seat',
      metadata: JSON.stringify({ line: ['RM_1'], at: Date.now() }),
    });
    const rooms = { listRooms: async () => [note()] } as never;
    const env = { WAITING_LINE_CALLERS: '0' };
    const { call, offer, clock, metrics } = await start({ rooms, env });
    await call('j1');
    const { end, read } = await call('j2');
    end();
    await read();
    expect(await offer('j3')).toBe(false);
    await clock.pass(30_000);
    expect(metrics.length).toBeGreaterThan(0);
    expect(metrics.filter((line) => 'CallsRejected' in line)).toEqual([]);
  });

  it('gives a process that grew beyond its memory no more calls', async () => {
    const { call, clock, log, processes } = await start({ env: { JOB_MEMORY_LIMIT_MB: '500' } });
    processes.shared = true;
    const { report, read } = await call('j1');
    report({ type: 'alive', rssMB: 600 });
    await read();
    await clock.pass(1_000);
    expect(log.filter((line) => line.startsWith('retire'))).toEqual([`retire ${NO_PROCESS + 1}`]);
  });
});
