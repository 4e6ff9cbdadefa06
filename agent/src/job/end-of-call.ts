// SPDX-License-Identifier: Apache-2.0

import { type MonotonicClock, systemMonotonicClock } from '../clock.js';
import type { WorkerConfig } from '../config.js';
import { disconnectCaller, type EndOfCallApi, endOfCallApi } from './disconnect-caller.js';

/**
 * Milliseconds from the agent's last sample, as it leaves this process, to the moment when any caller has heard it:
 * network, jitter buffers, and a telephone line behind them.
 */
const HEARD_AFTER_MS = 500;
/** Milliseconds that the last event of a call may take to be sent. */
const PUBLISH_MS = 1_000;

/** What the end of a call needs from the call. */
export interface EndingCall {
  readonly job: string;
  readonly room: string;
}

/** Decides once how a call ends for its caller: by us, with the caller disconnected, or without us. */
export class EndOfCall {
  readonly #call: EndingCall;
  readonly #config: Pick<WorkerConfig, 'livekit' | 'disconnectOnEnd'>;
  readonly #clock: MonotonicClock;
  readonly #api: EndOfCallApi | undefined;
  #decided = false;
  #done: Promise<void> = Promise.resolve();
  /** Identity of the caller, once known. */
  caller: string | undefined;
  /** Publishes the reason to the room; called once. */
  publish: (reason: string) => Promise<void> = async () => {};

  constructor(
    call: EndingCall,
    config: Pick<WorkerConfig, 'livekit' | 'disconnectOnEnd'>,
    options: { clock?: MonotonicClock; api?: EndOfCallApi } = {},
  ) {
    this.#call = call;
    this.#config = config;
    this.#clock = options.clock ?? systemMonotonicClock;
    this.#api = options.api;
  }

  /**
   * The call goes on without this process, or has ended without it: the caller hung up, LiveKit took the job back, or
   * the worker died. Nobody is disconnected.
   */
  leave(reason: string): Promise<void> {
    return this.#decide(() => this.#publish(reason));
  }

  /** The agent ends the call for good. Resolves when the caller is disconnected, or cannot be. Never rejects. */
  endByAgent(reason: string): Promise<void> {
    return this.#decide(async () => {
      await Promise.all([this.#publish(reason), this.#pass(HEARD_AFTER_MS)]);
      const { disconnectOnEnd, livekit } = this.#config;
      const api = this.#api ?? endOfCallApi(livekit);
      await disconnectCaller(disconnectOnEnd, { ...this.#call, caller: this.caller }, api);
    });
  }

  /** What was decided is done; resolves at once while nothing is. A process that exits before would leave the caller. */
  get done(): Promise<void> {
    return this.#done;
  }

  #decide(how: () => Promise<void>): Promise<void> {
    if (!this.#decided) {
      this.#decided = true;
      this.#done = how();
    }
    return this.#done;
  }

  async #publish(reason: string): Promise<void> {
    await Promise.race([this.publish(reason).catch(() => {}), this.#pass(PUBLISH_MS)]);
  }

  #pass(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(ms, resolve);
    });
  }
}
