// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../clock.js';

/** An agent that has joined and can be heard takes over after so long, also when it says nothing. */
const SILENT_MS = 3_000;
/** The same, of one that has announced that it speaks first: its stream may have to change the Region. */
const GREETING_MS = 8_000;
/** An agent that has no audio after so long will not get any. */
const WITHOUT_AUDIO_MS = 15_000;

/** The agent in a room, as others see it. */
export interface ArrivingAgent {
  identity: string;
  /** `lk.agent.state`; undefined before the first. */
  state?: string | undefined;
  hasAudio: boolean;
  /** Whether it speaks first; undefined until it has said so. */
  greets?: boolean | undefined;
}

/**
 * Decides when an agent that has joined a room has taken the caller over from whoever kept the caller company: when it
 * speaks, or listens because it has nothing to say first. Until then the caller would hear nothing.
 */
export class AgentArrival {
  readonly #clock: MonotonicClock;
  readonly #takenOver: () => void;
  #identity: string | undefined;
  #wait: { ms: number; since: number } | undefined;
  #cancel = () => {};

  /** @param takenOver called once the caller needs no company any more */
  constructor(clock: MonotonicClock, takenOver: () => void) {
    this.#clock = clock;
    this.#takenOver = takenOver;
  }

  /** @param agent the agent as it is now; undefined when there is none */
  update(agent: ArrivingAgent | undefined): void {
    if (agent?.identity !== this.#identity) this.stop();
    this.#identity = agent?.identity;
    if (!agent) return;
    const { state, hasAudio, greets } = agent;
    const atWork = hasAudio && (state === 'listening' || state === 'thinking' || state === 'idle');
    if ((hasAudio && state === 'speaking') || (atWork && greets === false)) {
      this.stop();
      this.#takenOver();
      return;
    }
    this.#waitFor(!atWork ? WITHOUT_AUDIO_MS : greets ? GREETING_MS : SILENT_MS);
  }

  stop(): void {
    this.#cancel();
    this.#wait = undefined;
  }

  /** Every stage has its own time, which begins once. */
  #waitFor(ms: number): void {
    if (this.#wait?.ms === ms) return;
    this.#cancel();
    const now = this.#clock.now();
    const stage = ms === WITHOUT_AUDIO_MS ? undefined : this.#wait;
    const since = stage && stage.ms !== WITHOUT_AUDIO_MS ? stage.since : now;
    this.#wait = { ms, since };
    this.#cancel = this.#clock.after(Math.max(0, since + ms - now), () => {
      this.stop();
      this.#takenOver();
    });
  }
}
