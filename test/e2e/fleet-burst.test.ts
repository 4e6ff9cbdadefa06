// SPDX-License-Identifier: Apache-2.0

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { EcsBehaviour } from '../../local/fleet/ecs-agent.js';
import { Fleet } from '../../local/fleet/fleet.js';
import { metricSums } from '../../local/fleet/report.js';
import type { WorkerProcess } from '../../local/fleet/worker-process.js';
import { random } from '../agent/fleet/manual-clock.js';
import { askAll, connectAll, expectGoodCitizens, untilCalls } from './fleet-support.js';

describe('one task', () => {
  let fleet: Fleet;
  let worker: WorkerProcess;
  let behaviour: () => EcsBehaviour = () => 'ok';
  let delayMs = () => 0;

  beforeAll(async () => {
    fleet = await Fleet.start({
      callsPerTask: 10,
      env: { PROTECTION_GRACE_S: '2', PROTECTION_EXPIRES_MIN: '1' },
    });
    const ecs = { behaviour: () => behaviour(), delayMs: () => delayMs() };
    [worker] = (await fleet.startWorkers(1, ecs)) as [WorkerProcess];
  }, 120_000);
  afterAll(() => fleet?.stop(), 30_000);

  it('takes ten calls that come at once, and ten more after those', async () => {
    for (let round = 0; round < 2; round++) {
      await worker.until((health) => health.warm >= 10, 60_000);
      const callers = await fleet.join(10);
      const from = Date.now();
      await connectAll(fleet, callers);
      const last = Math.max(...callers.map((caller) => (caller.agentJoinedAt ?? 0) - from));
      process.stderr.write(`the last of ten agents joined after ${last} ms\n`);
      // A process that had to boot first would show: ten of them take eight seconds of a core.
      const waits = callers.map(({ job }) => {
        const at = (msg: string) => worker.lines(msg).find((l) => l.call_id === job)?.time ?? 0;
        return at('call began') - at('call accepted');
      });
      expect(Math.max(...waits)).toBeLessThan(1_500);
      if (round === 0) await askAll(fleet, callers.slice(0, 3));
      await fleet.hangUp();
      await untilCalls([worker], 0);
    }
    expect(metricSums([worker]).CallsRefused ?? 0).toBe(0);
  }, 180_000);

  it('is unprotected again after the grace period, and not before', async () => {
    const ended = Math.max(...worker.lines('call ended').map((line) => line.time ?? 0));
    const off = () => worker.ecs.changes.findLast((change) => !change.protected)?.at ?? 0;
    while (off() < ended) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(off() - ended).toBeGreaterThanOrEqual(1_900);
    expect(off() - ended).toBeLessThan(6_000);
  }, 30_000);

  it.each<[EcsBehaviour, number]>([
    ['blocked', 0],
    ['denied', 0],
    ['broken', 0],
    ['silent', 0],
  ])(
    'refuses a call when ECS is %s, and asks once',
    async (how) => {
      await new Promise((resolve) => setTimeout(resolve, 2_100));
      behaviour = () => how;
      const [caller] = await fleet.join(1);
      if (!caller) throw new Error('no caller');
      const before = worker.ecs.requests.filter(({ enabled }) => enabled).length;
      const refusals = worker.lines('call refused').length;
      const offer = await fleet.offer(caller);
      await worker.line(() => worker.lines('call refused').length > refusals, 20_000);
      expect(await offer.taken()).toBe(false);
      expect(caller.agentPresent).toBe(false);
      expect(worker.ecs.requests.filter(({ enabled }) => enabled).length).toBe(before + 1);
      expect((await worker.health()).calls).toBe(0);
      behaviour = () => 'ok';
      await fleet.hangUp();
    },
    60_000,
  );

  it('never holds a call without protection while ECS fails at random', async () => {
    const chance = random(7);
    delayMs = () => Math.floor(chance() * 400);
    behaviour = () => (chance() < 0.3 ? (chance() < 0.5 ? 'blocked' : 'broken') : 'ok');
    let [starts, ends] = [0, 0];
    for (let step = 0; step < 36; step++) {
      const live = fleet.callers.filter((caller) => caller.agentPresent);
      // Now and then long enough for the grace period, so that protection is asked for again and again.
      if (live.length === 0) await new Promise((resolve) => setTimeout(resolve, chance() * 5_000));
      if (live.length > 0 && (live.length === 2 || chance() < 0.6)) {
        await fleet.hangUp(live.slice(0, 1));
        ends += 1;
      } else {
        const [caller] = await fleet.join(1);
        if (!caller) continue;
        await fleet.offer(caller);
        if ((await caller.untilAgent(3_000)) === undefined) await fleet.hangUp([caller]);
        else starts += 1;
      }
    }
    behaviour = () => 'ok';
    delayMs = () => 0;
    await fleet.hangUp();
    await untilCalls([worker], 0);
    expect(starts).toBeGreaterThan(5);
    expect(ends).toBeGreaterThan(5);
    const failed = worker.ecs.requests.filter((request) => request.behaviour !== 'ok').length;
    expect(failed).toBeGreaterThan(3);
    expect(metricSums([worker]).ProtectionFailures).toBeGreaterThan(3);
  }, 240_000);

  it('leaves at once when it is idle, also while processes boot', async () => {
    const { warm } = await worker.health();
    for (const pid of worker.jobPids) process.kill(pid, 'SIGKILL');
    await worker.until((health) => health.warm < warm, 10_000);
    const at = Date.now();
    worker.signal('SIGTERM');
    const exit = await worker.exited;
    expect(exit.code).toBe(0);
    // The framework waits for a process that boots for up to a minute, and we for the framework 4 s.
    expect(exit.at - at).toBeLessThan(3_000);
    expectGoodCitizens([worker], 10);
  }, 30_000);
});
