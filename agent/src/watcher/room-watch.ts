// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../clock.js';
import type { RoomDispatch, RoomMember, RoomSummary } from './rooms-api.js';
import { type DispatchTerms, newRoom, noteAgents, type WatchedRoom } from './watched-room.js';

/** For so long after a room appeared or changed its numbers may be out of date: it is looked at every second. */
const UNSETTLED_MS = 12_000;
const CHECK_MS = { unsettled: 1_000, alone: 2_000, settled: 30_000 };
/** A caller is unanswered after so long without an agent: LiveKit needs a moment to send one. */
const GRACE_MS = 1_000;
/** The same, after an agent has left: its worker needs a moment to withdraw the dispatch of a call that has ended. */
const GRACE_AFTER_AGENT_MS = 3_000;
/** A dispatch without a job that is younger than this may still find a worker. */
const PENDING_MS = 700;
/** The same, of one of this watcher's own: it has looked for its job twice by then. */
const OWN_PENDING_MS = 250;
/** LiveKit's own limit of a job request is 3 s: a job of an older dispatch without one will not come. */
const SPENT_MS = 4_000;
/** A job that was accepted so recently may still be joining. */
const JOINING_MS = 6_000;
/** For so long an agent whose job this worker has accepted may be joining before anybody asks whether it is there. */
const ACCEPTED_MS = 2_000;
/** Rooms that LiveKit does not list are remembered for so long: after its restart they are back. */
const FORGET_MS = 60_000;

/** A room with a caller whom no agent serves. */
export interface UnansweredRoom {
  name: string;
  sid: string;
  callers: readonly string[];
  /** When the first of the callers joined: milliseconds since the epoch, by LiveKit's clock. */
  joinedAt: number;
  /** Since when this worker has known it: milliseconds of its clock. */
  since: number;
  terms: DispatchTerms;
  /** Dispatches that came to nothing, beside the first one, which is kept. */
  spent: readonly string[];
  /** How long the caller has waited, in milliseconds: since joining, or since an agent left. */
  waitedMs: number;
  /** An attendant is with the caller. */
  attended: boolean;
}

/**
 * Knows of every room whether its caller has an agent. Whoever calls it asks LiveKit: for the list of rooms every
 * second, and for the participants and the dispatches of the rooms that are due. A room wants an agent if it has a
 * dispatch of ours; a call that was ended for good has none any more. Pure: no requests, a clock passed in.
 */
export class RoomWatch {
  readonly #clock: MonotonicClock;
  readonly #agentName: string;
  readonly #wallClock: () => number;
  readonly #rooms = new Map<string, WatchedRoom>();
  /** Agents that died with their worker, by room, until another one is there. */
  readonly #died = new Map<string, string>();
  /** When this worker accepted the job of a room, by the room's sid. */
  readonly #accepted = new Map<string, number>();
  #listedAt = Number.NEGATIVE_INFINITY;
  #outageAt = Number.NEGATIVE_INFINITY;

  /**
   * @param agentName LIVEKIT_AGENT_NAME; '' for automatic dispatch
   * @param wallClock milliseconds since the epoch, to tell how old LiveKit's times are
   */
  constructor(clock: MonotonicClock, agentName: string, wallClock: () => number = Date.now) {
    this.#clock = clock;
    this.#agentName = agentName;
    this.#wallClock = wallClock;
  }

  /** What LiveKit lists now. */
  list(rooms: readonly RoomSummary[]): void {
    const now = this.#clock.now();
    this.#listedAt = now;
    for (const summary of rooms) this.#listed(summary, now);
    for (const [name, room] of this.#rooms) {
      if (room.listedAt === now) continue;
      room.aloneSince = undefined;
      if (now - room.listedAt <= FORGET_MS) continue;
      this.#rooms.delete(name);
    }
    for (const [sid, at] of this.#accepted) if (now - at >= ACCEPTED_MS) this.#accepted.delete(sid);
    for (const name of this.#died.keys()) if (!this.#rooms.has(name)) this.#died.delete(name);
  }

  /** LiveKit did not answer: it may have lost its rooms and their dispatches. */
  outage(): void {
    this.#outageAt = this.#clock.now();
  }

  /** The rooms to look at now, the most urgent first: new ones, then those in doubt, then those that seem settled. */
  due(): string[] {
    const now = this.#clock.now();
    return [...this.#rooms.values()]
      .filter(({ listedAt }) => listedAt === this.#listedAt)
      .filter((room) => !this.#isAnswered(room))
      .map((room) => ({ name: room.summary.name, ...this.#plan(room) }))
      .filter(({ at }) => at <= now)
      .sort((a, b) => a.rank - b.rank || a.at - b.at)
      .map(({ name }) => name);
  }

  /** Whether these participants are a caller without an agent: then the dispatches of the room are wanted as well. */
  needsDispatches(members: readonly RoomMember[]): boolean {
    return members.some(isCaller) && !members.some((member) => this.#isAgent(member));
  }

  /** What LiveKit answered about a room. @param dispatches of one that needs them, asked for at `askedAt` */
  checked(
    name: string,
    members: readonly RoomMember[],
    dispatches: readonly RoomDispatch[] = [],
    askedAt = this.#clock.now(),
  ): void {
    const room = this.#rooms.get(name);
    // After an outage it may be another room, which the next list will show.
    if (!room || this.#outageAt > room.listedAt) return;
    const now = this.#clock.now();
    room.checkedAt = now;
    room.callers = members.filter(isCaller);
    room.attended = members.some(({ kind }) => kind === 'attendant');
    noteAgents(room, members.filter((member) => this.#isAgent(member)).map(identityOf), now);
    const died = this.#died.get(name);
    if (died !== undefined) room.left.add(died);
    if (room.agents.some((identity) => identity !== died)) this.#died.delete(name);
    if (room.callers.length === 0 || room.agents.length > 0) {
      room.aloneSince = undefined;
      room.pendingUntil = room.offeredUntil = room.joiningUntil = now;
      return;
    }
    room.aloneSince ??= now;
    room.askedAt = askedAt;
    this.#takeDispatches(room, dispatches);
  }

  /** Rooms that want an agent, those whose caller came first first. */
  unanswered(): UnansweredRoom[] {
    const now = this.#clock.now();
    return this.#alone((room, aloneSince) => {
      const { hadAgent, summary, callers } = room;
      if (this.#died.has(summary.name)) return true;
      if (hadAgent) return now - aloneSince >= GRACE_AFTER_AGENT_MS;
      // One who has waited for longer than this worker has watched has waited.
      return Math.max(now - aloneSince, this.#age(joinedFirst(callers))) >= GRACE_MS;
    });
  }

  /**
   * Rooms whose callers should hear why nobody answers, in the same order: LiveKit has found no worker for them, or their
   * agent has left. Before that an agent may be about to join, which an older look cannot show.
   */
  waiting(): UnansweredRoom[] {
    const now = this.#clock.now();
    return this.#alone(
      ({ hadAgent, askedAt, offeredUntil, joiningUntil }, aloneSince) =>
        askedAt >= offeredUntil &&
        askedAt >= joiningUntil &&
        (!hadAgent || now - aloneSince >= GRACE_AFTER_AGENT_MS),
    );
  }

  /** Whether a caller is alone in a room for which nobody wants an agent any more. */
  unwanted(name: string): boolean {
    const room = this.#rooms.get(name);
    return room?.aloneSince !== undefined && !room.terms;
  }

  /**
   * What may be done about an unanswered room: `dispatch` to it, or leave it, because an agent is `coming`, a dispatch
   * is `pending`, or agents came and did not stay, and the next one should `rest`.
   */
  outlook(name: string): 'dispatch' | 'coming' | 'pending' | 'rest' {
    const room = this.#rooms.get(name);
    const now = this.#clock.now();
    if (!room || now < room.notBefore) return 'rest';
    if (now < room.joiningUntil) return 'coming';
    return now < room.pendingUntil ? 'pending' : 'dispatch';
  }

  /** An agent died with its worker, and is not in the room any more: nobody is going to withdraw its dispatch. */
  agentDied(name: string, identity: string): void {
    this.#died.set(name, identity);
    const room = this.#rooms.get(name);
    if (room) room.checkedAt = undefined;
  }

  /** This worker has accepted a job of the room: requests about it would only tell that its agent is on its way. */
  accepted(roomSid: string): void {
    this.#accepted.set(roomSid, this.#clock.now());
  }

  /** The call of such a job has ended. */
  ended(roomSid: string): void {
    this.#accepted.delete(roomSid);
  }

  /** This watcher has created a dispatch. */
  dispatched(name: string, dispatch: string): void {
    this.#rooms.get(name)?.own.add(dispatch);
  }

  /** What is known may be out of date: this worker has not watched for a while. */
  resume(): void {
    for (const room of this.#rooms.values()) room.checkedAt = undefined;
  }

  #listed(summary: RoomSummary, now: number): void {
    const { name, sid, participants, publishers } = summary;
    const known = this.#rooms.get(name);
    if (!known) {
      this.#rooms.set(name, newRoom(summary, now));
      return;
    }
    const before = known.summary;
    if (sid !== before.sid) {
      // Another room of the same name, unless LiveKit has lost the first one and its dispatches.
      const lost = this.#outageAt > known.listedAt && known.terms !== undefined;
      const kept = lost ? { terms: known.terms, lost } : {};
      this.#rooms.set(name, { ...newRoom(summary, now), ...kept });
      return;
    }
    if (participants !== before.participants || publishers !== before.publishers) {
      known.changedAt = now;
      known.checkedAt = undefined;
    }
    known.summary = summary;
    known.listedAt = now;
  }

  /** Not while its caller is known to wait for an agent: then what is known of its dispatches must not get old. */
  #isAnswered({ summary, aloneSince, terms }: WatchedRoom): boolean {
    const at = this.#accepted.get(summary.sid);
    const waits = aloneSince !== undefined && terms !== undefined;
    return at !== undefined && !waits && this.#clock.now() - at < ACCEPTED_MS;
  }

  #plan(room: WatchedRoom): { rank: number; at: number } {
    const { checkedAt, changedAt, askedAt, offeredUntil, joiningUntil, aloneSince } = room;
    if (checkedAt === undefined) return { rank: 0, at: changedAt };
    const now = this.#clock.now();
    if (aloneSince !== undefined && offeredUntil > askedAt)
      return { rank: 1, at: Math.min(offeredUntil, checkedAt + CHECK_MS.unsettled) };
    const unsettled = now < joiningUntil || now - changedAt < UNSETTLED_MS;
    if (unsettled) return { rank: 1, at: checkedAt + CHECK_MS.unsettled };
    if (aloneSince !== undefined) return { rank: 1, at: checkedAt + CHECK_MS.alone };
    return { rank: 2, at: checkedAt + CHECK_MS.settled };
  }

  #isAgent({ kind, agentName, identity }: RoomMember): boolean {
    if (kind !== 'agent') return false;
    return agentName === undefined ? identity.startsWith('agent-') : agentName === this.#agentName;
  }

  #takeDispatches(room: WatchedRoom, dispatches: readonly RoomDispatch[]): void {
    const ours = dispatches
      .filter(({ agentName }) => agentName === this.#agentName)
      .sort((a, b) => a.createdAt - b.createdAt);
    // One of our own says nothing: whoever deletes theirs wants no agent any more.
    const wanted = ours.filter(({ id, jobs }) => !room.own.has(id) || jobs.length > 0);
    if (wanted.length > 0) room.lost = false;
    room.terms = wanted.at(-1) ?? (room.lost ? room.terms : undefined);
    room.spent = ours
      .slice(1)
      .filter(({ jobs, createdAt }) => jobs.length === 0 && this.#age(createdAt) > SPENT_MS)
      .map(({ id }) => id);
    room.hadAgent = ours.some(({ jobs }) => jobs.length > 0);
    const now = this.#clock.now();
    const pending = ours.filter(({ jobs }) => jobs.length === 0);
    const coming = ours
      .flatMap(({ jobs }) => jobs)
      .filter(({ identity }) => !room.left.has(identity));
    const youngest = (times: number[]) => Math.min(...times.map((time) => this.#age(time)));
    const isOwn = ({ id }: RoomDispatch) => room.own.has(id);
    const until = (ms: number, some: RoomDispatch[]) =>
      now + ms - youngest(some.map(({ createdAt }) => createdAt));
    room.offeredUntil = until(
      PENDING_MS,
      pending.filter((one) => !isOwn(one)),
    );
    room.pendingUntil = Math.max(room.offeredUntil, until(OWN_PENDING_MS, pending.filter(isOwn)));
    room.joiningUntil = now + JOINING_MS - youngest(coming.map(({ startedAt }) => startedAt));
  }

  #alone(matches: (room: WatchedRoom, aloneSince: number) => boolean): UnansweredRoom[] {
    const now = this.#clock.now();
    return [...this.#rooms.values()]
      .flatMap((room) => {
        const { aloneSince, terms, summary, callers, spent, hadAgent, attended } = room;
        if (aloneSince === undefined || !terms || !matches(room, aloneSince)) return [];
        const joinedAt = joinedFirst(callers);
        const { name, sid } = summary;
        const known = now - aloneSince;
        return [
          {
            ...{ name, sid, callers: callers.map(identityOf), joinedAt, since: aloneSince },
            ...{ terms, spent, attended },
            waitedMs: hadAgent ? known : Math.max(known, this.#age(joinedAt)),
          },
        ];
      })
      .sort((a, b) => a.joinedAt - b.joinedAt || (a.name < b.name ? -1 : 1));
  }

  #age(time: number): number {
    return this.#wallClock() - time;
  }
}

function isCaller({ kind }: RoomMember): boolean {
  return kind === 'caller';
}

function joinedFirst(callers: readonly RoomMember[]): number {
  return Math.min(...callers.map(({ joinedAt }) => joinedAt));
}

function identityOf({ identity }: RoomMember): string {
  return identity;
}
