// SPDX-License-Identifier: Apache-2.0

import seedrandom from 'seedrandom';
import type { RemoteCaller } from './remote-caller.js';
import type { Fleet } from './worker-fleet.js';

/** One call of arrivals that never stop. */
export interface Arrival {
  room: string;
  /** How often it was offered: once, unless LiveKit found nobody for it. */
  offers: number;
  /** Undefined while the caller waits. */
  answered?: boolean;
  /** The agent left before the caller hung up. */
  cut: boolean;
  /** Why, as its worker logged it. */
  endReason?: unknown;
}

export interface ArrivalsOptions {
  /** Calls in progress. */
  lines: number;
  /** Least and greatest length of a call, in ms. */
  callMs: readonly [number, number];
  /** After this a caller whom nobody answers is offered again, in ms. */
  offerMs: number;
  /** How long a caller waits for an agent in all, in ms. */
  patienceMs: number;
  /** Why a call ended, by the id of its job. */
  endReason?: (jobId: string) => unknown;
}

/** Keeps so many calls in progress: whenever one ends, the next one comes. */
export class Arrivals {
  readonly all: Arrival[] = [];
  readonly #random = seedrandom('arrivals');
  #open = true;
  #hangUp: () => void = () => {};
  readonly #ended = new Promise<false>((resolve) => {
    this.#hangUp = () => resolve(false);
  });
  readonly #lines: Promise<void>[] = [];

  constructor(
    private readonly fleet: Fleet,
    private readonly options: ArrivalsOptions,
  ) {}

  /** Calls that were cut, and callers whom nobody answered. */
  get lost(): Arrival[] {
    return this.all.filter(({ answered, cut }) => cut || answered === false);
  }

  /** Resolves when the first call of every line is answered. */
  async start(): Promise<void> {
    const answered: Promise<void>[] = [];
    for (let i = 0; i < this.options.lines; i++) {
      let first: () => void = () => {};
      answered.push(new Promise((resolve) => (first = resolve)));
      this.#lines.push(this.#line(first));
    }
    await Promise.race([Promise.all(answered), Promise.all(this.#lines)]);
  }

  /** No more callers come. Resolves when the last of those who are there has hung up. */
  async close(): Promise<void> {
    this.#open = false;
    await Promise.all(this.#lines);
  }

  /** All callers hang up, and no more come. */
  async end(): Promise<void> {
    this.#hangUp();
    await this.close();
  }

  async #line(onAnswered: () => void): Promise<void> {
    while (this.#open) {
      const [caller] = (await this.fleet.joinCallers(1)) as [RemoteCaller];
      const arrival: Arrival = { room: caller.name, offers: 0, cut: false };
      this.all.push(arrival);
      arrival.answered = await this.#offer(caller, arrival);
      onAnswered();
      const [min, max] = this.options.callMs;
      const length = Math.round(min + (max - min) * this.#random());
      const left = await Promise.race([caller.waitForAgentToLeave(length), this.#ended]);
      arrival.cut = arrival.answered && left;
      if (arrival.cut) arrival.endReason = this.options.endReason?.(caller.jobId);
      await this.fleet.hangUp([caller]);
    }
  }

  async #offer(caller: RemoteCaller, arrival: Arrival): Promise<boolean> {
    const { offerMs, patienceMs } = this.options;
    const end = Date.now() + patienceMs;
    while (Date.now() < end) {
      arrival.offers += 1;
      const offer = await this.fleet.offer(caller);
      if ((await caller.waitForAgent(offerMs)) !== undefined) return true;
      if (await offer.taken()) return (await caller.waitForAgent(patienceMs)) !== undefined;
      await offer.withdraw();
    }
    return false;
  }
}
