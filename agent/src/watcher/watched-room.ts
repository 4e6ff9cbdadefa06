// SPDX-License-Identifier: Apache-2.0

import type { RoomDispatch, RoomMember, RoomSummary } from './rooms-api.js';

/** Agents that each stay for less than this have a problem that the next one will have, too. */
const SHORT_STAY_MS = 10_000;
/** Pauses after so many of them in a row. */
const RETRY_MS = [0, 0, 2_000, 5_000, 15_000, 60_000];
/** What a dispatch is repeated with. */
export type DispatchTerms = Pick<
  RoomDispatch,
  'agentName' | 'metadata' | 'deployment' | 'restartPolicy'
>;

/** What RoomWatch knows of a room. */
export interface WatchedRoom {
  summary: RoomSummary;
  listedAt: number;
  changedAt: number;
  /** Undefined: to be looked at now. */
  checkedAt: number | undefined;
  /** When LiveKit was asked for what is known of the dispatches. */
  askedAt: number;
  callers: RoomMember[];
  agents: string[];
  attended: boolean;
  /** Agents that have been seen in the room and are not there any more. */
  left: Set<string>;
  /** Since when there has been a caller without an agent; undefined when there is none. */
  aloneSince: number | undefined;
  /** The terms of our latest dispatch; undefined: nobody wants our agent here. */
  terms: DispatchTerms | undefined;
  /** Those terms are from before LiveKit lost the room and its dispatches. */
  lost: boolean;
  spent: string[];
  /** Dispatches that this watcher created. */
  own: Set<string>;
  /** A worker has accepted a job of this room before. */
  hadAgent: boolean;
  /** Until when a dispatch may still find a worker. */
  pendingUntil: number;
  /** The same, of dispatches that are not this watcher's. */
  offeredUntil: number;
  /** Until when an agent may still come whose job a worker has accepted. */
  joiningUntil: number;
  agentAt: number;
  shortStays: number;
  notBefore: number;
}

export function newRoom(summary: RoomSummary, now: number): WatchedRoom {
  return {
    summary,
    listedAt: now,
    changedAt: now,
    checkedAt: undefined,
    askedAt: now,
    callers: [],
    agents: [],
    attended: false,
    left: new Set(),
    aloneSince: undefined,
    terms: undefined,
    lost: false,
    spent: [],
    own: new Set(),
    hadAgent: false,
    pendingUntil: now,
    offeredUntil: now,
    joiningUntil: now,
    agentAt: now,
    shortStays: 0,
    notBefore: now,
  };
}

/** Notes who has come and who has gone; after agents that stayed only for a moment the next one has to wait. */
export function noteAgents(room: WatchedRoom, agents: string[], now: number): void {
  const gone = room.agents.filter((identity) => !agents.includes(identity));
  for (const identity of gone) room.left.add(identity);
  if (room.agents.length === 0 && agents.length > 0) room.agentAt = now;
  if (gone.length > 0 && agents.length === 0) {
    room.shortStays = now - room.agentAt < SHORT_STAY_MS ? room.shortStays + 1 : 0;
    room.notBefore = now + (RETRY_MS[Math.min(room.shortStays, RETRY_MS.length - 1)] ?? 0);
  }
  room.agents = agents;
}
