// SPDX-License-Identifier: Apache-2.0

import { CALLER_RATE, type Caller } from './caller.js';
import type { LiveKitAddress } from './join-room.js';
import { questionAudio } from './question-audio.js';

/** Why a synthetic call was not answered. */
export type SyntheticCallFailure =
  | 'no_connection'
  | 'no_agent'
  | 'no_greeting'
  | 'no_reply'
  | 'left';

export interface SyntheticCallResult {
  /** Absent when the agent answered. */
  failure?: SyntheticCallFailure;
  /** Details of the failure, for the log. */
  error?: unknown;
  /** From the end of the question to the first sound of the reply, in ms; absent without one. */
  replyMs?: number;
}

export interface SyntheticCallOptions {
  livekit: LiveKitAddress;
  room: string;
  /** The agent to dispatch; '' for one that joins every room. */
  agentName: string;
  /** How long to wait for the agent, its greeting and its reply, in ms each. */
  patienceMs: number;
}

/** The agent is silent for so long before the question, in ms: it has said what it had to say. */
const QUIET_MS = 1_500;
const CHECK_MS = 100;

/**
 * One call: joins a room, waits for the agent and the end of its greeting, asks a question, and waits for the first sound of the
 * reply. Does not throw.
 */
export class SyntheticCaller {
  readonly #caller: Caller;
  #greets: boolean | undefined;
  #soundAt = 0;
  #left = false;

  constructor(caller: Caller) {
    this.#caller = caller;
    caller.on('callEvent', (event) => {
      if (event.type === 'ready') this.#greets = event.greets;
    });
    caller.on('sound', (audible, at) => {
      if (audible) this.#soundAt = at;
    });
    caller.on('left', () => {
      this.#left = true;
    });
  }

  async make(options: SyntheticCallOptions): Promise<SyntheticCallResult> {
    const { livekit, room, agentName, patienceMs } = options;
    try {
      await this.#caller.join(livekit, room, { agentName, identity: 'synthetic-caller' });
    } catch (error) {
      return { failure: 'no_connection', error };
    }
    try {
      return await this.#converse(patienceMs);
    } finally {
      await this.#caller.hangUp();
    }
  }

  async #converse(patienceMs: number): Promise<SyntheticCallResult> {
    const within = (holds: () => boolean) => this.#until(holds, patienceMs);
    const failed = (failure: SyntheticCallFailure): SyntheticCallResult => ({
      failure: this.#left ? 'left' : failure,
    });

    if (!(await within(() => this.#greets !== undefined))) return failed('no_agent');
    if (this.#greets && !(await within(() => this.#soundAt > 0))) return failed('no_greeting');
    const isQuiet = () => !this.#caller.audible && Date.now() - this.#caller.lastSound > QUIET_MS;
    // A greeting that does not end does not matter: a caller may interrupt it.
    await within(isQuiet);

    const askedAt = await this.#caller.speak(questionAudio(CALLER_RATE));
    if (!(await within(() => this.#soundAt > askedAt))) return failed('no_reply');
    return { replyMs: this.#soundAt - askedAt };
  }

  /** Resolves with whether the condition held within `ms`, and the agent stayed. */
  async #until(holds: () => boolean, ms: number): Promise<boolean> {
    const deadline = Date.now() + ms;
    while (!holds()) {
      if (this.#left || Date.now() >= deadline) return false;
      await new Promise((resolve) => setTimeout(resolve, CHECK_MS));
    }
    return true;
  }
}
