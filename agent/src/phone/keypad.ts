// SPDX-License-Identifier: Apache-2.0

import { type MonotonicClock, systemMonotonicClock } from '../clock.js';

/** How keys become entries. */
export interface KeypadEntryOptions {
  /** `digit`: each key is an entry. `sequence`: keys until # or a pause. Default: sequence. */
  entry?: 'digit' | 'sequence';
  /** Milliseconds without a key that end a sequence. Default: 2000. */
  pauseMs?: number;
}

/** Keys of one sequence; more are a machine's doing. */
const MAX_KEYS = 64;
const PAUSE_MS = 2_000;

/** Collects the keys that a caller presses into entries. The # that ends a sequence is no part of it. */
export class Keypad {
  readonly #sequence: boolean;
  readonly #pauseMs: number;
  readonly #onEntry: (keys: string) => void;
  readonly #clock: MonotonicClock;
  #keys = '';
  #cancelPause: () => void = () => {};

  constructor(
    options: KeypadEntryOptions,
    onEntry: (keys: string) => void,
    clock: MonotonicClock = systemMonotonicClock,
  ) {
    this.#sequence = options.entry !== 'digit';
    this.#pauseMs = options.pauseMs ?? PAUSE_MS;
    this.#onEntry = onEntry;
    this.#clock = clock;
  }

  /** @param key a digit, `*`, `#`, or A to D; anything else is no key */
  press(key: string): void {
    if (!/^[0-9*#A-D]$/.test(key)) return;
    if (!this.#sequence) {
      this.#onEntry(key);
      return;
    }
    this.#cancelPause();
    // A # alone is an entry: many menus ask for it.
    const ended = key === '#' && this.#keys !== '';
    if (!ended) this.#keys += key;
    if (ended || key === '#' || this.#keys.length >= MAX_KEYS) this.#enter();
    else this.#cancelPause = this.#clock.after(this.#pauseMs, () => this.#enter());
  }

  close(): void {
    this.#cancelPause();
    this.#keys = '';
  }

  #enter(): void {
    const keys = this.#keys;
    this.#keys = '';
    this.#onEntry(keys);
  }
}
