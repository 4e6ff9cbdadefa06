// SPDX-License-Identifier: Apache-2.0

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { metricSums } from '../../local/fleet/analysis.js';
import type { EcsBehaviour } from '../../local/fleet/ecs-agent-stand-in.js';
import {
  CHAOS_ENV,
  FlakyEcsAgent,
  runProtectionChaos,
} from '../../local/fleet/protection-chaos.js';
import { Fleet } from '../../local/fleet/worker-fleet.js';
import type { Health, WorkerProcess } from '../../local/fleet/worker-process.js';
import { askAll, connectAll, expectGoodCitizens, untilCalls } from './fleet-support.js';

const SEED = 7;
/** Steps of the trace; `npm run fleet -- --protection 500` makes one that is longer. */
const STEPS = 50;
/** For so long after a failure ECS is not asked again. */
const ECS_REST_MS = 2_000;

describe('one task', () => {
  let fleet: Fleet;
  let worker: WorkerProcess;
  let behaviour: EcsBehaviour = 'ok';
  const flakyEcs = new FlakyEcsAgent(SEED);

  beforeAll(async () => {
    fleet = await Fleet.start({
      callsPerTask: 10,
      env: CHAOS_ENV,
    });
    const ecs = {
      behaviour: () => (flakyEcs.failing ? flakyEcs.behaviour() : behaviour),
      delayMs: flakyEcs.delayMs,
    };
    [worker] = (await fleet.startWorkers(1, ecs)) as [WorkerProcess];
  }, 120_000);
  afterAll(() => fleet?.stop(), 30_000);

  it('answers ten calls at once, twice in a row', async () => {
    for (let round = 0; round < 2; round++) {
      // None that still boots, or has a call to end.
      const allWarm = ({ warm }: Health) =>
        warm >= 10 && (fleet.sharedProcesses || warm === worker.jobPids.length);
      await worker.waitUntil(allWarm, 60_000);
      const callers = await fleet.joinCallers(10);
      const warm = new Set(worker.jobPids);
      const from = Date.now();
      await connectAll(fleet, callers);
      const last = Math.max(...callers.map((caller) => (caller.agentJoinedAt ?? 0) - from));
      process.stderr.write(`the last of ten agents joined after ${last} ms\n`);
      // Each by a process that was warm when it came: ten that boot first take eight seconds of a core.
      expect(callers.filter(({ jobId }) => !warm.has(worker.pidOf(jobId) ?? 0))).toEqual([]);
      if (round === 0) await askAll(fleet, callers.slice(0, 3));
      await fleet.hangUp();
      await untilCalls([worker], 0);
    }
    expect(metricSums([worker]).CallsRejected ?? 0).toBe(0);
  }, 180_000);

  it('stays protected for the grace period, then releases the protection', async () => {
    const ended = Math.max(...worker.lines('call ended').map((line) => line.time ?? 0));
    await worker.ecs.waitUntilProtected(false, 20_000);
    const off = worker.ecs.changes.at(-1)?.at ?? 0;
    expect(off - ended).toBeGreaterThanOrEqual(900);
    expect(off - ended).toBeLessThan(5_000);
  }, 30_000);

  it.each<EcsBehaviour>(['blocked', 'denied', 'broken', 'silent'])(
    'refuses a call when ECS is %s, and asks once',
    async (how) => {
      // The time itself is what must pass since the last answer of ECS.
      const refused = worker.lines('call rejected').at(-1)?.time ?? 0;
      const rested = refused + ECS_REST_MS + 500 - Date.now();
      await new Promise((resolve) => setTimeout(resolve, rested));
      behaviour = how;
      const [caller] = await fleet.joinCallers(1);
      if (!caller) throw new Error('no caller');
      const before = worker.ecs.requests.filter(({ enabled }) => enabled).length;
      const refusals = worker.lines('call rejected').length;
      const offer = await fleet.offer(caller);
      await worker.waitForLine(() => worker.lines('call rejected').length > refusals, 20_000);
      expect(await offer.taken()).toBe(false);
      expect(caller.agentPresent).toBe(false);
      expect(worker.ecs.requests.filter(({ enabled }) => enabled).length).toBe(before + 1);
      expect((await worker.health()).calls).toBe(0);
      behaviour = 'ok';
      await fleet.hangUp();
    },
    60_000,
  );

  it('never runs a call unprotected while ECS fails at random', async () => {
    const report = await runProtectionChaos(fleet, worker, flakyEcs, { steps: STEPS, seed: SEED });
    process.stderr.write(`${STEPS} starts and ends: ${JSON.stringify(report)}\n`);
    expect(report.unprotectedCalls).toBe(0);
    expect(report.starts).toBeGreaterThan(STEPS / 5);
    expect(report.hungUp + report.killed).toBeGreaterThan(STEPS / 5);
    expect(report.protectedTimes).toBeGreaterThan(1);
    expect(report.ecsFailures).toBeGreaterThan(3);
    expect(metricSums([worker]).ProtectionFailures).toBeGreaterThanOrEqual(report.ecsFailures);
    expect(metricSums([worker]).JobCrashes ?? 0).toBe(report.killed);
    for (const ms of report.protectionOffDelaysMs) expect(ms).toBeLessThan(5_000);
  }, 240_000);

  it('exits at once when idle, also while processes start', async () => {
    const { warm } = await worker.health();
    for (const pid of worker.jobPids) process.kill(pid, 'SIGKILL');
    await worker.waitUntil((health) => health.warm < warm, 10_000);
    const at = Date.now();
    worker.signal('SIGTERM');
    const exit = await worker.exited;
    expect(exit.code).toBe(0);
    // The framework waits for a process that boots for up to a minute, and we for the framework 4 s.
    expect(exit.at - at).toBeLessThan(3_000);
    expectGoodCitizens([worker], 10);
  }, 30_000);
});
