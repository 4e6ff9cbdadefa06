// SPDX-License-Identifier: Apache-2.0

import { type MonotonicClock, systemMonotonicClock } from '../clock.js';

export interface IdleCallerOptions {
  /** Milliseconds of silence after which the agent asks; 0: it does not. */
  askAfterMs: number;
  /** Milliseconds of silence after which the call ends; 0: it does not. */
  endAfterMs: number;
  /** The agent asks; resolves when the question has been heard. */
  ask: () => Promise<unknown>;
  end: () => void;
}

/**
 * Watches for a caller who says nothing. Silence counts while both sides are quiet: from the last sound of either, the
 * agent's question whether somebody is there aside, which is asked once in each silence.
 */
export class IdleCaller {
  readonly #options: IdleCallerOptions;
  readonly #clock: MonotonicClock;
  readonly #busy = new Set<string>();
  #quietSince: number;
  #asking = false;
  #asked = false;
  #closed = false;
  #cancel: () => void = () => {};

  constructor(options: IdleCallerOptions, clock: MonotonicClock = systemMonotonicClock) {
    this.#options = options;
    this.#clock = clock;
    this.#quietSince = clock.now();
    this.#plan();
  }

  /** Something goes on, or no longer: `caller` and `agent` speak, a tool runs, a phone rings. */
  set(what: string, goesOn: boolean): void {
    if (what === 'agent' && this.#asking) return;
    if (goesOn === this.#busy.has(what)) return;
    if (goesOn) this.#busy.add(what);
    else this.#busy.delete(what);
    this.heard();
  }

  /** The caller did something: spoke, typed, pressed a key. */
  heard(): void {
    this.#quietSince = this.#clock.now();
    this.#asked = false;
    this.#plan();
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  #plan(): void {
    this.#cancel();
    if (this.#closed || this.#busy.size > 0 || this.#asking) return;
    const { askAfterMs, endAfterMs } = this.#options;
    const due = [
      ...(askAfterMs > 0 && !this.#asked && !(endAfterMs > 0 && endAfterMs <= askAfterMs)
        ? [askAfterMs]
        : []),
      ...(endAfterMs > 0 ? [endAfterMs] : []),
    ];
    if (due.length === 0) return;
    const next = Math.min(...due);
    const inMs = this.#quietSince + next - this.#clock.now();
    this.#cancel = this.#clock.after(Math.max(0, inMs), () => {
      if (next === endAfterMs) this.#end();
      else void this.#ask();
    });
  }

  #end(): void {
    this.close();
    this.#options.end();
  }

  async #ask(): Promise<void> {
    this.#asked = true;
    this.#asking = true;
    try {
      await this.#options.ask();
    } catch {
      // The question could not be asked: the end of the call comes all the same.
    }
    this.#asking = false;
    this.#plan();
  }
}
