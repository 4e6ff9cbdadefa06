// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../clock.js';

export interface DrainOptions {
  /** Milliseconds that calls may go on. Default 110 000: Fargate kills at 120 s. */
  timeoutMs?: number;
  /** The last part of that time, in which remaining calls are ended gracefully. 0: they are not. Default 12 000. */
  endCallTimeoutMs?: number;
  /** Milliseconds in which calls that must end now may close their streams. Default 5 000. */
  closeTimeoutMs?: number;
}

export interface DrainActions {
  /** Reject jobs from now on, and report that to LiveKit. */
  stopAccepting(): void;
  /** Calls that are accepted or running. */
  calls(): number;
  /** Let the agent give its last reply in each call, then end it. */
  endGracefully(): void;
  /** End each call in order: close the session and the stream, leave the room. */
  endNow(): void;
}

/** npm passes a Ctrl-C on to a process that got it from the terminal already, up to so much later. */
const SAME_INTERRUPT_MS = 500;

/** `idle`: every call ended by itself. `ended_gracefully`: the rest had a last reply. `cut`: some ended without. */
export type DrainResult = 'idle' | 'ended_gracefully' | 'cut';

/**
 * Drains the worker without dropping a call: no new jobs, wait for the last call, and only at the deadline end what
 * is left. It does not use AgentServer.drain(), which (1.9.0) throws while a job process is waiting to be started,
 * cutting every call, and closes warm processes that an accepted job may still be given.
 */
export class Drain {
  readonly #clock: MonotonicClock;
  readonly #actions: DrainActions;
  readonly #options: Required<DrainOptions>;
  #running: Promise<DrainResult> | undefined;
  #wake: () => void = () => {};
  #hurried = false;
  #startedAt = 0;

  constructor(clock: MonotonicClock, actions: DrainActions, options: DrainOptions = {}) {
    this.#clock = clock;
    this.#actions = actions;
    const timeoutMs = options.timeoutMs ?? 110_000;
    this.#options = {
      timeoutMs,
      endCallTimeoutMs: Math.min(options.endCallTimeoutMs ?? 12_000, timeoutMs),
      closeTimeoutMs: options.closeTimeoutMs ?? 5_000,
    };
  }

  get started(): boolean {
    return this.#running !== undefined;
  }

  /** Starts the drain, or returns the one that is under way: a second SIGTERM changes nothing. */
  start(): Promise<DrainResult> {
    if (!this.#running) {
      this.#startedAt = this.#clock.now();
      this.#running = this.#run();
    }
    return this.#running;
  }

  /** Ends the calls now, for somebody who waits at a terminal; the same Ctrl-C as the one that started it does not. */
  hurry(): void {
    if (this.#clock.now() - this.#startedAt < SAME_INTERRUPT_MS) return;
    this.#hurried = true;
    this.#wake();
  }

  /** Call it when a call may have ended. */
  callEnded(): void {
    if (this.#actions.calls() === 0) this.#wake();
  }

  async #run(): Promise<DrainResult> {
    const { timeoutMs, endCallTimeoutMs, closeTimeoutMs } = this.#options;
    this.#actions.stopAccepting();
    await this.#idleWithin(timeoutMs - endCallTimeoutMs);
    if (this.#actions.calls() === 0) return 'idle';
    if (endCallTimeoutMs > 0 && !this.#hurried) {
      this.#actions.endGracefully();
      await this.#idleWithin(endCallTimeoutMs);
      if (this.#actions.calls() === 0) return 'ended_gracefully';
    }
    this.#actions.endNow();
    this.#hurried = false;
    await this.#idleWithin(closeTimeoutMs);
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
