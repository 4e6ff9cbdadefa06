// SPDX-License-Identifier: Apache-2.0

import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type ParticipantInfo,
  ParticipantInfo_Kind,
  ParticipantInfo_State,
} from '@livekit/protocol';
import {
  AgentDispatchClient,
  DataPacket_Kind,
  RoomServiceClient,
  SipClient,
} from 'livekit-server-sdk';
import type { WorkerConfig } from '../config.js';
import { DIAL_FAILURE_TOPIC, writeDialFailure } from './dial-failure.js';
import { type SipFailure, sipFailure } from './sip-failure.js';

/** How long a phone may ring, in seconds; LiveKit's own default. */
const RINGING_S = 30;
/** How long the agent may take to join the room before the phone rings without it. */
const AGENT_JOINS_MS = 5_000;
const AGENT_LOOK_MS = 100;
/** The agent ends its call itself, when it is told why. */
const AGENT_LEAVES_MS = 1_000;

export interface DialOptions {
  /** Number to call, in international form, like +15551234567. */
  number: string;
  /** LiveKit's id of the outbound trunk, like `ST_…`. */
  trunkId: string;
  /** Name of the agent. '' when the agent joins every new room by itself. */
  agentName: string;
  /** Metadata of the dispatch, for `assistant.ts`; not with an agent that has no name. */
  metadata?: string;
  /** Name of the room. Default: a new one. */
  room?: string;
  /** Number of the trunk that the call comes from. Default: the trunk's. */
  fromNumber?: string;
  /** Keys to press when the call is answered, like an extension; `w` waits for half a second. */
  digits?: string;
  /** Seconds that the phone may ring. Default: 30. */
  ringingTimeout?: number;
  /** Keeps the number from the agent, its logs and `assistant.ts`. */
  hideNumber?: boolean;
}

/** A call that was answered, or why it was not. */
export type DialedCall = { room: string } & (
  | { answered: true; callId: string }
  | { answered: false; failure: SipFailure }
);

/**
 * Calls a telephone and lets the agent talk to whoever answers: sends the agent to a room, dials when it is there, and
 * resolves when the phone was answered, or not. The agent is told why not, and the room is deleted.
 * @param pause for tests
 * @throws Error when the room cannot be made or the agent cannot be sent, before anything rings
 */
export async function dialPhone(
  { url, apiKey, apiSecret }: Pick<WorkerConfig['livekit'], 'url' | 'apiKey' | 'apiSecret'>,
  options: DialOptions,
  pause: (ms: number) => Promise<unknown> = delay,
): Promise<DialedCall> {
  const { number, trunkId, agentName, metadata, fromNumber, digits, hideNumber } = options;
  const room = options.room ?? `call-${randomUUID()}`;
  const host = url.replace(/^ws/, 'http');
  const rooms = new RoomServiceClient(host, apiKey, apiSecret);
  await rooms.createRoom({ name: room });
  if (agentName)
    await new AgentDispatchClient(host, apiKey, apiSecret).createDispatch(room, agentName, {
      ...(metadata !== undefined && { metadata }),
    });
  await untilAgentJoined(rooms, room, pause);
  try {
    const { sipCallId } = await new SipClient(host, apiKey, apiSecret).createSipParticipant(
      trunkId,
      number,
      room,
      {
        // Identities are logged by many programs: no number in it.
        participantIdentity: `phone-${randomUUID()}`,
        waitUntilAnswered: true,
        ringingTimeout: options.ringingTimeout ?? RINGING_S,
        ...(fromNumber && { fromNumber }),
        ...(digits && { dtmf: digits }),
        ...(hideNumber && { hidePhoneNumber: true }),
      },
    );
    return { room, answered: true, callId: sipCallId };
  } catch (error) {
    const failure = sipFailure(error);
    await rooms
      .sendData(room, writeDialFailure(failure.reason), DataPacket_Kind.RELIABLE, {
        topic: DIAL_FAILURE_TOPIC,
      })
      .then(() => pause(AGENT_LEAVES_MS))
      .catch(() => {});
    await rooms.deleteRoom(room).catch(() => {});
    return { room, answered: false, failure };
  }
}

/** An agent that joins later than a phone that is busy at once would learn neither that it rang nor why it does not. */
async function untilAgentJoined(
  rooms: Pick<RoomServiceClient, 'listParticipants'>,
  room: string,
  pause: (ms: number) => Promise<unknown>,
): Promise<void> {
  for (let left = AGENT_JOINS_MS; left > 0; left -= AGENT_LOOK_MS) {
    const all = await rooms.listParticipants(room).catch(() => []);
    if (all.some(isConnectedAgent)) return;
    await pause(AGENT_LOOK_MS);
  }
}

const isConnectedAgent = ({ kind, state }: ParticipantInfo): boolean =>
  kind === ParticipantInfo_Kind.AGENT && state === ParticipantInfo_State.ACTIVE;
