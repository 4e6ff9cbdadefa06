// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../clock.js';
import type { UnansweredRoom } from '../watcher/room-watch.js';
import type {
  AttendantOutcome,
  AttendantPart,
  AttendantReport,
  AttendantTask,
} from './attendant-messages.js';

/** Before a room may get an attendant again: until what LiveKit lists is up to date. */
const AGAIN_MS = 3_000;
/** The same, after another worker's attendant has replaced ours. */
const AFTER_REPLACED_MS = 10_000;

export type LineReport = AttendantReport;

/** Who goes to callers; answers with reports. */
export interface LineAttendants {
  onReport: (report: LineReport) => void;
  start(): void;
  stop(): void;
  attend(task: AttendantTask): void;
  leave(room: string): void;
}

/** What the line asks of LiveKit. */
export interface LineRooms {
  /** Address and token of the attendant of a room. */
  access(room: string, part: AttendantPart): Promise<Pick<AttendantTask, 'url' | 'token'>>;
  /** Nobody is sent to that room any more. */
  withdraw(room: string): Promise<void>;
  /** Ends the call of the callers of a room, who were told so. */
  disconnect(room: UnansweredRoom): Promise<void>;
}

export interface WaitingLineEvents {
  /** Somebody waits from now on, or is told that nobody can answer. */
  onAttended?: (room: UnansweredRoom, part: AttendantPart) => void;
  /** The words have begun. @param ms after the line was asked to see to the room */
  onSpeaking?: (room: UnansweredRoom, ms: number) => void;
  onEnded?: (room: UnansweredRoom, outcome: AttendantOutcome, waitedMs: number) => void;
  onFailure?: (error: unknown) => void;
}

interface Attended {
  readonly room: UnansweredRoom;
  readonly part: AttendantPart;
  readonly since: number;
}

/**
 * The waiting line: callers without an agent hear that all lines are taken, and then music, until an agent has taken
 * over. Their place in the line is the watcher's order, by which agents are sent. Whoever comes while as many wait as
 * may is told that nobody can answer now, and is disconnected. Decides only; attendants do it.
 */
export class WaitingLine {
  readonly #clock: MonotonicClock;
  readonly #limit: number;
  readonly #attendants: LineAttendants;
  readonly #rooms: LineRooms;
  readonly #events: WaitingLineEvents;
  readonly #attended = new Map<string, Attended>();
  /** Rooms that are left alone until then. */
  readonly #notBefore = new Map<string, number>();
  /** Rooms whose callers are told that nobody can answer, until they are disconnected. */
  readonly #turnedAway = new Set<string>();
  #onEmpty: () => void = () => {};

  /** @param limit callers who may wait at once */
  constructor(
    clock: MonotonicClock,
    limit: number,
    attendants: LineAttendants,
    rooms: LineRooms,
    events: WaitingLineEvents = {},
  ) {
    this.#clock = clock;
    this.#limit = limit;
    this.#attendants = attendants;
    this.#rooms = rooms;
    this.#events = events;
    attendants.onReport = (report) => this.#report(report);
  }

  /** Callers who wait now. */
  get callers(): number {
    return [...this.#attended.values()]
      .filter(({ part }) => part === 'wait')
      .reduce((sum, { room }) => sum + room.callers.length, 0);
  }

  /**
   * Whether the callers of a room are told that nobody can answer: no agent should be sent meanwhile. Their dispatch is
   * kept until they are disconnected, so that they are not forgotten when this worker ends, or when an agent comes all
   * the same, which LiveKit would end with its dispatch.
   */
  turnsAway(room: string): boolean {
    return this.#turnedAway.has(room);
  }

  start(): void {
    this.#attendants.start();
  }

  /**
   * @param line rooms whose callers should hear why nobody answers, those who came first first
   * @param unwanted whether nobody wants an agent in a room any more, although its caller is there
   * @param stillWaits asks LiveKit again whether nobody answers: a call would be ended that has just begun
   */
  step(
    line: readonly UnansweredRoom[],
    unwanted: (room: string) => boolean,
    stillWaits: (room: string) => Promise<boolean>,
  ): void {
    const now = this.#clock.now();
    for (const [name, at] of this.#notBefore) if (at <= now) this.#notBefore.delete(name);
    for (const room of line) {
      if (this.#attended.has(room.name) || this.#notBefore.has(room.name)) continue;
      const part = this.callers + room.callers.length <= this.#limit ? 'wait' : 'turn_away';
      void this.#attend(room, part, stillWaits);
    }
    for (const [name, { part }] of this.#attended)
      if (part === 'wait' && unwanted(name)) this.#attendants.leave(name);
  }

  /** Another worker sees to the line: who has not been replaced by then leaves. */
  leaveAll(): void {
    for (const name of this.#attended.keys()) this.#attendants.leave(name);
  }

  /** Leaves when another worker's attendants have come, or after `ms`. */
  async stop(ms: number): Promise<void> {
    if (this.#attended.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
        this.#clock.after(ms, resolve);
      });
    }
    this.#attendants.stop();
  }

  async #attend(
    room: UnansweredRoom,
    part: AttendantPart,
    stillWaits: (room: string) => Promise<boolean>,
  ): Promise<void> {
    const { name, callers } = room;
    this.#attended.set(name, { room, part, since: this.#clock.now() });
    try {
      if (part === 'turn_away') {
        if (!(await stillWaits(name))) {
          this.#forget(name);
          return;
        }
        this.#turnedAway.add(name);
      }
      const access = await this.#rooms.access(name, part);
      const speak = part === 'turn_away' || !room.attended;
      this.#attendants.attend({ room: name, callers, part, speak, ...access });
      this.#events.onAttended?.(room, part);
    } catch (error) {
      this.#events.onFailure?.(error);
      this.#report({ type: 'ended', room: name, outcome: 'failed' });
    }
  }

  #report(report: LineReport): void {
    const attended = this.#attended.get(report.room);
    if (!attended) return;
    const { room, part } = attended;
    if (report.type === 'speaking') {
      this.#events.onSpeaking?.(room, report.ms);
      return;
    }
    const { outcome } = report;
    const now = this.#clock.now();
    this.#forget(room.name);
    const pauseMs = outcome === 'replaced' ? AFTER_REPLACED_MS : AGAIN_MS;
    this.#notBefore.set(room.name, now + pauseMs);
    this.#events.onEnded?.(room, outcome, room.waitedMs + now - attended.since);
    if (part === 'wait') return;
    // Also those who could not be told: nobody will come.
    if (outcome === 'turned_away' || outcome === 'failed') void this.#hangUp(room);
    else this.#turnedAway.delete(room.name);
  }

  async #hangUp(room: UnansweredRoom): Promise<void> {
    const onFailure = (error: unknown) => this.#events.onFailure?.(error);
    // First, so that no agent is sent to whoever stays in the room.
    await this.#rooms.withdraw(room.name).catch(onFailure);
    await this.#rooms.disconnect(room).catch(onFailure);
    this.#turnedAway.delete(room.name);
  }

  #forget(room: string): void {
    this.#attended.delete(room);
    if (this.#attended.size === 0) this.#onEmpty();
  }
}
