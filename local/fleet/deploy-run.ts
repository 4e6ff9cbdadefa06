// SPDX-License-Identifier: Apache-2.0

import { setTimeout as delay } from 'node:timers/promises';
import { HEALTH_CHECK_INTERVAL_S } from '../../lib/service/health-interval.js';
import { Arrivals } from './arrivals.js';
import { ECS_FAULTS, type EcsFault } from './ecs-faults.js';
import { type Deployment, EcsError } from './ecs-model.js';
import type { EcsService, WorkerDefinition } from './ecs-service.js';
import type { Fleet } from './worker-fleet.js';

/**
 * `once`: a forced deployment. `six`: six of them in a row. `broken`: a revision that never registers, rolled back by ECS.
 * `evening`: no deployment; no more callers come, and ECS wants one task only.
 */
export const DEPLOY_KINDS = ['once', 'six', 'broken', 'evening'] as const;
export type DeployKind = (typeof DEPLOY_KINDS)[number];

export interface DeployRunOptions {
  kind: DeployKind;
  tasks: number;
  /** Calls in progress. */
  calls: number;
  /** Least and greatest length of a call, in ms. */
  callMs: readonly [number, number];
  /** ECS refuses to renew protection while more tasks are protected than the service wants. */
  renewalRefused: boolean;
  fault: EcsFault;
  onStatus: (line: string) => void;
}

export interface DeployReport {
  /** Calls that were answered. */
  answered: number;
  cut: number;
  /** Callers whom nobody answered in a minute. */
  unanswered: number;
  /** How often LiveKit found no worker with a free slot: before the deployment, and from then on. */
  nobody: { before: number; after: number };
  /** From the deployment until its tasks were healthy; undefined when it was rolled back. Seconds. */
  healthyS: number | undefined;
  /** From then until the last of the old tasks took no more calls, negative: before that. Seconds. */
  supersededS: number | undefined;
  /** Calls that old tasks accepted after that, and when the last of them came, in seconds. */
  callsToOld: number;
  lastToOldS: number;
  /** From then, or from the evening, until the old tasks were gone; undefined when they are there still. Seconds. */
  goneS: number | undefined;
  /** Calls that tasks accepted without confirmed protection. */
  unprotected: number;
  /** Exit codes of the old tasks. */
  exits: number[];
}

/** LiveKit found nobody to answer a caller. Rooms of the watcher want nobody, and no agent is dispatched to participants. */
export const FOUND_NOBODY = /no worker (is )?available(?!.*(JT_PARTICIPANT|nova-sonic-watcher))/;

const PATIENCE_MS = 60_000;
const START_MS = 120_000;
/** A third of the default, and longer than a new task takes to start here: so the tasks hear of a deployment from each other. */
const CHECK_S = 20;
const SIX = 6;
const BETWEEN_MS = 10_000;

/**
 * Deploys under calls that never stop; in the evening, takes tasks away under calls that end.
 * @param nobody lines of LiveKit's log that match FOUND_NOBODY, as they come
 */
export async function runDeploy(
  fleet: Fleet,
  options: DeployRunOptions,
  nobody: readonly string[],
): Promise<DeployReport> {
  const { kind, tasks, calls, callMs, renewalRefused, fault, onStatus } = options;
  fleet.ecs.apiFaults = ECS_FAULTS[fault];
  const service = fleet.createService({
    circuitBreaker: { enable: true, rollback: true },
    earlySuccessPercent: 100,
    renewalBlocked: renewalRefused,
  });
  onStatus(`starting ${tasks} tasks`);
  service.scheduler.update({ desired: tasks, definition: definition(1, options) });
  await completed(service, 'the first deployment');
  const arrivals = new Arrivals(fleet, {
    lines: calls,
    callMs,
    offerMs: 10_000,
    patienceMs: PATIENCE_MS,
  });
  onStatus(`${calls} callers, and another whenever one hangs up`);
  await arrivals.start();
  await delay(callMs[1] / 2);
  const before = nobody.length;
  const old = new Set(service.scheduler.deployments);
  const at = Date.now();
  let healthyAt: number | undefined;
  let goneAt: number | undefined;
  const gone = async (begun: number, holds: () => boolean) => {
    const deadline = begun + callMs[1] + PATIENCE_MS;
    while (!holds() && Date.now() < deadline) await delay(50);
    if (holds()) goneAt = Date.now();
    onStatus(goneAt ? 'the old tasks are gone' : 'old tasks are still there');
  };
  if (kind === 'evening') {
    onStatus('one task is wanted, and no more callers come');
    service.scheduler.update({ desired: 1 });
    void arrivals.close();
    await gone(at, () => service.scheduler.live().length === 1);
  } else {
    onStatus('deploying');
    if (kind === 'broken') await deployBroken(service, options);
    else {
      await deployForced(service, kind === 'six' ? SIX : 1, old);
      healthyAt = Date.now();
      onStatus('the new tasks are healthy');
      await gone(healthyAt, () => !service.scheduler.deployments.some((one) => old.has(one)));
    }
  }
  // What happens to those who come afterwards belongs to it.
  await delay(callMs[0] / 2);
  await (kind === 'evening' ? arrivals.close() : arrivals.end());
  const { scheduler } = service;
  const live = new Set(kind === 'evening' ? scheduler.live() : []);
  const ofOld = scheduler.tasks
    .filter((task) => old.has(task.deployment) && !live.has(task))
    .flatMap((task) => service.worker(task) ?? []);
  const late = ofOld
    .flatMap((worker) => worker.lines('call accepted'))
    .flatMap(({ time = 0 }) => (healthyAt && time > healthyAt ? [time - healthyAt] : []));
  const supersededAt = ofOld.flatMap((worker) =>
    worker
      .lines('standing in the service changed')
      .flatMap(({ time = 0, standing }) => (standing === 'superseded' && time > at ? [time] : [])),
  );
  const accepted = service.workers.flatMap((worker) => worker.lines('call accepted'));
  return {
    answered: arrivals.all.filter(({ answered }) => answered).length,
    cut: arrivals.all.filter(({ cut }) => cut).length,
    unanswered: arrivals.all.filter(({ answered }) => answered === false).length,
    nobody: { before, after: nobody.length - before },
    healthyS: healthyAt && (healthyAt - at) / 1000,
    supersededS:
      healthyAt && supersededAt.length > 0
        ? (Math.max(...supersededAt) - healthyAt) / 1000
        : undefined,
    callsToOld: late.length,
    lastToOldS: Math.max(0, ...late) / 1000,
    goneS: goneAt && (goneAt - (healthyAt ?? at)) / 1000,
    unprotected: accepted.filter(({ unprotected }) => unprotected).length,
    exits: goneAt ? await Promise.all(ofOld.map(async (worker) => (await worker.exited).code)) : [],
  };
}

function definition(
  revision: number,
  { fault, callMs }: DeployRunOptions,
  more: NodeJS.ProcessEnv = {},
): WorkerDefinition {
  return {
    name: `agent:${revision}`,
    stopTimeoutMs: 120_000,
    healthCheck: {
      intervalMs: HEALTH_CHECK_INTERVAL_S * 1_000,
      retries: 20,
      startPeriodMs: START_MS,
    },
    ecs: ECS_FAULTS[fault],
    env: {
      DEPLOYMENT_CHECK_S: String(CHECK_S),
      MAX_CALL_S: String(Math.ceil(callMs[1] / 1000) + 60),
      ...more,
    },
  };
}

const completed = (service: EcsService, what: string) =>
  service.waitUntil(
    `${what} is COMPLETED`,
    ({ primary }) => primary.rolloutState === 'COMPLETED',
    START_MS,
  );

async function deployBroken(service: EcsService, options: DeployRunOptions): Promise<void> {
  const good = service.scheduler.primary;
  const broken = { LIVEKIT_API_SECRET: 'x'.repeat(32), REGISTER_TIMEOUT_S: '1' };
  service.scheduler.update({ definition: definition(2, options, broken) });
  await service.waitUntil('it is rolled back', ({ primary }) => primary === good, START_MS);
}

/** Forces so many deployments; all but the last are added to the old ones. ECS refuses one while five have not ended. */
async function deployForced(
  service: EcsService,
  count: number,
  old: Set<Deployment>,
): Promise<void> {
  for (let done = 0; done < count; ) {
    try {
      service.scheduler.update({ forceNewDeployment: true });
      done += 1;
      if (done === count) break;
      old.add(service.scheduler.primary);
    } catch (error) {
      if (!(error instanceof EcsError)) throw error;
    }
    await delay(BETWEEN_MS);
  }
  await completed(service, 'the last deployment');
}

/** What of a report breaks the promises of the service. */
export function brokenPromises(
  report: DeployReport,
  { callMs, fault, kind }: Pick<DeployRunOptions, 'callMs' | 'fault' | 'kind'>,
): string[] {
  const problems = [
    report.cut > 0 && `${report.cut} calls were cut`,
    report.unanswered > 0 && `${report.unanswered} callers were never answered`,
    report.nobody.after > report.nobody.before &&
      `LiveKit found nobody ${report.nobody.after} times, and ${report.nobody.before} times before`,
  ];
  // A task that ECS does not answer goes on serving.
  if (kind !== 'broken' && (fault === 'none' || fault === 'slow')) {
    problems.push(
      report.callsToOld > 0 &&
        `old tasks took calls for ${report.lastToOldS} s after the new ones were healthy`,
      report.goneS === undefined &&
        `tasks that nobody needs any more were there for ${callMs[1] / 1000 + 60} s`,
    );
  }
  return problems.filter((problem) => problem !== false);
}
