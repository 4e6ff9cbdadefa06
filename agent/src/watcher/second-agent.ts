// SPDX-License-Identifier: Apache-2.0

import { ParticipantKind, type RemoteParticipant, type Room, RoomEvent } from '@livekit/rtc-node';
import { AGENT_NAME_ATTRIBUTE } from './rooms-api.js';

/** Whether a participant is an agent of this service. @param agentName LIVEKIT_AGENT_NAME */
export function isAgentOf(
  agentName: string,
  { info, attributes, identity }: Pick<RemoteParticipant, 'info' | 'attributes' | 'identity'>,
): boolean {
  return (
    info.kind === ParticipantKind.AGENT &&
    identity.startsWith('agent-') &&
    (attributes[AGENT_NAME_ATTRIBUTE] ?? agentName) === agentName
  );
}

/**
 * Whether another agent of this service is in a room already. LiveKit lets participants in one after the other, and
 * tells each who is there: of two agents exactly the second one finds the first.
 * @param agentName LIVEKIT_AGENT_NAME
 */
export function hasAgent(room: Pick<Room, 'remoteParticipants'>, agentName: string): boolean {
  return [...room.remoteParticipants.values()].some((one) => isAgentOf(agentName, one));
}

/**
 * Calls `replaced` when this agent is back in its room after its connection was lost, and another one of this service
 * serves the caller by then: LiveKit had dropped this one, so it came second. One that has published nothing is about to
 * leave itself.
 * @param agentName LIVEKIT_AGENT_NAME
 */
export function whenReplaced(
  room: Pick<Room, 'remoteParticipants' | 'on'>,
  agentName: string,
  replaced: () => void,
): void {
  room.on(RoomEvent.Reconnected, () => {
    const others = [...room.remoteParticipants.values()].filter((one) => isAgentOf(agentName, one));
    if (others.some(({ trackPublications }) => trackPublications.size > 0)) replaced();
  });
}
