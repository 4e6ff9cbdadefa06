// SPDX-License-Identifier: Apache-2.0

import { log } from '@livekit/agents';
import { RoomAgentDispatch, RoomConfiguration } from '@livekit/protocol';
import { AccessToken } from 'livekit-server-sdk';
import { WAITING_LINE_ATTRIBUTE } from '../call/call-events.js';
import { ON_BEHALF_ATTRIBUTE } from '../call/caller-choice.js';
import type { MonotonicClock } from '../clock.js';
import type { WorkerConfig } from '../config.js';
import { disconnectCaller, endOfCallApi } from '../job/disconnect-caller.js';
import type { WorkerMetrics } from '../telemetry/metrics.js';
import { maskPhoneNumbers } from '../telemetry/redaction.js';
import type { UnansweredRoom } from '../watcher/room-watch.js';
import type { RoomsApi } from '../watcher/rooms-api.js';
import type { AttendantPart } from './attendant-messages.js';
import { Attendants, forkAttendants } from './attendants.js';
import { WaitingLine } from './waiting-line.js';

/** What the waiting line reads of the configuration. */
export type LineConfig = Pick<WorkerConfig, 'livekit' | 'disconnectOnEnd' | 'line'>;

const TOKEN_TTL = '6h';
const NOBODY = 'nobody';

/** The waiting line of a worker, which logs and counts what it does; undefined when it is turned off. */
export function createWaitingLine(
  config: LineConfig,
  clock: MonotonicClock,
  metrics: Pick<WorkerMetrics, 'add'>,
  api: Pick<RoomsApi, 'listDispatches' | 'deleteDispatch'>,
): WaitingLine | undefined {
  const { livekit, disconnectOnEnd, line } = config;
  if (line.callers === 0) return undefined;
  const { agentName } = livekit;
  const attendants = new Attendants({
    clock,
    spawn: () => forkAttendants([agentName, line.busy, line.full]),
  });
  return new WaitingLine(
    clock,
    line.callers,
    attendants,
    {
      access: async (room, part) => ({
        url: livekit.url,
        token: await attendantToken(livekit, room, part),
      }),
      withdraw: async (room) => {
        const dispatches = await api.listDispatches(room);
        const ours = dispatches.filter((dispatch) => dispatch.agentName === agentName);
        await Promise.all(ours.map(({ id }) => api.deleteDispatch(room, id)));
      },
      disconnect: async ({ name, sid, callers }) => {
        const livekitApi = endOfCallApi(livekit);
        for (const caller of callers)
          await disconnectCaller(disconnectOnEnd, { job: sid, room: name, caller }, livekitApi);
      },
    },
    {
      onAttended: (room, part) => {
        if (part === 'turn_away') {
          metrics.add('CallersTurnedAway', room.callers.length);
          log().warn(roomFields(room), 'caller turned away: the waiting line is full');
        } else log().info(roomFields(room), 'caller waits in the line');
      },
      onSpeaking: (room, ms) =>
        log().debug({ ...roomFields(room), ms: Math.round(ms) }, 'the words have begun'),
      onEnded: (room, outcome, waitedMs) => {
        if (outcome === 'answered') metrics.add('TimeWaited', waitedMs);
        if (outcome === 'gave_up') metrics.add('CallersGaveUp', room.callers.length);
        const fields = { ...roomFields(room), outcome, waited_ms: Math.round(waitedMs) };
        log()[outcome === 'failed' ? 'warn' : 'info'](fields, 'wait in the line ended');
      },
      onFailure: (error) => log().warn({ error }, 'the waiting line could not ask LiveKit'),
    },
  );
}

/**
 * The token of an attendant. To LiveKit it is an agent, so that no room stays open for it; as one that speaks for another
 * it is not taken for the agent of the call, by the agents here as by LiveKit's own pages.
 */
export async function attendantToken(
  { agentName, apiKey, apiSecret }: WorkerConfig['livekit'],
  room: string,
  part: AttendantPart,
): Promise<string> {
  const identity = agentName ? `waiting-line-${agentName}` : 'waiting-line';
  const token = new AccessToken(apiKey, apiSecret, {
    identity,
    name: 'Waiting line',
    ttl: TOKEN_TTL,
    attributes: {
      [WAITING_LINE_ATTRIBUTE]: part === 'wait' ? 'waiting' : 'turned_away',
      [ON_BEHALF_ATTRIBUTE]: identity,
    },
  });
  token.kind = 'agent';
  token.addGrant({
    room,
    roomJoin: true,
    canPublish: true,
    canPublishData: false,
    canSubscribe: true,
  });
  // A room that has gone would be created again: without an agent.
  token.roomConfig = new RoomConfiguration({
    agents: [new RoomAgentDispatch({ agentName: NOBODY })],
  });
  return token.toJwt();
}

function roomFields({ name, sid }: UnansweredRoom): Record<string, string> {
  return { room: maskPhoneNumbers(name), room_sid: sid, 'lk.pii.room_name': name };
}
