// SPDX-License-Identifier: Apache-2.0

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { metricSums } from '../../local/fleet/analysis.js';
import type { EcsBehaviour } from '../../local/fleet/ecs-endpoint.js';
import {
  CHAOS_ENV,
  FlakyEcsAgent,
  runProtectionChaos,
} from '../../local/fleet/protection-chaos.js';
import type { RemoteCaller } from '../../local/fleet/remote-caller.js';
import { Fleet } from '../../local/fleet/worker-fleet.js';
import type { Health, WorkerProcess } from '../../local/fleet/worker-process.js';
import { askAll, connectAll, expectGoodCitizens, untilCalls } from './fleet-support.js';

const SEED = 7;
/** Steps of the trace; `npm run fleet -- --protection 500` makes one that is longer. */
const STEPS = 50;

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
  }, 30_000);

  it('takes a call all the same when ECS blocks protection, and is protected when ECS allows it', async () => {
    behaviour = 'blocked';
    const [caller] = (await fleet.joinCallers(1)) as [RemoteCaller];
    await connectAll(fleet, [caller]);
    const accepted = worker.lines('call accepted').find((line) => line.call_id === caller.jobId);
    expect(accepted?.unprotected).toBe(true);
    expect(worker.ecs.protected).toBe(false);
    behaviour = 'ok';
    await worker.ecs.waitUntilProtected(true, 60_000);
    await fleet.hangUp();
    await untilCalls([worker], 0);
    await worker.ecs.waitUntilProtected(false, 20_000);
  }, 120_000);

  it('answers every call while ECS fails at random, and counts those without protection', async () => {
    const report = await runProtectionChaos(fleet, worker, flakyEcs, { steps: STEPS, seed: SEED });
    process.stderr.write(`${STEPS} starts and ends: ${JSON.stringify(report)}\n`);
    expect(report.rejected).toBe(0);
    expect(report.uncountedCalls).toBe(0);
    expect(report.starts).toBeGreaterThan(STEPS / 5);
    expect(report.hungUp + report.killed).toBeGreaterThan(STEPS / 5);
    expect(report.protectedTimes).toBeGreaterThan(1);
    expect(report.ecsFailures).toBeGreaterThan(3);
    expect(metricSums([worker]).ProtectionFailures).toBeGreaterThanOrEqual(report.ecsFailures);
    expect(metricSums([worker]).JobCrashes ?? 0).toBe(report.killed);
    // Released, not left to expire after a minute.
    for (const ms of report.protectionOffDelaysMs) expect(ms).toBeLessThan(30_000);
  }, 240_000);

  it('exits at once when idle, also while processes start', async () => {
    const { warm } = await worker.health();
    for (const pid of worker.jobPids) process.kill(pid, 'SIGKILL');
    await worker.waitUntil((health) => health.warm < warm, 10_000);
    worker.signal('SIGTERM');
    const exit = await worker.exited;
    expect(exit.code).toBe(0);
    // The framework waits for a process that boots for up to a minute, unless that process is killed.
    expect(worker.lines('worker did not close')).toEqual([]);
    expect(worker.lines('worker ended')).toHaveLength(1);
    expectGoodCitizens([worker], 10, { unprotected: true });
  }, 30_000);
});
