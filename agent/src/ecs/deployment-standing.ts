// SPDX-License-Identifier: Apache-2.0

import type {
  DeploymentReading,
  ServiceReading,
  ServingTasks,
  TaskListing,
} from './service-api.js';

/**
 * Whether a task should take new calls. `current`: yes. `superseded`: tasks of a newer deployment take them. `surplus`:
 * the service wants fewer tasks, and this is one of those too many.
 */
export type Standing = 'current' | 'superseded' | 'surplus';

interface FullDeployment {
  /** Since when all its tasks have been seen running, ms of the clock. */
  since: number;
  failed: number;
  /** It can take calls. */
  ready: boolean;
}

/**
 * Works out the standing of a task from what ECS reports about its service, and from what its tasks tell each other; it
 * keeps what it saw before, and asks nobody.
 *
 * A newer deployment takes over as soon as so many of its tasks say that they take calls as are wanted. Where they cannot
 * say so it does when ECS calls it COMPLETED, which with early success means that its tasks are healthy.
 * DescribeServices does not report health otherwise: RUNNING includes tasks that never become healthy. So without
 * early success all tasks must have been running for `settleMs` without a failure, which is longer than the health
 * check lets an unhealthy one live.
 */
export class DeploymentStanding {
  readonly #own: string;
  readonly #settleMs: number;
  readonly #full = new Map<string, FullDeployment>();
  /** Deployments that ECS has named. */
  readonly #known = new Set<string>();
  /** Tasks that take calls, of the deployments that have told of some. */
  readonly #serving = new Map<string, number>();
  #last: ServiceReading | undefined;
  #superseded = false;

  /**
   * @param own id of the deployment that started the task
   * @param settleMs milliseconds that the tasks of a newer deployment must have been running
   */
  constructor(own: string, settleMs: number) {
    this.#own = own;
    this.#settleMs = settleMs;
  }

  /** Whether a reading asks for a listing of the tasks: this deployment has more of them than are wanted. */
  hasSurplus(service: ServiceReading): boolean {
    const own = service.deployments.find(({ id }) => id === this.#own);
    return own?.primary === true && own.running > service.desired;
  }

  /**
   * The standing after one more reading.
   * @param surplus this task and all that run in its deployment, when ECS was asked
   */
  observe(
    service: ServiceReading,
    now: number,
    surplus?: { taskArn: string; listing: TaskListing },
  ): Standing {
    for (const deployment of service.deployments) this.#observeOne(deployment, now);
    for (const id of this.#full.keys())
      if (!service.deployments.some((deployment) => deployment.id === id)) this.#full.delete(id);
    for (const { id } of service.deployments) this.#known.add(id);
    this.#last = service;
    this.#superseded = this.#isSuperseded(service, now);
    if (this.#superseded) return 'superseded';
    return surplus && this.hasSurplus(service) && isSurplus(service, surplus)
      ? 'surplus'
      : 'current';
  }

  /** Whether the task is superseded, now that the tasks of its service have told how many of them take calls. */
  hear(serving: readonly ServingTasks[], now: number): boolean {
    for (const deployment of this.#serving.keys()) this.#serving.set(deployment, 0);
    for (const { deployment, tasks } of serving) this.#serving.set(deployment, tasks);
    if (!this.#last) this.#begin();
    if (this.#last) this.#superseded = this.#isSuperseded(this.#last, now);
    return this.#superseded;
  }

  /** Before ECS has told anything: who was there when this task came is older, and who comes later is newer. */
  #begin(): void {
    for (const id of this.#serving.keys()) this.#known.add(id);
    if (!this.#serving.get(this.#own)) return;
    const own = { id: this.#own, primary: true, desired: 0, running: 1, failed: 0, createdAt: 0 };
    this.#last = { desired: 0, deployments: [own] };
  }

  #isSuperseded(reading: ServiceReading, now: number): boolean {
    const service = this.#withUnread(reading);
    // Before a scale-out has been read of, the tasks that are there say what is wanted.
    const wanted = Math.max(1, service.desired, this.#serving.get(this.#own) ?? 0);
    for (const { id, rolloutState, failed } of service.deployments) {
      if (rolloutState !== 'FAILED' && (this.#serving.get(id) ?? 0) >= wanted)
        this.#full.set(id, { since: now, failed, ready: true });
    }
    return this.#othersTakeCalls(service);
  }

  /** A deployment that has told of itself, and that no reading has named, is newer than the last one. */
  #withUnread({ desired, deployments }: ServiceReading): ServiceReading {
    const unread = [...this.#serving].filter(
      ([id, tasks]) => tasks > 0 && id !== this.#own && !this.#known.has(id),
    );
    if (unread.length === 0) return { desired, deployments };
    return {
      desired,
      deployments: [
        ...deployments.map((one) => ({ ...one, primary: false })),
        ...unread.map(([id, running]) => ({
          ...{ id, primary: true, desired, running, failed: 0 },
          createdAt: Number.POSITIVE_INFINITY,
        })),
      ],
    };
  }

  #observeOne(
    { id, rolloutState, desired, running, failed }: DeploymentReading,
    now: number,
  ): void {
    if (rolloutState === 'FAILED' || running === 0) {
      this.#full.delete(id);
      return;
    }
    const known = this.#full.get(id);
    // A deployment that was ready still takes calls while a newer one replaces it, also with fewer tasks.
    if (known?.ready) return;
    if (rolloutState === 'COMPLETED') {
      this.#full.set(id, { since: now, failed, ready: true });
    } else if (desired === 0 || running < desired) {
      this.#full.delete(id);
    } else if (!known || known.failed !== failed) {
      this.#full.set(id, { since: now, failed, ready: this.#settleMs <= 0 });
    } else {
      known.ready = now - known.since >= this.#settleMs;
    }
  }

  /**
   * Whether the deployments that come before this one have tasks for all calls. Once they had, half of the tasks are
   * enough: a task that starts or fails there must not bring the old code back. Of a deployment whose tasks have told
   * that they take calls those count that do.
   */
  #othersTakeCalls(service: ServiceReading): boolean {
    const own = service.deployments.find(({ id }) => id === this.#own);
    if (own?.primary) return false;
    const newer = service.deployments.filter(
      ({ id, primary, createdAt }) =>
        id !== this.#own && (primary || createdAt > (own?.createdAt ?? Number.NEGATIVE_INFINITY)),
    );
    const running = newer
      .filter(({ id }) => this.#full.get(id)?.ready)
      .reduce((sum, { id, running }) => sum + (this.#serving.get(id) ?? running), 0);
    return running > 0 && running >= service.desired * (this.#superseded ? 0.5 : 1);
  }
}

/**
 * Every task ranks the tasks of its deployment by ARN and comes to the same result: the first ones stay, as many as are
 * wanted. Of an incomplete listing the share of tasks before this one counts.
 */
function isSurplus(
  { desired, deployments }: ServiceReading,
  { taskArn, listing: { arns, complete } }: { taskArn: string; listing: TaskListing },
): boolean {
  const before = arns.filter((arn) => arn < taskArn).length;
  if (complete) return before >= desired;
  const running = deployments.find(({ primary }) => primary)?.running ?? 0;
  return before / arns.length >= desired / running;
}
