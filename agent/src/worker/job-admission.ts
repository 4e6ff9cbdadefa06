// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../clock.js';
import type { TaskProtection } from '../ecs/task-protection.js';
import type { CallSlots } from './call-slots.js';

/** Why a job was rejected: the `reason` dimension of the metric. */
export type RejectionReason = 'draining' | 'full' | 'protection';

export interface AdmissionEvents {
  /** The last slot was taken (true), or one became free again (false): LiveKit should know at once. */
  onFullChanged?: (full: boolean) => void;
  onAccepted?: (job: string) => void;
  onRejected?: (job: string, reason: RejectionReason) => void;
}

/**
 * Decides on each job that LiveKit offers: a slot first, because that step cannot be interrupted, then the
 * protection of the task, then whether the drain started in the meantime. A rejection is immediate, so that LiveKit
 * offers the job to another task.
 */
export class JobAdmission {
  #draining = false;
  readonly #protected = new Set<string>();

  constructor(
    readonly slots: CallSlots,
    readonly protection: TaskProtection,
    private readonly clock: MonotonicClock,
    private readonly events: AdmissionEvents = {},
  ) {}

  get draining(): boolean {
    return this.#draining;
  }

  /** Rejects every job from now on; running calls are not affected. */
  drain(): void {
    this.#draining = true;
  }

  /** True: the job has a slot on a protected task, until `release`. */
  async admit(job: string): Promise<boolean> {
    if (this.#draining) return this.#reject(job, 'draining');
    const known = this.#protected.has(job);
    if (!this.slots.take(job, this.clock.now())) return this.#reject(job, 'full');
    if (this.slots.free === 0) this.events.onFullChanged?.(true);
    if (!known) {
      if (!(await this.protection.hold())) {
        this.#freeSlot(job);
        return this.#reject(job, 'protection');
      }
      this.#protected.add(job);
    }
    if (this.#draining) {
      this.release(job);
      return this.#reject(job, 'draining');
    }
    this.events.onAccepted?.(job);
    return true;
  }

  /** The call of a job is running; CallSlots.start says what happens to one that had expired. */
  start(job: string): void {
    this.slots.start(job, this.clock.now());
    if (this.#protected.has(job)) return;
    this.#protected.add(job);
    void this.protection.hold().then((held) => {
      // The call runs all the same. Without a hold there is none to release.
      if (!held) this.#protected.delete(job);
    });
  }

  /** The call has ended, or the job was never assigned to us. */
  release(job: string): void {
    this.#freeSlot(job);
    if (this.#protected.delete(job)) this.protection.release();
  }

  /** Releases and returns the jobs that were accepted more than `ms` ago and have not started. */
  expire(ms: number): string[] {
    const expired = this.slots.overdue(this.clock.now() - ms);
    for (const job of expired) this.release(job);
    return expired;
  }

  #freeSlot(job: string): void {
    const wasFull = this.slots.free === 0;
    if (this.slots.release(job) && wasFull && this.slots.free > 0 && !this.#draining) {
      this.events.onFullChanged?.(false);
    }
  }

  #reject(job: string, reason: RejectionReason): false {
    this.events.onRejected?.(job, reason);
    return false;
  }
}
