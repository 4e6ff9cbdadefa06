// SPDX-License-Identifier: Apache-2.0

/** How long to wait for a missing item, in ms; then it is skipped. */
const GAP_TIMEOUT_MS = 6_000;

/** Delivers numbered items once and in order, and requests missing ones again. */
export class ReorderBuffer<T> {
  readonly #deliver: (item: T) => void;
  readonly #requestFrom: (seq: number) => void;
  #next = 0;
  readonly #early = new Map<number, T>();
  #gapSince: number | undefined;
  #ended = false;

  /** @param requestFrom asks the sender to send again everything from `seq` */
  constructor(deliver: (item: T) => void, requestFrom: (seq: number) => void) {
    this.#deliver = deliver;
    this.#requestFrom = requestFrom;
  }

  add(seq: number, item: T): void {
    if (seq < this.#next) return;
    this.#early.set(seq, item);
    if (this.#ended) this.end();
    else this.#flush();
  }

  /** Call about once a second: requests what is missing, or everything while nothing has arrived. */
  tick(now: number): void {
    if (this.#next > 0 && this.#early.size === 0) {
      this.#gapSince = undefined;
      return;
    }
    this.#gapSince ??= now;
    if (now - this.#gapSince < GAP_TIMEOUT_MS) {
      this.#requestFrom(this.#next);
    } else if (this.#early.size > 0) {
      this.#next = Math.min(...this.#early.keys());
      this.#gapSince = undefined;
      this.#flush();
    }
  }

  /** Call after a time in which items may have been lost. */
  catchUp(): void {
    this.#gapSince = undefined;
    this.#requestFrom(this.#next);
  }

  /** Call when nothing can be sent again any more: delivers what has arrived, and what still arrives, at once. */
  end(): void {
    this.#ended = true;
    for (const seq of [...this.#early.keys()].sort((a, b) => a - b)) {
      this.#next = seq;
      this.#flush();
    }
  }

  #flush(): void {
    for (;;) {
      const item = this.#early.get(this.#next);
      if (item === undefined) return;
      this.#early.delete(this.#next);
      this.#next++;
      this.#deliver(item);
    }
  }
}
