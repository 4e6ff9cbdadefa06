// SPDX-License-Identifier: Apache-2.0

/** How long a gap is waited for, ms: what does not come then is gone. */
const GAP_MS = 6_000;

/** Delivers numbered things once and in order, and asks again for those that are missing. */
export class InOrder<T> {
  readonly #deliver: (thing: T) => void;
  readonly #ask: (from: number) => void;
  #next = 0;
  #early = new Map<number, T>();
  #gapSince: number | undefined;

  constructor(deliver: (thing: T) => void, ask: (from: number) => void) {
    this.#deliver = deliver;
    this.#ask = ask;
  }

  take(seq: number, thing: T): void {
    if (seq < this.#next) return;
    this.#early.set(seq, thing);
    this.#flush();
  }

  /** Called about every second: asks while nothing has come at all, or something is missing. */
  tick(now: number): void {
    if (this.#next > 0 && this.#early.size === 0) {
      this.#gapSince = undefined;
      return;
    }
    this.#gapSince ??= now;
    if (now - this.#gapSince < GAP_MS) {
      this.#ask(this.#next);
    } else if (this.#early.size > 0) {
      this.#next = Math.min(...this.#early.keys());
      this.#gapSince = undefined;
      this.#flush();
    }
  }

  /** After a time in which anything may have been missed. */
  catchUp(): void {
    this.#gapSince = undefined;
    this.#ask(this.#next);
  }

  #flush(): void {
    for (;;) {
      const thing = this.#early.get(this.#next);
      if (thing === undefined) return;
      this.#early.delete(this.#next);
      this.#next++;
      this.#deliver(thing);
    }
  }
}
