// SPDX-License-Identifier: Apache-2.0

import {
  type AgentDispatch,
  type ParticipantInfo,
  ParticipantInfo_Kind,
  ParticipantInfo_State,
  RoomAgentDispatch,
} from '@livekit/protocol';
import { AgentDispatchClient, RoomServiceClient } from 'livekit-server-sdk';
import type { WorkerConfig } from '../config.js';
import type { RoomDispatch, RoomMember, RoomSummary, RoomsApi } from './rooms-api.js';

/** Seconds after which a request is given up: what it would tell is then out of date. */
const REQUEST_TIMEOUT_S = 3;
/** Seconds that a room of ours outlives the last worker. */
const EMPTY_TIMEOUT_S = 600;
/** The attribute in which LiveKit names the agent of a participant. */
export const AGENT_NAME_ATTRIBUTE = 'lk.agent_name';
const NOBODY = 'nobody';

/** LiveKit's server API. */
export class LiveKitRooms implements RoomsApi {
  readonly #rooms: RoomServiceClient;
  readonly #dispatches: AgentDispatchClient;

  constructor({ url, apiKey, apiSecret }: WorkerConfig['livekit']) {
    const options = { requestTimeout: REQUEST_TIMEOUT_S };
    const host = url.replace(/^ws/, 'http');
    this.#rooms = new RoomServiceClient(host, apiKey, apiSecret, options);
    this.#dispatches = new AgentDispatchClient(host, apiKey, apiSecret, options);
  }

  async listRooms(names?: string[]): Promise<RoomSummary[]> {
    const rooms = await this.#rooms.listRooms(names);
    return rooms.map(({ name, sid, numParticipants, numPublishers, metadata }) => ({
      name,
      sid,
      participants: numParticipants,
      publishers: numPublishers,
      metadata,
    }));
  }

  async listMembers(room: string): Promise<RoomMember[]> {
    const participants = await this.#rooms.listParticipants(room).catch(emptyIfNotFound);
    return participants
      .filter(({ state }) => state !== ParticipantInfo_State.DISCONNECTED)
      .map(roomMember);
  }

  async listDispatches(room: string): Promise<RoomDispatch[]> {
    const dispatches = await this.#dispatches.listDispatch(room).catch(emptyIfNotFound);
    return dispatches.map(roomDispatch);
  }

  async createDispatch(
    room: string,
    like: Pick<RoomDispatch, 'agentName' | 'metadata' | 'deployment' | 'restartPolicy'>,
  ): Promise<RoomDispatch> {
    const { agentName, metadata, deployment, restartPolicy } = like;
    const options = { metadata, deployment, restartPolicy };
    return roomDispatch(await this.#dispatches.createDispatch(room, agentName, options));
  }

  async deleteDispatch(room: string, id: string): Promise<void> {
    await this.#dispatches.deleteDispatch(id, room).catch(emptyIfNotFound);
  }

  async writeMetadata(room: string, metadata: string): Promise<void> {
    try {
      await this.#rooms.updateRoomMetadata(room, metadata);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await this.#rooms.createRoom({
        name: room,
        metadata,
        emptyTimeout: EMPTY_TIMEOUT_S,
        // Without a name LiveKit would send the agents of automatic dispatch.
        agents: [new RoomAgentDispatch({ agentName: NOBODY })],
      });
    }
  }
}

function roomMember(participant: ParticipantInfo): RoomMember {
  const { identity, kind, attributes, joinedAt, joinedAtMs, permission } = participant;
  const agentName = attributes[AGENT_NAME_ATTRIBUTE];
  return {
    identity,
    kind: memberKind(kind, permission?.hidden === true || permission?.recorder === true),
    ...(agentName !== undefined && { agentName }),
    joinedAt: Number(joinedAtMs) || Number(joinedAt) * 1000,
  };
}

function memberKind(kind: ParticipantInfo_Kind, unseen: boolean): RoomMember['kind'] {
  if (kind === ParticipantInfo_Kind.AGENT) return 'agent';
  return unseen || kind === ParticipantInfo_Kind.EGRESS ? 'other' : 'caller';
}

function roomDispatch(dispatch: AgentDispatch): RoomDispatch {
  const { id, agentName, metadata, deployment, restartPolicy, state } = dispatch;
  return {
    id,
    agentName,
    metadata,
    deployment,
    restartPolicy,
    createdAt: milliseconds(state?.createdAt),
    jobs: (state?.jobs ?? []).map((job) => ({
      id: job.id,
      startedAt: milliseconds(job.state?.startedAt),
      identity: job.state?.participantIdentity ?? '',
    })),
  };
}

/** From LiveKit's nanoseconds. */
function milliseconds(nanoseconds: bigint | undefined): number {
  return Number((nanoseconds ?? 0n) / 1_000_000n);
}

function emptyIfNotFound(error: unknown): never[] {
  if (isNotFound(error)) return [];
  throw error;
}

/** LiveKit's answer about a room that has gone; livekit-server says `unavailable` when no node serves the room. */
function isNotFound(error: unknown): boolean {
  const { status, code } = error as { status?: number; code?: string };
  return status === 404 || code === 'not_found';
}
