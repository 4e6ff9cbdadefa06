// SPDX-License-Identifier: Apache-2.0

/** Who holds a slot: promised to LiveKit, or talking. */
export interface Slot {
  job: string;
  state: 'accepted' | 'running';
  /** Clock time at which the slot was taken. */
  since: number;
}

/**
 * The calls that one task may hold. Taking a slot is one synchronous step, so calls that arrive in the same
 * moment can never take more than there are, whatever is awaited before and after.
 */
export class SessionSlots {
  readonly #held = new Map<string, Slot>();

  /** @param total calls at once, from CALLS_PER_TASK */
  constructor(readonly total: number) {}

  get used(): number {
    return this.#held.size;
  }

  get free(): number {
    return Math.max(0, this.total - this.#held.size);
  }

  get running(): number {
    return [...this.#held.values()].filter((slot) => slot.state === 'running').length;
  }

  /** Slots in use, 0 to 1. */
  get share(): number {
    return Math.min(1, this.#held.size / this.total);
  }

  /** Takes a slot for a job; false when none is free. Asking again for the same job takes no second one. */
  take(job: string, now: number): boolean {
    if (this.#held.has(job)) return true;
    if (this.free === 0) return false;
    this.#held.set(job, { job, state: 'accepted', since: now });
    return true;
  }

  /** The job's process has begun. A call that is there counts, even one whose slot was given up as lost. */
  begin(job: string, now: number): void {
    this.#held.set(job, { job, state: 'running', since: now });
  }

  /** Gives the slot back; false when the job held none. */
  release(job: string): boolean {
    return this.#held.delete(job);
  }

  /** Jobs that were accepted before `before` and never began: LiveKit gave them to nobody. */
  overdue(before: number): string[] {
    return [...this.#held.values()]
      .filter((slot) => slot.state === 'accepted' && slot.since < before)
      .map((slot) => slot.job);
  }
}
