// SPDX-License-Identifier: Apache-2.0

import { log } from '@livekit/agents';
import { type ParticipantInfo, ParticipantInfo_Kind } from '@livekit/protocol';
import { RoomServiceClient } from 'livekit-server-sdk';
import type { WorkerConfig } from '../config.js';

/** Seconds that one request to LiveKit may take, and milliseconds for all of them: the end of a job waits for them. */
const REQUEST_TIMEOUT_S = 2;
const TIMEOUT_MS = 3_000;

/** Kinds of participants that are people; the others are agents, recordings and streams. */
const PEOPLE: readonly ParticipantInfo_Kind[] = [
  ParticipantInfo_Kind.STANDARD,
  ParticipantInfo_Kind.SIP,
  ParticipantInfo_Kind.CONNECTOR,
];

/** The requests to LiveKit that the end of a call needs. */
export type EndOfCallApi = Pick<
  RoomServiceClient,
  'listParticipants' | 'removeParticipant' | 'deleteRoom'
>;

/** A call whose caller should be disconnected. */
export interface EndedCall {
  readonly job: string;
  readonly room: string;
  /** Identity of the caller; undefined when nobody was seen. */
  readonly caller?: string | undefined;
}

export function endOfCallApi({ url, apiKey, apiSecret }: WorkerConfig['livekit']): EndOfCallApi {
  const host = url.replace(/^ws/, 'http');
  return new RoomServiceClient(host, apiKey, apiSecret, { requestTimeout: REQUEST_TIMEOUT_S });
}

/**
 * Disconnects the caller of a call that the agent has ended: a phone caller would hear silence and pay for it. Neither
 * a failure nor a slow answer of LiveKit keeps the job from ending; the log says so.
 */
export async function disconnectCaller(
  mode: WorkerConfig['disconnectOnEnd'],
  call: EndedCall,
  api: EndOfCallApi,
): Promise<void> {
  if (mode === 'off') return;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
  });
  try {
    await Promise.race([disconnect(mode, call, api), late]);
  } catch (error) {
    // The caller or the room may be gone already.
    if ((error as { code?: string }).code === 'not_found') return;
    log().warn({ error, call_id: call.job }, 'the caller could not be disconnected');
  } finally {
    clearTimeout(timer);
  }
}

async function disconnect(
  mode: Exclude<WorkerConfig['disconnectOnEnd'], 'off'>,
  { room, caller }: EndedCall,
  api: EndOfCallApi,
): Promise<void> {
  if (mode === 'room') return api.deleteRoom(room);
  const people = (await api.listParticipants(room)).filter(isPerson);
  const inRoom = caller ?? people[0]?.identity;
  const others = people.filter(({ identity }) => identity !== inRoom);
  if (mode === 'auto' && others.length === 0) return api.deleteRoom(room);
  // Who of several people is the caller is known, or nobody is removed.
  if (caller === undefined && others.length > 0) return;
  if (inRoom !== undefined) await api.removeParticipant(room, inRoom);
}

const isPerson = ({ kind }: ParticipantInfo): boolean => PEOPLE.includes(kind);
