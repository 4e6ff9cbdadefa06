// SPDX-License-Identifier: Apache-2.0

import { setTimeout as pause } from 'node:timers/promises';
import { random } from './chance.js';
import type { EcsAgentOptions, EcsBehaviour } from './ecs-agent.js';
import type { Fleet } from './fleet.js';
import type { RemoteCaller } from './remote-caller.js';
import { unprotected } from './report.js';
import type { WorkerProcess } from './worker-process.js';

/** What the trace's worker is told: short times, so that protection comes and goes often. */
export const TRACE_ENV = { PROTECTION_GRACE_S: '1', PROTECTION_EXPIRES_MIN: '1' };
const GRACE_MS = 1_000;
const MOST_LIVE = 3;
const PATIENCE_MS = 60_000;

/** What happened in a trace. */
export interface Trace {
  starts: number;
  refused: number;
  /** Ends by hanging up, and by SIGKILL of the call's process. */
  hungUp: number;
  killed: number;
  /** Requests to ECS, and those that it did not confirm. */
  asked: number;
  failed: number;
  /** How often protection came on. */
  protectedTimes: number;
  /** Calls that were live in a moment when ECS did not hold the task for protected. */
  bare: number;
  /** From the last call's end to the end of protection, where ECS confirmed at once; ms. */
  offAfterMs: number[];
}

/** ECS's agent at its worst, while `on`: four requests in ten fail, in every way, and answers take their time. */
export class RoughEcs implements EcsAgentOptions {
  on = false;
  readonly #chance: () => number;

  constructor(seed: number) {
    this.#chance = random(seed);
  }

  readonly behaviour = (): EcsBehaviour => {
    const roll = this.on ? this.#chance() : 1;
    if (roll < 0.15) return 'blocked';
    if (roll < 0.25) return 'broken';
    if (roll < 0.35) return 'denied';
    return roll < 0.4 ? 'silent' : 'ok';
  };

  readonly delayMs = (): number => (this.on ? Math.floor(this.#chance() * 400) : 0);
}

/**
 * Calls that start and end at random on one worker, whose ECS agent fails at random; the same choices for the same
 * seed. The worker must be alone in the fleet, and have been started with `TRACE_ENV` and `ecs`.
 */
export async function protectionTrace(
  fleet: Fleet,
  worker: WorkerProcess,
  ecs: RoughEcs,
  options: { steps: number; seed: number; onStep?: (step: number, live: number) => void },
): Promise<Trace> {
  const chance = random(options.seed);
  const trace = { starts: 0, refused: 0, hungUp: 0, killed: 0 };
  const live: RemoteCaller[] = [];
  const [requests, changes] = [worker.ecs.requests.length, worker.ecs.changes.length];
  ecs.on = true;
  for (let step = 0; step < options.steps; step++) {
    options.onStep?.(step, live.length);
    // Now and then idle for about the grace period, so that protection goes off, or just not.
    if (live.length === 0 && chance() < 0.6) {
      await worker.until((health) => health.calls === 0, PATIENCE_MS);
      await pause(chance() * 3 * GRACE_MS);
    }
    if (live.length > 0 && (live.length === MOST_LIVE || chance() < 0.6)) {
      const [caller] = live.splice(Math.floor(chance() * live.length), 1) as [RemoteCaller];
      const pid = worker.pidOf(caller.job);
      if (pid && chance() < 0.15) {
        process.kill(pid, 'SIGKILL');
        await worker.line((l) => l.msg === 'call ended' && l.call_id === caller.job, PATIENCE_MS);
        trace.killed += 1;
      } else {
        trace.hungUp += 1;
      }
      await fleet.hangUp([caller]);
    } else {
      const caller = await start(fleet, worker);
      if (caller) live.push(caller);
      if (caller) trace.starts += 1;
      else trace.refused += 1;
    }
  }
  ecs.on = false;
  await fleet.hangUp(live);
  await worker.until((health) => health.calls === 0, PATIENCE_MS);
  await worker.ecs.until(false, PATIENCE_MS);
  const asked = worker.ecs.requests.slice(requests);
  return {
    ...trace,
    asked: asked.length,
    failed: asked.filter(({ behaviour }) => behaviour !== 'ok').length,
    protectedTimes: worker.ecs.changes.slice(changes).filter((change) => change.protected).length,
    bare: unprotected(worker),
    offAfterMs: offAfter(worker),
  };
}

/** Offers a call; undefined when the worker refused it. */
async function start(fleet: Fleet, worker: WorkerProcess): Promise<RemoteCaller | undefined> {
  const [caller] = (await fleet.join(1)) as [RemoteCaller];
  const refusals = () => worker.lines('call rejected').length;
  const before = refusals();
  const offer = await fleet.offer(caller);
  const refused = worker.line(() => refusals() > before, PATIENCE_MS).then(() => true);
  const taken = caller.untilAgent(PATIENCE_MS).then(() => false);
  // The one that does not come about rejects when nobody waits for it any more.
  refused.catch(() => {});
  if (!(await Promise.race([refused, taken]))) return caller;
  await offer.withdraw();
  await fleet.hangUp([caller]);
  return undefined;
}

/** How long protection stayed on after each last call whose end ECS was asked about once, and confirmed. */
function offAfter(worker: WorkerProcess): number[] {
  const ends = worker.lines('call ended').map((line) => line.time ?? 0);
  return worker.ecs.changes.flatMap((change, i) => {
    const on = worker.ecs.changes[i - 1]?.at ?? 0;
    const last = ends.findLast((at) => at < change.at && at > on);
    if (change.protected || last === undefined) return [];
    const asked = worker.ecs.requests.filter(({ at }) => at > last && at <= change.at);
    return asked.length === 1 ? [change.at - last] : [];
  });
}
