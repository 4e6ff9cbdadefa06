// SPDX-License-Identifier: Apache-2.0

import type { Clock } from '../clock.js';
import type { TaskProtection } from '../ecs/task-protection.js';
import type { SessionSlots } from './call-slots.js';

/** Why a job was refused: the `reason` dimension of CallsRefused. */
export type Refusal = 'draining' | 'full' | 'protection';

export interface GateEvents {
  /** The last slot was taken (true), or one became free again (false): LiveKit should know at once. */
  onFull?: (full: boolean) => void;
  onAccepted?: (job: string) => void;
  onRefused?: (job: string, reason: Refusal) => void;
}

/**
 * Decides for each job that LiveKit offers: a slot first, because that step cannot be interrupted, then the
 * protection of the task, then the question whether we began to drain meanwhile. A refusal is immediate, so
 * that LiveKit offers the job to another task.
 */
export class JobGate {
  #draining = false;
  readonly #protected = new Set<string>();

  constructor(
    readonly slots: SessionSlots,
    readonly protection: TaskProtection,
    private readonly clock: Clock,
    private readonly events: GateEvents = {},
  ) {}

  get draining(): boolean {
    return this.#draining;
  }

  /** From now on every job is refused; the calls that are here go on. */
  drain(): void {
    this.#draining = true;
  }

  /** True: the job has a slot on a protected task, until `leave`. */
  async admit(job: string): Promise<boolean> {
    if (this.#draining) return this.#refuse(job, 'draining');
    const known = this.#protected.has(job);
    if (!this.slots.take(job, this.clock.now())) return this.#refuse(job, 'full');
    if (this.slots.free === 0) this.events.onFull?.(true);
    if (!known) {
      if (!(await this.protection.hold())) {
        this.#free(job);
        return this.#refuse(job, 'protection');
      }
      this.#protected.add(job);
    }
    if (this.#draining) {
      this.leave(job);
      return this.#refuse(job, 'draining');
    }
    this.events.onAccepted?.(job);
    return true;
  }

  /** The process of a job has begun; see SessionSlots.begin for one that nobody expected any more. */
  begin(job: string): void {
    this.slots.begin(job, this.clock.now());
    if (this.#protected.has(job)) return;
    this.#protected.add(job);
    void this.protection.hold().then((held) => {
      // The call is here all the same; what remains is to ask again when the next renewal is due.
      if (!held) this.#protected.delete(job);
    });
  }

  /** The job is gone, or was never given to us. */
  leave(job: string): void {
    this.#free(job);
    if (this.#protected.delete(job)) this.protection.release();
  }

  /** Gives up the jobs that were accepted `ms` ago and have not begun; returns them. */
  sweep(ms: number): string[] {
    const lost = this.slots.overdue(this.clock.now() - ms);
    for (const job of lost) this.leave(job);
    return lost;
  }

  #free(job: string): void {
    const wasFull = this.slots.free === 0;
    if (this.slots.release(job) && wasFull && this.slots.free > 0 && !this.#draining) {
      this.events.onFull?.(false);
    }
  }

  #refuse(job: string, reason: Refusal): false {
    this.events.onRefused?.(job, reason);
    return false;
  }
}
