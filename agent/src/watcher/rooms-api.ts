// SPDX-License-Identifier: Apache-2.0

import type { ServingTasks } from '../ecs/service-api.js';

/** The attribute in which LiveKit names the agent of a participant. */
export const AGENT_NAME_ATTRIBUTE = 'lk.agent_name';

/** A room as LiveKit lists it. */
export interface RoomSummary {
  name: string;
  sid: string;
  /** People: LiveKit leaves agents and recorders out. livekit-server 1.13.5 is up to 10 s late with both counts. */
  participants: number;
  /** Participants that publish a track, agents included. */
  publishers: number;
  metadata: string;
}

/** A participant of a room. */
export interface RoomMember {
  identity: string;
  /**
   * `attendant`: who keeps the caller company until an agent comes. `other`: whom no agent serves, see CallerChoice, and
   * hidden participants.
   */
  kind: 'caller' | 'agent' | 'attendant' | 'other';
  /** The name that an agent was dispatched by; undefined when LiveKit does not say. */
  agentName?: string;
  /** Milliseconds since the epoch, by LiveKit's clock. */
  joinedAt: number;
}

/** The wish for an agent in a room, and the jobs that came of it. */
export interface RoomDispatch {
  id: string;
  agentName: string;
  metadata: string;
  deployment: string;
  /** JobRestartPolicy of @livekit/protocol. */
  restartPolicy: number;
  /** Milliseconds since the epoch, by LiveKit's clock. */
  createdAt: number;
  /**
   * Jobs that a worker accepted. livekit-server 1.13.5 never updates their states here: whether a job still runs is
   * to be seen from the participants.
   */
  jobs: { id: string; startedAt: number; identity: string }[];
}

/** A call of a worker, as others need it. */
export interface PresentCall {
  room: string;
  job: string;
}

/** A worker that is connected to LiveKit. */
export interface PresentWorker {
  worker: string;
  calls: readonly PresentCall[];
  /** Calls that it has room for. */
  free: number;
  /** What started its task, as one that takes calls or none; undefined outside ECS. */
  task?: ServingTasks | undefined;
}

/** What the watcher asks of LiveKit's server API. Every method may reject, and none is answered for certain. */
export interface RoomsApi {
  listRooms(names?: string[]): Promise<RoomSummary[]>;
  /** Empty for a room that does not exist. */
  listMembers(room: string): Promise<RoomMember[]>;
  /** Empty for a room that does not exist. */
  listDispatches(room: string): Promise<RoomDispatch[]>;
  createDispatch(
    room: string,
    like: Pick<RoomDispatch, 'agentName' | 'metadata' | 'deployment' | 'restartPolicy'>,
  ): Promise<RoomDispatch>;
  deleteDispatch(room: string, id: string): Promise<void>;
  /** Sets the metadata of a room without an agent, which is created when it does not exist. */
  writeMetadata(room: string, metadata: string): Promise<void>;
  /** The workers in the room of their presence; empty for a room that does not exist. */
  listWorkers(room: string): Promise<PresentWorker[]>;
  /** Whether a participant answers through its own connection within `ms`; undefined when that is not known. */
  isAlive(room: string, identity: string, ms: number): Promise<boolean | undefined>;
  /** Nothing for one that is not there. */
  removeMember(room: string, identity: string): Promise<void>;
}
