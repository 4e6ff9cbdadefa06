// SPDX-License-Identifier: Apache-2.0

import type { ConnectPresence } from '../../../agent/src/watcher/presence-connection.js';
import type {
  RoomDispatch,
  RoomMember,
  RoomSummary,
  RoomsApi,
} from '../../../agent/src/watcher/rooms-api.js';
import { presentWorkers } from '../../../agent/src/watcher/worker-presence.js';
import type { ManualClock } from '../../support/manual-clock.js';

export const AGENT = 'agent';
const EPOCH = 1_700_000_000_000;
/** LiveKit drops a participant that has no WebRTC after so long. */
const PRESENCE_MS = 60_000;
const ACCEPT_MS = 40;
const JOIN_MS = 400;
/** livekit-server 1.13.5: numbers of a room are renewed at once if they are older than this, else up to 10 s later. */
const COUNTS_MS = 5_000;

interface SimulatedRoom {
  name: string;
  sid: string;
  metadata: string;
  members: RoomMember[];
  dispatches: RoomDispatch[];
  counts: { participants: number; publishers: number };
  countedAt: number;
}

/** A job that LiveKit offers. */
export interface OfferedJob {
  id: string;
  room: string;
  roomSid: string;
}

/** As much of livekit-server 1.13.5 as the watcher sees, with tasks that take calls, on a manual clock. */
export class SimulatedLiveKit {
  readonly rooms = new Map<string, SimulatedRoom>();
  /** Free slots of all tasks. */
  slots = 0;
  /** Which caller was answered when. */
  readonly answered: { room: string; at: number }[] = [];
  /** Agents that found another one and left. */
  second = 0;
  requests = 0;
  /** Until when it answers nothing but errors. */
  downUntil = 0;
  /** Until when it lets no presence in. */
  closedUntil = 0;
  /** Agents whose process is gone or cannot be reached: LiveKit lists them, and they answer nothing. */
  readonly mute = new Set<string>();
  /** Agents that the API removed. */
  readonly removed: string[] = [];
  /** The hidden participants of the workers, by their identity. */
  readonly presences = new Map<
    string,
    { room: string; metadata: string; close(): void; hear(metadata: string): void }
  >();
  readonly #clock: ManualClock;
  readonly #latency: () => number;
  readonly #assign: ((job: OfferedJob) => Promise<boolean>) | undefined;
  #ids = 0;

  /** @param assign finds a worker for a job, which then calls `agentJoins`. Default: `slots` agents, which join at once */
  constructor(
    clock: ManualClock,
    latency: () => number = () => 2,
    assign?: (job: OfferedJob) => Promise<boolean>,
  ) {
    this.#clock = clock;
    this.#latency = latency;
    this.#assign = assign;
  }

  readonly wallClock = () => EPOCH + this.#clock.now();

  /** A client of the API, as each worker has one; `cut()` is its worker's end. */
  client(): RoomsApi & { cut(): void } {
    let cut = false;
    const call = <T>(run: () => T): Promise<T> => {
      this.requests += 1;
      return new Promise((resolve, reject) => {
        const there = this.#latency() / 2;
        this.#clock.after(there, () => {
          if (cut) return;
          if (this.#clock.now() < this.downUntil) return reject(new Error('unavailable'));
          const answer = run();
          this.#clock.after(this.#latency() / 2, () => cut || resolve(answer));
        });
      });
    };
    return {
      cut: () => {
        cut = true;
      },
      listRooms: (names) =>
        call(() =>
          [...this.rooms.values()]
            .filter(({ name }) => !names || names.includes(name))
            .map(
              ({ name, sid, counts, metadata }): RoomSummary => ({
                name,
                sid,
                metadata,
                ...counts,
              }),
            ),
        ),
      listMembers: (room) => call(() => structuredClone(this.rooms.get(room)?.members ?? [])),
      listDispatches: (room) => call(() => structuredClone(this.rooms.get(room)?.dispatches ?? [])),
      createDispatch: (room, { agentName, metadata }) =>
        call(() => structuredClone(this.dispatch(room, metadata, agentName))),
      deleteDispatch: (room, id) =>
        call(() => {
          const found = this.rooms.get(room);
          if (found) found.dispatches = found.dispatches.filter((other) => other.id !== id);
        }),
      writeMetadata: (room, metadata) =>
        call(() => {
          this.#room(room).metadata = metadata;
          // To all participants at once (livekit-server 1.13.5, Room.SetMetadata).
          for (const presence of this.presences.values())
            if (presence.room === room) presence.hear(metadata);
        }),
      listWorkers: () =>
        call(() =>
          presentWorkers(
            [...this.presences].map(([identity, { metadata }]) => ({ identity, metadata })),
          ),
        ),
      isAlive: async (room, identity, ms) => {
        const there = await call(() => this.agents(room).includes(identity));
        if (!there) return undefined;
        if (!this.mute.has(identity)) return true;
        await new Promise<void>((resolve) => this.#clock.after(ms, resolve));
        return !this.mute.has(identity);
      },
      removeMember: (room, identity) =>
        call(() => {
          this.removed.push(identity);
          this.leave(room, identity);
        }),
    };
  }

  /**
   * The signal connections of one worker: `cut()` closes them, as the end of its process does; once it is `stopped`
   * nothing arrives at either end.
   */
  presence(): { connect: ConnectPresence; cut(): void; stopped: boolean } {
    const open = new Set<string>();
    const state = { stopped: false };
    const connect: ConnectPresence = (room, { identity, metadata }, events) => {
      let over = false;
      const entry = {
        ...{ room, metadata },
        hear: (changed: string) => {
          this.#clock.after(1, () => over || state.stopped || events.onRoomMetadata(changed));
        },
        close: () => {
          if (over) return;
          over = true;
          if (this.presences.get(identity) === entry) this.presences.delete(identity);
          open.delete(identity);
          this.#clock.after(1, () => state.stopped || events.onClosed());
        },
      };
      this.#clock.after(this.#latency(), () => {
        if (over || state.stopped) return;
        if (this.#clock.now() < Math.max(this.downUntil, this.closedUntil)) return entry.close();
        this.presences.get(identity)?.close();
        this.presences.set(identity, entry);
        open.add(identity);
        events.onRoomMetadata(this.rooms.get(room)?.metadata ?? '');
        events.onJoined();
        this.#clock.after(PRESENCE_MS, entry.close);
      });
      return {
        tell: (changed) => {
          if (!state.stopped) entry.metadata = changed;
        },
        leave: () => {
          if (state.stopped) return;
          over = true;
          if (this.presences.get(identity) === entry) this.presences.delete(identity);
        },
      };
    };
    return Object.assign(state, {
      connect,
      cut: () => {
        for (const identity of [...open]) this.presences.get(identity)?.close();
      },
    });
  }

  /** A caller joins a room, which is created. */
  join(name: string, { dispatch = true, metadata = '' } = {}): void {
    const room = this.#room(name);
    const joinedAt = this.wallClock();
    room.members.push({ identity: `caller-${name}`, kind: 'caller', joinedAt });
    this.#changed(room);
    if (dispatch) this.dispatch(name, metadata);
  }

  leave(name: string, identity = `caller-${name}`): void {
    const room = this.rooms.get(name);
    if (!room) return;
    room.members = room.members.filter((member) => member.identity !== identity);
    this.#changed(room);
  }

  agents(name: string): string[] {
    const members = this.rooms.get(name)?.members ?? [];
    return members.filter(({ kind }) => kind === 'agent').map(({ identity }) => identity);
  }

  dispatch(name: string, metadata = '', agentName = AGENT): RoomDispatch {
    const room = this.#room(name);
    const dispatch: RoomDispatch = {
      id: this.#id('AD'),
      agentName,
      metadata,
      deployment: '',
      restartPolicy: 0,
      createdAt: this.wallClock(),
      jobs: [],
    };
    room.dispatches.push(dispatch);
    this.#clock.after(ACCEPT_MS, () => {
      if (this.#assign) void this.#offerToWorkers(this.#assign, room, dispatch);
      else this.#offer(room, dispatch);
    });
    return dispatch;
  }

  /** The agent of a job joins. @returns false when its room is gone, or has another agent, which stays */
  agentJoins({ id, room: name, roomSid }: OfferedJob): boolean {
    const room = this.rooms.get(name);
    if (room?.sid !== roomSid) return false;
    const others = this.agents(name).filter((identity) => identity !== agentOf(id));
    if (others.length > 0) {
      this.second += 1;
      return false;
    }
    if (this.agents(name).length === 0) this.#joined(room, agentOf(id));
    return true;
  }

  /** Removes a room, which nobody is in any more. */
  remove(name: string): void {
    this.rooms.delete(name);
  }

  /** Ends all rooms, as a restart does; the callers come back at once, their dispatches do not. */
  restart(): void {
    const rooms = [...this.rooms.values()];
    this.rooms.clear();
    for (const { close } of [...this.presences.values()]) close();
    for (const { name, members } of rooms) {
      const callers = members.filter(({ kind }) => kind === 'caller');
      if (callers.length > 0) this.join(name, { dispatch: false });
    }
  }

  async #offerToWorkers(
    assign: (job: OfferedJob) => Promise<boolean>,
    { name, sid }: SimulatedRoom,
    dispatch: RoomDispatch,
  ): Promise<void> {
    if (this.rooms.get(name)?.sid !== sid) return;
    const id = this.#id('AJ');
    if (!(await assign({ id, room: name, roomSid: sid }))) return;
    dispatch.jobs.push({ id, startedAt: this.wallClock(), identity: agentOf(id) });
  }

  #offer(room: SimulatedRoom, dispatch: RoomDispatch): void {
    if (this.slots === 0) return;
    this.slots -= 1;
    const id = this.#id('AJ');
    const identity = agentOf(id);
    dispatch.jobs.push({ id, startedAt: this.wallClock(), identity });
    this.#clock.after(JOIN_MS, () => {
      if (this.agents(room.name).length > 0) {
        this.second += 1;
        this.slots += 1;
        return;
      }
      this.#joined(room, identity);
    });
  }

  #joined(room: SimulatedRoom, identity: string): void {
    room.members.push({ identity, kind: 'agent', agentName: AGENT, joinedAt: this.wallClock() });
    this.answered.push({ room: room.name, at: this.#clock.now() });
    this.#changed(room);
  }

  #room(name: string): SimulatedRoom {
    const known = this.rooms.get(name);
    if (known) return known;
    const room: SimulatedRoom = {
      name,
      sid: this.#id('RM'),
      metadata: '',
      members: [],
      dispatches: [],
      counts: { participants: 0, publishers: 0 },
      countedAt: this.#clock.now(),
    };
    this.rooms.set(name, room);
    return room;
  }

  #changed(room: SimulatedRoom): void {
    const count = () => {
      room.countedAt = this.#clock.now();
      const people = room.members.filter(({ kind }) => kind === 'caller').length;
      room.counts = { participants: people, publishers: room.members.length };
    };
    if (this.#clock.now() - room.countedAt > COUNTS_MS) count();
    else this.#clock.after(2 * COUNTS_MS, count);
  }

  #id(prefix: string): string {
    this.#ids += 1;
    return `${prefix}_${this.#ids}`;
  }
}

/** The identity that the framework gives the agent of a job. */
export function agentOf(job: string): string {
  return `agent-${job}`;
}
