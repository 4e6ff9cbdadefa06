// SPDX-License-Identifier: Apache-2.0
// Long because it connects the parts of the watcher, each of which decides in a file of its own.

import type { MonotonicClock } from '../clock.js';
import type { ServingTasks } from '../ecs/service-api.js';
import type { CallRecord } from '../supervision/call-record.js';
import { CallRedispatch, REQUESTS_PER_DISPATCH } from './call-redispatch.js';
import { isTurnOf, noteLine } from './line-turn.js';
import { LostWorkers, type LostWorkersOptions } from './lost-workers.js';
import { RequestBudget } from './request-budget.js';
import { RoomWatch, type UnansweredRoom } from './room-watch.js';
import type { PresentCall, RoomsApi } from './rooms-api.js';
import { ServingNote } from './serving-note.js';
import { seatName, WatcherSeats } from './watcher-seats.js';
import { endedForGood, withdrawDispatches } from './withdraw-dispatches.js';
import { presenceRoom, type WorkerPresence } from './worker-presence.js';

const TICK_MS = 250;
/**
 * Between two lists of all rooms; four times the time that LiveKit takes for one, if that is more. After one that takes
 * seconds, or fails, nothing is certain until the next, which callers cannot wait for as long.
 */
const LIST_MS = 1_000;
const LIST_SHARE = 4;
const MAX_PAUSE_MS = 2_000;
/** Rooms that are looked at at the same time. */
const MAX_LOOKS = 8;
/** The attendants of a worker that ceases to watch are replaced sooner, by those of the next one. */
const NEXT_WATCHER_MS = 6_000;
/** A worker that ends leaves callers who wait to the next one, for which it waits so long. */
const STOP_MS = 3_000;
/** While a worker has room LiveKit may still be offering a job to it: that takes at most 3 s. */
const OFFER_MS = 3_000;
/** Until this worker is among those that are there, before it looks whether it is the only one. */
const PRESENCE_MS = 500;
/** A caller counts as unanswered after this. */
export const UNANSWERED_AFTER_MS = 2_000;

export interface CallerWatcherOptions {
  /** LIVEKIT_AGENT_NAME. */
  agentName: string;
  /** Distinguishes this worker from the others. */
  worker: string;
  /** WATCHER_REQUESTS_PER_S: requests about single rooms. */
  requestsPerSecond: number;
  /** Milliseconds since the epoch. Default: Date.now. */
  wallClock?: () => number;
  /** 0 to 1. Default: Math.random. */
  random?: () => number;
  /** Calls that LiveKit may offer to this worker now: 0 while all its lines are taken. Default: none. */
  room?: () => number;
}

/** Keeps callers company who wait for an agent; see WaitingLine. */
export interface WaitingCallers {
  /** Callers who wait, of this worker's attendants. */
  readonly callers: number;
  /** Whether the callers of a room are told that nobody can answer: no agent is to be sent. */
  turnsAway(room: string): boolean;
  /** Is called again and again. */
  start(): void;
  step(
    line: readonly UnansweredRoom[],
    unwanted: (room: string) => boolean,
    stillWaits: (room: string) => Promise<boolean>,
  ): void;
  leaveAll(): void;
  stop(ms: number): Promise<void>;
}

export interface CallerWatcherEvents {
  /** This worker began, or ceased, to watch. */
  onWatching?: (watching: boolean) => void;
  /** A caller has had no agent for UNANSWERED_AFTER_MS. */
  onUnanswered?: (room: UnansweredRoom) => void;
  /** @param jobs of workers that accepted it at once: one, or none */
  onDispatched?: (room: UnansweredRoom, jobs: readonly string[]) => void;
  /** The process of another worker is gone, which had so many calls. */
  onWorkerLost?: (worker: string, calls: number) => void;
  /** The agent of a call died with its worker. */
  onAgentDied?: (call: PresentCall) => void;
  /** How many tasks of each deployment take calls; on all workers. */
  onServing?: (serving: readonly ServingTasks[]) => void;
  /** LiveKit's API failed; called once until it works again. */
  onFailure?: (error: unknown) => void;
}

/**
 * Sees to it that no caller stays without an agent, whatever the reason: every room of the LiveKit server that has a
 * caller, a dispatch of ours and no agent is dispatched to again, the longest wait first. Every worker has a watcher,
 * one of which works at a time (WatcherSeats).
 */
export class CallerWatcher {
  readonly #clock: MonotonicClock;
  readonly #api: RoomsApi;
  readonly #agentName: string;
  readonly #wallClock: () => number;
  readonly #room: () => number;
  readonly #events: CallerWatcherEvents;
  readonly #seats: WatcherSeats;
  readonly #watch: RoomWatch;
  readonly #budget: RequestBudget;
  readonly #redispatch: CallRedispatch;
  readonly #looking = new Set<string>();
  readonly #reported = new Set<string>();
  readonly #withdrawals = new Set<Promise<void>>();
  readonly #line: WaitingCallers | undefined;
  readonly #presence: WorkerPresence | undefined;
  readonly #lost: LostWorkers | undefined;
  #cancelLeaving = () => {};
  /** What this worker was last known to have room for. */
  #roomBefore = 0;
  #watching = false;
  #listing = false;
  #listAt = Number.NEGATIVE_INFINITY;
  #failed = false;
  #running = false;
  #cancel = () => {};

  constructor(
    clock: MonotonicClock,
    api: RoomsApi,
    options: CallerWatcherOptions,
    events: CallerWatcherEvents = {},
    {
      line,
      presence,
    }: { line?: WaitingCallers | undefined; presence?: WorkerPresence | undefined } = {},
  ) {
    this.#line = line;
    this.#presence = presence;
    const { agentName, worker, requestsPerSecond, wallClock = Date.now, random } = options;
    const onFailure = (error: unknown) => this.#noteFailure(error);
    this.#clock = clock;
    this.#api = api;
    this.#agentName = agentName;
    this.#wallClock = wallClock;
    this.#room = options.room ?? (() => 0);
    this.#events = events;
    this.#seats = new WatcherSeats(clock, api, {
      name: seatName(agentName),
      worker,
      onFailure,
      ...(random && { random }),
      note: () => noteLine(this.#unanswered(), wallClock()),
      isLost: (other) => this.#lost?.isLost(other) ?? false,
      isAlone: () => this.#isAlone(),
    });
    this.#watch = new RoomWatch(clock, agentName, wallClock);
    this.#budget = new RequestBudget(clock, requestsPerSecond);
    if (presence) {
      const room = presenceRoom(agentName);
      const note = new ServingNote(api, room, (serving) => this.#events.onServing?.(serving));
      const lost = this.#watchWorkers({ room, worker }, note, onFailure);
      presence.onLost = () => lost.disturbed();
      presence.onRoomMetadata = (metadata) => note.heard(metadata);
      this.#lost = lost;
    }
    this.#redispatch = new CallRedispatch(clock, api, this.#watch, this.#budget, {
      onDispatched: (room, jobs) => this.#events.onDispatched?.(room, jobs),
      onFailure,
      onSettled: () => this.#dispatchNext(),
      room: () => this.#room() + (this.#lost?.room ?? 0),
    });
  }

  /** Whether this worker is the one that watches. */
  get watching(): boolean {
    return this.#seats.watching;
  }

  /** Callers without an agent for longer than is normal, of all rooms; 0 on workers that do not watch. */
  get unanswered(): number {
    if (!this.watching) return 0;
    return this.#overdue().reduce((sum, { callers }) => sum + callers.length, 0);
  }

  /** Callers who hear the waiting line, from this worker. */
  get waiting(): number {
    return this.#line?.callers ?? 0;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#presence?.start();
    this.#seats.start();
    this.#tick();
  }

  /** Lets another worker take over at once. */
  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    this.#cancel();
    this.#cancelLeaving();
    this.#presence?.stop();
    await Promise.all([this.#seats.stop(), this.#line?.stop(STOP_MS), ...this.#withdrawals]);
  }

  /** What this worker has room for may have changed: whoever waits should not wait for the next try. */
  roomChanged(): void {
    const room = this.#room();
    const before = this.#roomBefore;
    if (room === before) return;
    this.#roomBefore = room;
    this.#presence?.roomChanged(room);
    if (room > before) this.#roomFreed();
  }

  /** The worker has accepted a job. */
  callAccepted(roomSid: string): void {
    this.#watch.accepted(roomSid);
  }

  /** From now on other workers know of which deployment the task of this worker is. @param task as one that takes calls, or none */
  serves(task: ServingTasks | undefined): void {
    this.#presence?.serves(task);
  }

  /** From now on other workers know that this worker has the call. */
  callStarted(call: PresentCall): void {
    this.#presence?.callStarted(call);
  }

  /** Keeps a call of this worker that has ended for good from being taken for one without an agent. Never rejects. */
  async callEnded(record: CallRecord): Promise<void> {
    this.#presence?.callEnded(record.job);
    this.#watch.ended(record.roomSid);
    if (!endedForGood(record)) return;
    const withdrawn = withdrawDispatches(this.#api, this.#agentName, record);
    this.#withdrawals.add(withdrawn);
    await withdrawn;
    this.#withdrawals.delete(withdrawn);
  }

  /** Whether a slot may go to this room's caller, or others wait who came before. Never rejects. */
  isTurnOf(roomSid: string): Promise<boolean> {
    return isTurnOf(roomSid, this.#agentName, this.#api, this.#wallClock);
  }

  #tick(): void {
    if (!this.#running) return;
    this.#cancel = this.#clock.after(TICK_MS, () => this.#tick());
    this.#step();
  }

  #step(): void {
    if (!this.#running) return;
    const watching = this.#seats.watching;
    if (watching !== this.#watching) {
      this.#watching = watching;
      this.#watchingChanged(watching);
      this.#events.onWatching?.(watching);
    }
    const { seated } = this.#seats;
    // Who stands by is ready to take the line over, without a process to start in that moment.
    if (seated) this.#line?.start();
    else this.#seats.seekIfAllLost();
    this.#lost?.step(seated, watching);
    if (!watching) return;
    this.#report();
    this.#attend();
    this.#dispatchNext();
    void this.#list();
    this.#look();
  }

  #dispatchNext(): void {
    if (this.#running && this.#seats.watching) this.#redispatch.step(this.#unanswered());
  }

  #roomFreed(): void {
    this.#redispatch.roomFreed();
    this.#dispatchNext();
  }

  #watchWorkers(
    options: LostWorkersOptions,
    note: ServingNote,
    onFailure: (error: unknown) => void,
  ): LostWorkers {
    return new LostWorkers(this.#clock, this.#api, this.#budget, options, {
      onPresent: (workers) => {
        if (this.#seats.seated) note.write(workers, this.#seats.watching).catch(onFailure);
      },
      onLost: (other, calls) => {
        if (this.#seats.seated) this.#events.onWorkerLost?.(other, calls);
        // Its calls wait, and nobody may be watching.
        this.#step();
      },
      onDied: (call, agent) => {
        this.#watch.agentDied(call.room, agent);
        this.#events.onAgentDied?.(call);
        this.#look();
      },
      onRoom: () => this.#roomFreed(),
      onFailure,
    });
  }

  async #isAlone(): Promise<boolean> {
    if (!this.#presence || !this.#lost) return false;
    const late = new Promise<void>((resolve) => this.#clock.after(PRESENCE_MS, resolve));
    await Promise.race([this.#presence.joined, late]);
    await this.#lost.look();
    return this.#lost.alone;
  }

  #watchingChanged(watching: boolean): void {
    this.#cancelLeaving();
    if (watching) this.#watch.resume();
    else this.#cancelLeaving = this.#clock.after(NEXT_WATCHER_MS, () => this.#line?.leaveAll());
  }

  /** Also as soon as something is known: a caller without an agent should not wait for words as well. */
  #attend(): void {
    if (!this.#line || !this.#running || !this.#seats.watching) return;
    const waiting = this.#watch.waiting();
    // A slow answer to an offer is no full house. Where others wait already, a free slot is theirs.
    const wait = this.#room() > 0 && this.#line.callers === 0 ? OFFER_MS : 0;
    this.#line.step(
      waiting.filter(({ waitedMs }) => waitedMs >= wait),
      (room) => this.#watch.unwanted(room),
      async (room) => {
        await this.#lookAt(room);
        return this.#watch.waiting().some(({ name }) => name === room);
      },
    );
  }

  async #list(): Promise<void> {
    const start = this.#clock.now();
    if (this.#listing || start < this.#listAt) return;
    this.#listing = true;
    try {
      const rooms = await this.#api.listRooms();
      if (this.#seats.watching) {
        this.#watch.list(rooms.filter(({ name }) => !WatcherSeats.isSeat(name)));
      }
      this.#failed = false;
    } catch (error) {
      this.#watch.outage();
      this.#noteFailure(error);
    }
    const now = this.#clock.now();
    const pause = Math.min((LIST_SHARE - 1) * (now - start), MAX_PAUSE_MS);
    this.#listAt = Math.max(start + LIST_MS, now + pause);
    this.#listing = false;
    this.#look();
  }

  #look(): void {
    for (const name of this.#watch.due()) {
      if (this.#looking.size >= MAX_LOOKS) return;
      if (this.#looking.has(name)) continue;
      if (!this.#budget.take(1, REQUESTS_PER_DISPATCH)) return;
      this.#looking.add(name);
      void this.#lookAt(name)
        .catch((error) => this.#noteFailure(error))
        .finally(() => {
          this.#looking.delete(name);
          this.#attend();
          this.#dispatchNext();
          this.#look();
        });
    }
  }

  async #lookAt(name: string): Promise<void> {
    const members = await this.#api.listMembers(name);
    if (!this.#watch.needsDispatches(members)) {
      this.#watch.checked(name, members);
      return;
    }
    this.#budget.spend();
    const askedAt = this.#clock.now();
    this.#watch.checked(name, members, await this.#api.listDispatches(name), askedAt);
  }

  #overdue(): UnansweredRoom[] {
    const now = this.#clock.now();
    return this.#unanswered().filter(({ since }) => now - since >= UNANSWERED_AFTER_MS);
  }

  #unanswered(): UnansweredRoom[] {
    return this.#watch.unanswered().filter(({ name }) => !this.#line?.turnsAway(name));
  }

  #report(): void {
    const overdue = this.#overdue();
    const names = new Set(overdue.map(({ name }) => name));
    for (const name of this.#reported) if (!names.has(name)) this.#reported.delete(name);
    for (const room of overdue) {
      if (this.#reported.has(room.name)) continue;
      this.#reported.add(room.name);
      this.#events.onUnanswered?.(room);
    }
  }

  #noteFailure(error: unknown): void {
    if (!this.#failed) this.#events.onFailure?.(error);
    this.#failed = true;
  }
}
