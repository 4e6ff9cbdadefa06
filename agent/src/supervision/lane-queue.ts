// SPDX-License-Identifier: Apache-2.0

/**
 * The calls of the task that wait for a Bedrock stream because every lane is full. One of them asks at a time: who called
 * first, also one that lost its stream in mid conversation.
 */
export class LaneQueue {
  /** When each call began, by job. */
  readonly #waiting = new Map<string, number>();

  /** The call whose turn it is. */
  get turn(): string | undefined {
    let first: [string, number] | undefined;
    for (const one of this.#waiting) if (!first || one[1] < first[1]) first = one;
    return first?.[0];
  }

  /** @returns whether it is the turn of another call now */
  set(job: string, calledAt: number, waits: boolean): boolean {
    const before = this.turn;
    if (waits) this.#waiting.set(job, calledAt);
    else this.#waiting.delete(job);
    return this.turn !== before;
  }
}
