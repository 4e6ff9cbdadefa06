// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../clock.js';
import type { RequestBudget } from './request-budget.js';
import type { RoomWatch, UnansweredRoom } from './room-watch.js';
import type { RoomDispatch, RoomMember, RoomsApi } from './rooms-api.js';

/** Between two dispatches to one room while nothing is known to be free. LiveKit answers none that found no worker. */
const RETRY_MS = 700;
/** From a dispatch to the looks whether a worker has accepted it: a second one if it had not at the first. */
const ACCEPTED_MS = [100, 150];
const LOOK_REQUESTS = 2;
/** Most rooms that are dispatched to at once. */
const MAX_AT_ONCE = 8;
/** Requests of one dispatch. */
export const REQUESTS_PER_DISPATCH = 6;

export interface RedispatchEvents {
  /** @param jobs of workers that accepted it at once: one, or none */
  onDispatched?: (room: UnansweredRoom, jobs: readonly string[]) => void;
  onFailure?: (error: unknown) => void;
  /** A dispatch is through: the next one need not wait for the next step. */
  onSettled?: () => void;
  /** Calls that workers are known to have room for. Default: nothing is known. */
  room?: () => number;
}

/**
 * Dispatches an agent again to callers who have none: to the first in the line, and to more of them at once as long as
 * workers accept, or are known to have room. With a full house only the first one's dispatch is repeated, since whoever
 * comes next must not be served before.
 *
 * LiveKit creates as many dispatches as it is asked for: the room is looked at just before, a dispatch of which
 * nothing is known yet is waited for, and an agent that finds another one in its room leaves.
 */
export class CallRedispatch {
  readonly #clock: MonotonicClock;
  readonly #api: RoomsApi;
  readonly #watch: RoomWatch;
  readonly #budget: RequestBudget;
  readonly #events: RedispatchEvents;
  readonly #busy = new Set<string>();
  readonly #triedAt = new Map<string, number>();
  #atOnce = 1;
  /** When a worker was last known to have got room: a try from before says nothing. */
  #freedAt = Number.NEGATIVE_INFINITY;

  constructor(
    clock: MonotonicClock,
    api: RoomsApi,
    watch: RoomWatch,
    budget: RequestBudget,
    events: RedispatchEvents = {},
  ) {
    this.#clock = clock;
    this.#api = api;
    this.#watch = watch;
    this.#budget = budget;
    this.#events = events;
  }

  /** A worker has room that it did not have. */
  roomFreed(): void {
    this.#freedAt = this.#clock.now();
  }

  /** One step; to be called several times a second. @param line unanswered rooms in their order */
  step(line: readonly UnansweredRoom[]): void {
    this.#forget(line);
    const now = this.#clock.now();
    const atOnce = Math.max(this.#atOnce, Math.min(MAX_AT_ONCE, this.#events.room?.() ?? 0));
    let underWay = 0;
    for (const room of line) {
      const { name } = room;
      const outlook = this.#watch.outlook(name);
      if (outlook === 'coming' || outlook === 'rest') continue;
      // Nobody overtakes one whose turn it is, unless workers accept one after the other.
      underWay += 1;
      if (underWay > atOnce) return;
      const triedAt = this.#triedAt.get(name);
      const outdated = triedAt !== undefined && triedAt < this.#freedAt;
      if (this.#busy.has(name) || outlook === 'pending') {
        // Its try from before a worker got room ends in a moment, and the room is for this one.
        if (outdated) return;
        continue;
      }
      if (triedAt !== undefined && !outdated && now - triedAt < RETRY_MS) continue;
      if (!this.#budget.take(REQUESTS_PER_DISPATCH)) return;
      this.#busy.add(name);
      this.#triedAt.set(name, now);
      void this.#dispatch(room)
        .catch((error) => this.#events.onFailure?.(error))
        .finally(() => {
          this.#busy.delete(name);
          this.#events.onSettled?.();
        });
    }
  }

  async #dispatch(room: UnansweredRoom): Promise<void> {
    const { name } = room;
    const [members, dispatches] = await this.#look(name);
    if (!this.#stillUnanswered(name, members)) return;
    const { id } = await this.#api.createDispatch(name, room.terms);
    this.#watch.dispatched(name, id);
    const known = new Set(dispatches.flatMap(jobsOf));
    let accepted: string[] = [];
    for (const [i, ms] of ACCEPTED_MS.entries()) {
      if (i > 0) this.#budget.spend(LOOK_REQUESTS);
      await new Promise<void>((resolve) => this.#clock.after(ms, resolve));
      const [, after] = await this.#look(name);
      accepted = after.flatMap(jobsOf).filter((job) => !known.has(job));
      if (accepted.length > 0) break;
    }
    this.#atOnce = accepted.length > 0 ? Math.min(MAX_AT_ONCE, this.#atOnce * 2) : 1;
    this.#events.onDispatched?.(room, accepted);
    for (const spent of room.spent) await this.#api.deleteDispatch(name, spent);
  }

  async #look(name: string): Promise<[RoomMember[], RoomDispatch[]]> {
    const askedAt = this.#clock.now();
    const [members, dispatches] = await Promise.all([
      this.#api.listMembers(name),
      this.#api.listDispatches(name),
    ]);
    this.#watch.checked(name, members, dispatches, askedAt);
    return [members, dispatches];
  }

  #stillUnanswered(name: string, members: RoomMember[]): boolean {
    return (
      this.#watch.needsDispatches(members) &&
      this.#watch.outlook(name) === 'dispatch' &&
      this.#watch.unanswered().some((room) => room.name === name)
    );
  }

  #forget(line: readonly UnansweredRoom[]): void {
    const names = new Set(line.map(({ name }) => name));
    for (const name of this.#triedAt.keys()) if (!names.has(name)) this.#triedAt.delete(name);
  }
}

function jobsOf({ jobs }: RoomDispatch): string[] {
  return jobs.map(({ id }) => id);
}
