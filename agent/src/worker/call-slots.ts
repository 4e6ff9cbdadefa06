// SPDX-License-Identifier: Apache-2.0

/** A slot in use: promised to LiveKit, or with a running call. */
export interface Slot {
  job: string;
  state: 'accepted' | 'running';
  /** Milliseconds of the clock when the slot was taken. */
  since: number;
}

/**
 * The calls that one task may have at once. Taking a slot is one synchronous step, so simultaneous offers can never
 * take more slots than there are, whatever is awaited before and after.
 */
export class CallSlots {
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
  get utilization(): number {
    return Math.min(1, this.#held.size / this.total);
  }

  /** Takes a slot for a job; false when none is free. A job that is offered again keeps its slot. */
  take(job: string, now: number): boolean {
    if (this.#held.has(job)) return true;
    if (this.free === 0) return false;
    this.#held.set(job, { job, state: 'accepted', since: now });
    return true;
  }

  /** The call is running. It counts even when its slot had been released as lost. */
  start(job: string, now: number): void {
    this.#held.set(job, { job, state: 'running', since: now });
  }

  /** Releases the slot; false when the job held none. */
  release(job: string): boolean {
    return this.#held.delete(job);
  }

  /** Jobs that were accepted before `before` and never started: LiveKit did not assign them. */
  overdue(before: number): string[] {
    return [...this.#held.values()]
      .filter((slot) => slot.state === 'accepted' && slot.since < before)
      .map((slot) => slot.job);
  }
}
