// SPDX-License-Identifier: Apache-2.0

import { setTimeout as delay } from 'node:timers/promises';
import seedrandom from 'seedrandom';
import { uncountedCalls, unprotectedCalls } from './analysis.js';
import type { EcsBehaviour, EcsFaults } from './ecs-endpoint.js';
import type { RemoteCaller } from './remote-caller.js';
import type { Fleet } from './worker-fleet.js';
import type { WorkerProcess } from './worker-process.js';

/**
 * Environment of the worker under test: short times, and as if the ECS API did not answer, so that protection is
 * switched often.
 */
export const CHAOS_ENV = {
  PROTECTION_GRACE_S: '1',
  // A call whose process is killed ends.
  RESUME_CALL_INSTRUCTIONS: 'off',
  PROTECTION_EXPIRES_MIN: '1',
  ECS_CONTAINER_METADATA_URI_V4: '',
  // Nor another agent for a caller whose agent was killed.
  WATCHER_REQUESTS_PER_S: '0',
};
const GRACE_MS = 1_000;
const MAX_LIVE_CALLS = 3;
const TIMEOUT_MS = 60_000;

export interface ChaosReport {
  starts: number;
  rejected: number;
  /** Calls ended by the caller, and by SIGKILL of the call's process. */
  hungUp: number;
  killed: number;
  /** Requests to ECS, and those that it did not confirm. */
  ecsRequests: number;
  ecsFailures: number;
  /** How often protection was switched on. */
  protectedTimes: number;
  /** Calls that were live while ECS did not hold the task protected. */
  unprotectedCalls: number;
  /** Those of them that the worker did not count as unprotected when it accepted them. */
  uncountedCalls: number;
  /** From the end of the last call to the end of protection, where ECS confirmed the first request; ms. */
  protectionOffDelaysMs: number[];
}

/** While `failing`, four requests in ten fail, in every possible way, and responses are delayed. */
export class FlakyEcsAgent implements EcsFaults {
  failing = false;
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seedrandom(String(seed));
  }

  readonly behaviour = (): EcsBehaviour => {
    const roll = this.failing ? this.#random() : 1;
    if (roll < 0.15) return 'blocked';
    if (roll < 0.25) return 'broken';
    if (roll < 0.35) return 'denied';
    return roll < 0.4 ? 'silent' : 'ok';
  };

  readonly delayMs = (): number => (this.failing ? Math.floor(this.#random() * 400) : 0);
}

/**
 * Starts and ends calls at random on one worker whose ECS agent fails at random. The same seed makes the same choices.
 * The worker must be the only one of the fleet, started with `CHAOS_ENV` and `ecs`.
 */
export async function runProtectionChaos(
  fleet: Fleet,
  worker: WorkerProcess,
  ecs: FlakyEcsAgent,
  options: { steps: number; seed: number; onStep?: (step: number, live: number) => void },
): Promise<ChaosReport> {
  const random = seedrandom(String(options.seed));
  const counts = { starts: 0, rejected: 0, hungUp: 0, killed: 0 };
  const live: RemoteCaller[] = [];
  const [requests, changes] = [worker.ecs.requests.length, worker.ecs.changes.length];
  ecs.failing = true;
  for (let step = 0; step < options.steps; step++) {
    options.onStep?.(step, live.length);
    // Sometimes stay idle for about the grace period, so that protection ends, or almost does.
    if (live.length === 0 && random() < 0.6) {
      await worker.waitUntil((health) => health.calls === 0, TIMEOUT_MS);
      await delay(random() * 3 * GRACE_MS);
    }
    if (live.length > 0 && (live.length === MAX_LIVE_CALLS || random() < 0.6)) {
      const [caller] = live.splice(Math.floor(random() * live.length), 1) as [RemoteCaller];
      const pid = worker.pidOf(caller.jobId);
      if (pid && random() < 0.15) {
        // Whose caller has hung up must not be ended by the process's death instead.
        await worker.waitUntil((health) => health.calls === live.length + 1, TIMEOUT_MS);
        // A process may carry other calls, too.
        const lost = [caller, ...live.filter(({ jobId }) => worker.pidOf(jobId) === pid)];
        process.kill(pid, 'SIGKILL');
        for (const { jobId } of lost) {
          await worker.waitForLine(
            ({ msg, call_id }) => msg === 'call ended' && call_id === jobId,
            TIMEOUT_MS,
          );
          counts.killed += 1;
        }
        for (const other of lost.slice(1)) live.splice(live.indexOf(other), 1);
        await fleet.hangUp(lost);
      } else {
        counts.hungUp += 1;
        await fleet.hangUp([caller]);
      }
    } else {
      const caller = await startCall(fleet, worker);
      if (caller) live.push(caller);
      if (caller) counts.starts += 1;
      else counts.rejected += 1;
    }
  }
  ecs.failing = false;
  await fleet.hangUp(live);
  await worker.waitUntil((health) => health.calls === 0, TIMEOUT_MS);
  await worker.ecs.waitUntilProtected(false, TIMEOUT_MS);
  const ecsRequests = worker.ecs.requests.slice(requests);
  return {
    ...counts,
    ecsRequests: ecsRequests.length,
    ecsFailures: ecsRequests.filter(({ behaviour }) => behaviour !== 'ok').length,
    protectedTimes: worker.ecs.changes.slice(changes).filter((change) => change.protected).length,
    unprotectedCalls: unprotectedCalls(worker),
    uncountedCalls: uncountedCalls(worker),
    protectionOffDelaysMs: protectionOffDelays(worker),
  };
}

/** Offers a call; undefined when the worker rejected it. */
async function startCall(fleet: Fleet, worker: WorkerProcess): Promise<RemoteCaller | undefined> {
  const [caller] = (await fleet.joinCallers(1)) as [RemoteCaller];
  const rejections = () => worker.lines('call rejected').length;
  const before = rejections();
  const offer = await fleet.offer(caller);
  const rejected = worker.waitForLine(() => rejections() > before, TIMEOUT_MS).then(() => true);
  const taken = caller.waitForAgent(TIMEOUT_MS).then(() => false);
  // The one that does not happen rejects after the race.
  rejected.catch(() => {});
  if (!(await Promise.race([rejected, taken]))) return caller;
  await offer.withdraw();
  await fleet.hangUp([caller]);
  return undefined;
}

/** How long protection lasted after each last call, where one request to ECS was enough to end it. */
function protectionOffDelays(worker: WorkerProcess): number[] {
  const ends = worker.lines('call ended').map((line) => line.time ?? 0);
  return worker.ecs.changes.flatMap((change, i) => {
    const on = worker.ecs.changes[i - 1]?.at ?? 0;
    const last = ends.findLast((at) => at < change.at && at > on);
    if (change.protected || last === undefined) return [];
    const requests = worker.ecs.requests.filter(({ at }) => at <= change.at);
    // A request that got no answer holds up the next one.
    const heldUp = requests.at(-2)?.behaviour === 'silent';
    const afterLast = requests.filter(({ at }) => at > last);
    return afterLast.length === 1 && !heldUp ? [change.at - last] : [];
  });
}
