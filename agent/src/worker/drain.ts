// SPDX-License-Identifier: Apache-2.0

import type { Clock } from '../clock.js';

export interface DrainOptions {
  /** Milliseconds that calls may go on. Default 110 000: Fargate kills at 120 s. */
  timeoutMs?: number;
  /** Milliseconds before the end at which a call that must be cut is told so. 0: not told. Default 12 000. */
  goodbyeMs?: number;
  /** Milliseconds in which calls that were told to end may close their streams. Default 5 000. */
  closeMs?: number;
}

export interface DrainActions {
  /** Refuse jobs from now on, and tell LiveKit. */
  stopTaking(): void;
  /** Calls that are accepted or running. */
  calls(): number;
  /** Let the agent say goodbye in each call. */
  goodbye(): void;
  /** End each call in order: session closed, stream closed, room left. */
  endCalls(): void;
}

/** `idle`: every call ended by itself. `told`: the rest ended after their goodbye. `cut`: some were ended by us. */
export type DrainResult = 'idle' | 'told' | 'cut';

/**
 * Leaves without dropping anyone: no new jobs, wait for the last call, and only at the deadline end what is
 * left. It never asks the framework to drain: AgentServer.drain() (1.9.0) throws while a job process is queued
 * for its start, which cuts every call, and it closes warm processes that an accepted job may still be given.
 */
export class Drain {
  readonly #clock: Clock;
  readonly #actions: DrainActions;
  readonly #options: Required<DrainOptions>;
  #running: Promise<DrainResult> | undefined;
  #wake: () => void = () => {};
  #hurried = false;

  constructor(clock: Clock, actions: DrainActions, options: DrainOptions = {}) {
    this.#clock = clock;
    this.#actions = actions;
    const timeoutMs = options.timeoutMs ?? 110_000;
    this.#options = {
      timeoutMs,
      goodbyeMs: Math.min(options.goodbyeMs ?? 12_000, timeoutMs),
      closeMs: options.closeMs ?? 5_000,
    };
  }

  get started(): boolean {
    return this.#running !== undefined;
  }

  /** Begins, or returns the drain that is under way: a second SIGTERM changes nothing. */
  start(): Promise<DrainResult> {
    this.#running ??= this.#run();
    return this.#running;
  }

  /** Someone is waiting at a terminal: end the calls now. */
  hurry(): void {
    this.#hurried = true;
    this.#wake();
  }

  /** To be called whenever a call has ended. */
  callEnded(): void {
    if (this.#actions.calls() === 0) this.#wake();
  }

  async #run(): Promise<DrainResult> {
    const { timeoutMs, goodbyeMs, closeMs } = this.#options;
    this.#actions.stopTaking();
    await this.#idleWithin(timeoutMs - goodbyeMs);
    if (this.#actions.calls() === 0) return 'idle';
    if (goodbyeMs > 0 && !this.#hurried) {
      this.#actions.goodbye();
      await this.#idleWithin(goodbyeMs);
      if (this.#actions.calls() === 0) return 'told';
    }
    this.#actions.endCalls();
    this.#hurried = false;
    await this.#idleWithin(closeMs);
    return 'cut';
  }

  #idleWithin(ms: number): Promise<void> {
    if (this.#actions.calls() === 0 || this.#hurried || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#clock.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}
