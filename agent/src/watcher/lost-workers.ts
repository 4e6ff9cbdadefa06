// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../clock.js';
import type { RequestBudget } from './request-budget.js';
import type { PresentCall, PresentWorker, RoomsApi } from './rooms-api.js';

/** Between two looks at who is there; four times the time that LiveKit takes for one, if that is more, up to a limit. */
const LOOK_MS = 400;
const LOOK_SHARE = 4;
const MAX_SHARE_MS = 2_000;
/** The same, for each worker: LiveKit lists all of them with all their calls. */
const LOOK_MS_PER_WORKER = 5;
/**
 * The same for workers without a seat, which know of the others' calls should all who have one die: together they send no
 * more than five requests a second, however many they are.
 */
const WITHOUT_SEAT = { lookMs: 5_000, lookMsPerWorker: 200 };
/** A process that lives answers in a few milliseconds, also when its event loop hangs: rtc-node's native part does. */
const ANSWER_MS = 750;
/** So many questions without an answer, of which each is asked so long after the one before, and the agent is dead. */
const QUESTIONS = 2;
const NEXT_QUESTION_MS = 300;
/** Before a living agent of a lost worker is asked again. */
const ASK_AGAIN_MS = 1_000;
/** Calls that are looked into at the same time. */
const MAX_AT_ONCE = 32;
/** The connection of a worker that lives is back so long after LiveKit had failed, or closed all of them. */
const DOUBT_MS = 5_000;
/** What closed this worker's own connection may have closed others so long before. */
const SAME_CAUSE_MS = 2_000;
/** After that LiveKit has dropped dead agents itself. */
const FORGET_MS = 30_000;

export interface LostWorkersOptions {
  /** See presenceRoom. */
  room: string;
  /** Of this worker. */
  worker: string;
}

export interface LostWorkersEvents {
  /** The workers that are there, this one among them. */
  onPresent?: (workers: readonly PresentWorker[]) => void;
  /** The process of a worker is gone: `calls` had an agent of it. */
  onLost?: (worker: string, calls: number) => void;
  /** The dead agent of a room was removed, or has left: it wants another one at once. */
  onDied?: (call: PresentCall, agent: string) => void;
  /** Other workers have room for more calls than at the last look. */
  onRoom?: () => void;
  onFailure?: (error: unknown) => void;
}

interface Lost {
  calls: Map<string, { call: PresentCall; notBefore: number }>;
  at: number;
  /** Until then it may only seem to be gone. */
  doubtUntil: number;
}

/**
 * Finds the calls of workers that died as a whole, long before LiveKit drops their agents. Two things have to be true of
 * such an agent: the connection of its worker's presence was closed, which a hanging process or a broken network does
 * not do, and the agent itself answers nothing, through its own connection. Neither alone is a reason to touch a call.
 */
export class LostWorkers {
  readonly #clock: MonotonicClock;
  readonly #api: Pick<RoomsApi, 'listWorkers' | 'listMembers' | 'isAlive' | 'removeMember'>;
  readonly #budget: RequestBudget;
  readonly #options: LostWorkersOptions;
  readonly #events: LostWorkersEvents;
  /** Workers that are there, as far as is known. */
  #present = new Map<string, PresentWorker>();
  /** The latest look has shown who is there. */
  #certain = false;
  readonly #lost = new Map<string, Lost>();
  readonly #busy = new Set<string>();
  /** Not before it looks for a seat the first time, when it is there itself. */
  #lookedAt = Number.POSITIVE_INFINITY;
  /** How long LiveKit took for the latest look. */
  #took = 0;
  #looking: Promise<void> | undefined;

  constructor(
    clock: MonotonicClock,
    api: Pick<RoomsApi, 'listWorkers' | 'listMembers' | 'isAlive' | 'removeMember'>,
    budget: RequestBudget,
    options: LostWorkersOptions,
    events: LostWorkersEvents = {},
  ) {
    this.#clock = clock;
    this.#api = api;
    this.#budget = budget;
    this.#options = options;
    this.#events = events;
  }

  /** Whether the process of a worker that was there is gone. */
  isLost(worker: string): boolean {
    const lost = this.#lost.get(worker);
    return lost !== undefined && this.#clock.now() >= lost.doubtUntil;
  }

  /** Whether this worker is known to be the only one. */
  get alone(): boolean {
    return this.#certain && this.#present.size === 1 && this.#present.has(this.#options.worker);
  }

  /** Calls that the other workers had room for, at the last look. */
  get room(): number {
    const others = [...this.#present.values()].filter(
      ({ worker }) => worker !== this.#options.worker,
    );
    return others.reduce((sum, { free }) => sum + free, 0);
  }

  /**
   * This worker's own connection was closed, and what closed it may have closed the others': whoever seems to be gone
   * has time to come back. Nobody is forgotten.
   */
  disturbed(): void {
    const now = this.#clock.now();
    this.#certain = false;
    for (const lost of this.#lost.values())
      if (now - lost.at < SAME_CAUSE_MS) lost.doubtUntil = now + DOUBT_MS;
  }

  /**
   * One step; to be called several times a second.
   * @param seated this worker watches or stands by @param act looks into calls, too: it watches
   */
  step(seated: boolean, act: boolean): void {
    if (this.#clock.now() >= this.#lookedAt + this.#pauseMs(seated)) void this.look();
    const now = this.#clock.now();
    for (const [worker, { at, calls }] of this.#lost) {
      if (now - at > FORGET_MS) this.#lost.delete(worker);
      else if (act && this.isLost(worker)) this.#lookInto(worker, calls);
    }
  }

  /** Asks LiveKit who is there; resolves when it has answered. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#ask().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #ask(): Promise<void> {
    const start = this.#clock.now();
    try {
      this.#take(await this.#api.listWorkers(this.#options.room));
    } catch (error) {
      this.#certain = false;
      this.#events.onFailure?.(error);
    }
    this.#lookedAt = start;
    this.#took = this.#clock.now() - start;
  }

  /** From one look to the next. */
  #pauseMs(seated: boolean): number {
    const workers = this.#present.size;
    const share = Math.min(LOOK_SHARE * this.#took, this.#took + MAX_SHARE_MS);
    if (seated) return Math.max(LOOK_MS, LOOK_MS_PER_WORKER * workers, share);
    const { lookMs, lookMsPerWorker } = WITHOUT_SEAT;
    return Math.max(lookMs, lookMsPerWorker * workers, share);
  }

  #take(workers: readonly PresentWorker[]): void {
    const present = new Map(workers.map((one) => [one.worker, one]));
    for (const worker of present.keys()) this.#lost.delete(worker);
    // LiveKit has lost the room, or us: then it reports nothing of the others either.
    if (!present.has(this.#options.worker)) {
      this.disturbed();
      return;
    }
    const gone = [...this.#present.values()].filter(({ worker }) => !present.has(worker));
    const at = this.#clock.now();
    const doubtUntil = this.#certain ? at : at + DOUBT_MS;
    for (const { worker, calls } of gone)
      this.#lost.set(worker, {
        ...{ at, doubtUntil },
        calls: new Map(calls.map((call) => [call.job, { call, notBefore: 0 }])),
      });
    const before = this.room;
    this.#present = present;
    this.#certain = true;
    for (const { worker, calls } of gone) this.#events.onLost?.(worker, calls.length);
    this.#events.onPresent?.(workers);
    if (this.room > before) this.#events.onRoom?.();
  }

  #lookInto(worker: string, calls: Lost['calls']): void {
    for (const [job, entry] of calls) {
      if (this.#busy.has(job) || this.#clock.now() < entry.notBefore) continue;
      if (this.#busy.size >= MAX_AT_ONCE || !this.#budget.take(QUESTIONS + 2)) return;
      this.#busy.add(job);
      void this.#settle(worker, entry.call)
        .catch((error) => {
          this.#events.onFailure?.(error);
          return false;
        })
        .then((settled) => {
          this.#busy.delete(job);
          if (settled) calls.delete(job);
          else entry.notBefore = this.#clock.now() + ASK_AGAIN_MS;
        });
    }
  }

  /** @returns whether nothing is left to be done about a call */
  async #settle(worker: string, call: PresentCall): Promise<boolean> {
    const { room } = call;
    const agent = `agent-${call.job}`;
    const members = await this.#api.listMembers(room);
    const there = members.some(({ identity }) => identity === agent);
    // Else its process had time to leave, or the room has gone.
    if (there && (await this.#answers(room, agent))) return false;
    // Back, or in doubt again.
    if (!this.isLost(worker)) return false;
    if (there) await this.#api.removeMember(room, agent);
    this.#events.onDied?.(call, agent);
    return true;
  }

  /** Whether an agent answers, or LiveKit does not know. */
  async #answers(room: string, agent: string): Promise<boolean> {
    const answers = await Promise.all(
      Array.from({ length: QUESTIONS }, async (_, i) => {
        await new Promise<void>((resolve) => this.#clock.after(i * NEXT_QUESTION_MS, resolve));
        return this.#api.isAlive(room, agent, ANSWER_MS);
      }),
    );
    return answers.some((answer) => answer !== false);
  }
}
