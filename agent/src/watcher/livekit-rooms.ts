// SPDX-License-Identifier: Apache-2.0

import {
  type AgentDispatch,
  type ParticipantInfo,
  ParticipantInfo_Kind,
  ParticipantInfo_State,
  RoomAgentDispatch,
  TrackSource,
} from '@livekit/protocol';
import { AccessToken, AgentDispatchClient, RoomServiceClient } from 'livekit-server-sdk';
import { WAITING_LINE_ATTRIBUTE } from '../call/call-events.js';
import { type CallerKind, type CallerRules, mayBeCaller } from '../call/caller-choice.js';
import type { WorkerConfig } from '../config.js';
import {
  AGENT_NAME_ATTRIBUTE,
  type PresentWorker,
  type RoomDispatch,
  type RoomMember,
  type RoomSummary,
  type RoomsApi,
} from './rooms-api.js';
import { presentWorkers } from './worker-presence.js';

/** Seconds after which a request is given up: its answer would be out of date. */
const REQUEST_TIMEOUT_S = 3;
/** Seconds after which LiveKit closes a room of ours, as nobody joins it; it is then created again. */
const EMPTY_TIMEOUT_S = 86_400;
const NOBODY = 'nobody';
/** A method that no participant has, so that nothing happens: LiveKit's client answers that by itself. */
const ALIVE_METHOD = 'nova-sonic.alive';
/** LiveKit's errors of a participant that did not answer. */
const UNANSWERED = ['1501', '1502'];

/** LiveKit's server API. */
export class LiveKitRooms implements RoomsApi {
  readonly #rooms: RoomServiceClient;
  readonly #dispatches: AgentDispatchClient;
  readonly #callers: CallerRules;
  readonly #host: string;
  readonly #livekit: WorkerConfig['livekit'];

  constructor({ livekit, callers }: Pick<WorkerConfig, 'livekit' | 'callers'>) {
    const { url, apiKey, apiSecret } = livekit;
    this.#callers = callers;
    const options = { requestTimeout: REQUEST_TIMEOUT_S };
    const host = url.replace(/^ws/, 'http');
    this.#host = host;
    this.#livekit = livekit;
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
      .map((participant) => roomMember(participant, this.#callers));
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

  async listWorkers(room: string): Promise<PresentWorker[]> {
    const participants = await this.#rooms.listParticipants(room).catch(emptyIfNotFound);
    return presentWorkers(
      participants.filter(({ state }) => state !== ParticipantInfo_State.DISCONNECTED),
    );
  }

  /** By a remote call, for which the SDK (2.19) has no method. */
  async isAlive(room: string, identity: string, ms: number): Promise<boolean | undefined> {
    const { apiKey, apiSecret } = this.#livekit;
    const token = new AccessToken(apiKey, apiSecret, { ttl: '1m' });
    token.addGrant({ roomAdmin: true, room });
    const url = `${this.#host.replace(/\/$/, '')}/twirp/livekit.RoomService/PerformRpc`;
    const request = {
      ...{ room, destinationIdentity: identity, method: ALIVE_METHOD, payload: '' },
      responseTimeoutMs: ms,
    };
    try {
      const response = await fetch(url, {
        method: 'POST',
        signal: AbortSignal.timeout(ms + REQUEST_TIMEOUT_S * 1000),
        headers: {
          authorization: `Bearer ${await token.toJwt()}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify(request),
      });
      if (response.ok) return true;
      const code = /RpcError (\d+)/.exec(await response.text())?.[1];
      return code === undefined ? undefined : !UNANSWERED.includes(code);
    } catch {
      // A server that is slow says nothing of its participants.
      return undefined;
    }
  }

  async removeMember(room: string, identity: string): Promise<void> {
    await this.#rooms.removeParticipant(room, identity).catch(emptyIfNotFound);
  }
}

function roomMember(participant: ParticipantInfo, rules: CallerRules): RoomMember {
  const { identity, attributes, joinedAt, joinedAtMs } = participant;
  const agentName = attributes[AGENT_NAME_ATTRIBUTE];
  return {
    identity,
    kind: memberKind(participant, rules),
    ...(agentName !== undefined && { agentName }),
    joinedAt: Number(joinedAtMs) || Number(joinedAt) * 1000,
  };
}

function memberKind(participant: ParticipantInfo, rules: CallerRules): RoomMember['kind'] {
  const { kind, attributes, metadata, permission } = participant;
  if (kind === ParticipantInfo_Kind.AGENT)
    return attributes[WAITING_LINE_ATTRIBUTE] ? 'attendant' : 'agent';
  if (permission?.hidden || permission?.recorder) return 'other';
  const sources = permission?.canPublishSources ?? [];
  const one = {
    kind: (ParticipantInfo_Kind[kind]?.toLowerCase() ?? 'standard') as CallerKind,
    attributes,
    metadata,
    mayPublishAudio:
      permission?.canPublish !== false &&
      (sources.length === 0 || sources.includes(TrackSource.MICROPHONE)),
  };
  return mayBeCaller(one, rules) ? 'caller' : 'other';
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
