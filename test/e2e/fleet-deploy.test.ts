// SPDX-License-Identifier: Apache-2.0

import { ECSClient, UpdateServiceCommand } from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Arrivals } from '../../local/fleet/arrivals.js';
import { FOUND_NOBODY } from '../../local/fleet/deploy-run.js';
import type { EcsBehaviour } from '../../local/fleet/ecs-endpoint.js';
import type { Deployment } from '../../local/fleet/ecs-model.js';
import type { EcsScheduler } from '../../local/fleet/ecs-scheduler.js';
import type { EcsService, WorkerDefinition } from '../../local/fleet/ecs-service.js';
import { Fleet } from '../../local/fleet/worker-fleet.js';
import { expectGoodCitizens, FLEET_PATIENCE_MS } from './fleet-support.js';

const SLOTS = 10;
/** Each takes up to a fifth of a core. The rules with more: test/local/fleet/deployments.test.ts, in virtual time. */
const CALLS = 8;
/** Length of a call. */
const CALL_MS = [15_000, 30_000] as const;
const CHECK_S = 2;
/** After this a caller is offered again: on a busy machine LiveKit's 3 s for a job request may pass unused. */
const OFFER_MS = 10_000;

describe('a service with calls that never stop', () => {
  let fleet: Fleet;
  let service: EcsService;
  let arrivals: Arrivals;
  let ecs: ECSClient;

  const env = {
    CALLS_PER_PROCESS: String(SLOTS),
    DEPLOYMENT_CHECK_S: String(CHECK_S),
    MAX_CALL_S: '120',
  };
  /** What ECS does with the next requests for protection; with the others, what it should. */
  const faults: EcsBehaviour[] = [];
  const definition = (revision: number, more: NodeJS.ProcessEnv = {}): WorkerDefinition => ({
    name: `agent:${revision}`,
    stopTimeoutMs: 120_000,
    healthCheck: { intervalMs: 500, retries: 20, startPeriodMs: 30_000 },
    ecs: { behaviour: () => faults.shift() ?? 'ok' },
    env: { ...env, ...more },
  });
  const workersOf = (deployment: Deployment) =>
    service.scheduler.tasks.flatMap((task) =>
      task.deployment === deployment ? (service.worker(task) ?? []) : [],
    );
  const completed = ({ primary }: EcsScheduler) => primary.rolloutState === 'COMPLETED';
  /** How a call is accepted, in the log of a worker. */
  const accepted = (deployment: Deployment, after = 0) =>
    workersOf(deployment).flatMap((worker) =>
      worker.lines('call accepted').filter(({ time = 0 }) => time > after),
    );
  const nobody: string[] = [];
  const expectNobodyLost = () => {
    expect(arrivals.lost).toEqual([]);
    expect(nobody).toEqual([]);
  };

  beforeAll(async () => {
    fleet = await Fleet.start({
      callsPerTask: SLOTS,
      streamsPerRegion: 100,
      onLiveKitLine: (line) => FOUND_NOBODY.test(line) && nobody.push(line),
    });
    ecs = new ECSClient({
      endpoint: fleet.ecs.url,
      region: 'us-east-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    });
    service = fleet.createService({
      circuitBreaker: { enable: true, rollback: true },
      earlySuccessPercent: 100,
      // Unverified: also the worse case must hold.
      renewalBlocked: true,
    });
    service.scheduler.update({ desired: 3, definition: definition(1) });
    await service.waitUntil('the first deployment is COMPLETED', completed, FLEET_PATIENCE_MS);
    const endReason = (jobId: string) =>
      service.workers
        .flatMap((worker) => worker.lines('call ended'))
        .find((line) => line.call_id === jobId)?.end_reason ?? 'not logged';
    arrivals = new Arrivals(fleet, {
      lines: CALLS,
      callMs: CALL_MS,
      offerMs: OFFER_MS,
      patienceMs: FLEET_PATIENCE_MS,
      endReason,
    });
    await arrivals.start();
  }, 180_000);
  afterAll(async () => {
    await arrivals?.end();
    ecs?.destroy();
    await fleet?.stop();
  }, 60_000);

  it('scales in under calls: the task too many empties itself, and no call is cut', async () => {
    service.scheduler.update({ desired: 2 });
    const two = (scheduler: EcsScheduler) => scheduler.live().length === 2;
    await service.waitUntil('two tasks are left', two, CALL_MS[1] + FLEET_PATIENCE_MS);
    const surplus = service.scheduler.tasks.find(({ status }) => status !== 'RUNNING');
    const worker = surplus && service.worker(surplus);
    expect((await worker?.exited)?.code).toBe(0);
    expect(worker?.lines('standing in the service changed')).toMatchObject([
      { standing: 'surplus' },
    ]);
    expectNobodyLost();
  }, 180_000);

  it('keeps its tasks when a revision is broken and ECS rolls it back, and its API is ill', async () => {
    const good = service.scheduler.primary;
    // One read after the other takes 4 s, hangs, or fails.
    const asked = fleet.ecs.apiRequests.length;
    const turn = () => (fleet.ecs.apiRequests.length - asked) % 3;
    fleet.ecs.apiFaults = {
      delayMs: () => (turn() === 1 ? 4_000 : 0),
      behaviour: () => (['broken', 'ok', 'silent'] as const)[turn()] ?? 'ok',
    };
    const broken = { LIVEKIT_API_SECRET: 'x'.repeat(32), REGISTER_TIMEOUT_S: '1' };
    service.scheduler.update({ definition: definition(2, broken) });
    const bad = service.scheduler.primary;
    const rolledBack = ({ primary }: EcsScheduler) => primary === good;
    await service.waitUntil('it is rolled back', rolledBack, FLEET_PATIENCE_MS);
    fleet.ecs.apiFaults = {};
    expect(fleet.ecs.apiRequests.length - asked).toBeGreaterThan(1);
    expect(bad.rolloutState).toBe('FAILED');
    expect(service.scheduler.live(good)).toHaveLength(2);
    for (const task of service.scheduler.live(good))
      expect(service.worker(task)?.lines('standing in the service changed')).toEqual([]);
    expectNobodyLost();
  }, 120_000);

  it('replaces busy tasks by a forced deployment: no call is cut and no caller lost', async () => {
    const old = service.scheduler.primary;
    const deployedAt = Date.now();
    // The first requests for protection of the new tasks: one hangs, one fails.
    faults.push('silent', 'broken');
    const update = { service: service.scheduler.name, forceNewDeployment: true };
    await ecs.send(new UpdateServiceCommand(update));
    const fresh = service.scheduler.primary;
    expect(fresh.id).not.toBe(old.id);
    await service.waitUntil('the new tasks are healthy', completed, FLEET_PATIENCE_MS);
    const healthyAt = Date.now();
    const longest = CALL_MS[1] + 60_000;
    const gone = ({ deployments }: EcsScheduler) => !deployments.includes(old);
    await service.waitUntil('the old tasks are gone', gone, longest);
    const seconds = Math.round((Date.now() - healthyAt) / 1000);
    process.stderr.write(`the old tasks were gone ${seconds} s after the new ones were healthy\n`);
    const stopped = workersOf(old).filter((worker) =>
      worker
        .lines('draining: no new calls, waiting for the last one')
        .some(({ time = 0 }) => time > deployedAt),
    );
    expect(stopped).toHaveLength(2);
    for (const worker of stopped) {
      expect((await worker.exited).code).toBe(0);
      const [superseded] = worker.lines('standing in the service changed');
      expect(superseded?.standing).toBe('superseded');
      // Virtual time has how soon it finds out: test/local/fleet/deployments.test.ts.
      const time = superseded?.time ?? 0;
      expect(worker.lines('call accepted').filter((line) => (line.time ?? 0) > time)).toEqual([]);
    }
    expect(accepted(fresh, healthyAt).length).toBeGreaterThan(0);
    // ECS hung and failed, and the protected old tasks left them no protection (DEPLOYMENT_BLOCKED): taken all the same, and
    // counted.
    expect(faults).toEqual([]);
    expect(accepted(fresh).some(({ unprotected }) => unprotected)).toBe(true);
    expectNobodyLost();
  }, 180_000);

  it('emits valid metrics, one JSON object a line, and no personal data', () => {
    const workers = service.workers.filter((worker) => worker.lines('call accepted').length > 0);
    expect(workers.length).toBeGreaterThan(3);
    expectGoodCitizens(workers, SLOTS, { unprotected: true });
  });
});
