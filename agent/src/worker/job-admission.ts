// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../clock.js';
import type { Standing } from '../ecs/deployment-standing.js';
import type { TaskProtection } from '../ecs/task-protection.js';
import type { CallSlots } from './call-slots.js';

/** Why a job was rejected: the `reason` dimension of the metric. */
export type RejectionReason = 'draining' | 'full' | 'line' | Exclude<Standing, 'current'>;

/**
 * For so long after it was full a task may have a free slot that somebody waits for: the watcher looks for one twice
 * in that time.
 */
const CONTESTED_MS = 2_000;

export interface AdmissionEvents {
  /** The last slot was taken (true), or one became free again (false): LiveKit should know at once. */
  onFullChanged?: (full: boolean) => void;
  /** @param unprotected ECS has not confirmed protection that lasts as long as the longest call */
  onAccepted?: (job: string, unprotected: boolean) => void;
  onRejected?: (job: string, reason: RejectionReason) => void;
}

/**
 * LiveKit gives up on a job request after 3 s, all workers that it tries included. A request for protection that takes
 * longer than this is not worth losing the caller.
 */
const PROTECTION_WAIT_MS = 500;

/**
 * Decides on each job that LiveKit offers: a slot first, because that step cannot be interrupted, then a moment for the
 * protection of the task, unless it is there already, then whether the task stopped accepting in the meantime. Without
 * protection the call is taken all the same: a caller whom nobody answers is worse off than one whose task ECS might
 * stop. A rejection is immediate, so that LiveKit offers the job to another task.
 */
export class JobAdmission {
  #draining = false;
  #standing: Standing = 'current';
  readonly #held = new Set<string>();
  /** When there was last no free slot. */
  #fullAt = Number.NEGATIVE_INFINITY;

  constructor(
    readonly slots: CallSlots,
    readonly protection: TaskProtection,
    private readonly clock: MonotonicClock,
    private readonly events: AdmissionEvents = {},
  ) {}

  /** Whether the process is going to exit. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Whether somebody may be waiting for the slots that are free. */
  get contested(): boolean {
    return this.clock.now() - this.#fullAt < CONTESTED_MS;
  }

  /** Why no job is accepted now, whatever slots are free; undefined: jobs are accepted. */
  get refusal(): Exclude<RejectionReason, 'full' | 'line'> | undefined {
    if (this.#draining) return 'draining';
    return this.#standing === 'current' ? undefined : this.#standing;
  }

  /** Rejects every job from now on; running calls are not affected. */
  drain(): void {
    this.#draining = true;
  }

  /** Rejects jobs until the standing is `current` again; running calls are not affected. */
  set standing(standing: Standing) {
    this.#standing = standing;
  }

  /**
   * True: the job has a slot, until `release`.
   * @param isTurn asked about a slot that somebody may be waiting for: whether it is this caller's turn
   */
  async admit(job: string, isTurn: () => Promise<boolean> = async () => true): Promise<boolean> {
    if (this.refusal) return this.#reject(job, this.refusal);
    if (this.contested && this.slots.free > 0 && !(await isTurn()))
      return this.#reject(job, 'line');
    if (this.refusal) return this.#reject(job, this.refusal);
    if (!this.slots.take(job, this.clock.now())) return this.#reject(job, 'full');
    if (this.slots.free === 0) this.events.onFullChanged?.(true);
    this.#hold(job);
    const covered = await this.protection.ensure(PROTECTION_WAIT_MS);
    if (this.refusal) {
      this.release(job);
      return this.#reject(job, this.refusal);
    }
    this.events.onAccepted?.(job, !covered);
    return true;
  }

  /** The call of a job is running; CallSlots.start says what happens to one that had expired. */
  start(job: string): void {
    this.slots.start(job, this.clock.now());
    this.#hold(job);
  }

  /** The call has ended, or the job was never assigned to us. */
  release(job: string): void {
    this.#freeSlot(job);
    if (this.#held.delete(job)) this.protection.release();
  }

  /** Releases and returns the jobs that were accepted more than `ms` ago and have not started. */
  expire(ms: number): string[] {
    const expired = this.slots.overdue(this.clock.now() - ms);
    for (const job of expired) this.release(job);
    return expired;
  }

  #hold(job: string): void {
    if (this.#held.has(job)) return;
    this.#held.add(job);
    this.protection.hold();
  }

  #freeSlot(job: string): void {
    const wasFull = this.slots.free === 0;
    if (wasFull) this.#fullAt = this.clock.now();
    if (this.slots.release(job) && wasFull && this.slots.free > 0 && !this.refusal) {
      this.events.onFullChanged?.(false);
    }
  }

  #reject(job: string, reason: RejectionReason): false {
    this.events.onRejected?.(job, reason);
    return false;
  }
}
