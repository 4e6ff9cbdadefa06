// SPDX-License-Identifier: Apache-2.0

import { log } from '@livekit/agents';
import { RoomServiceClient } from 'livekit-server-sdk';
import type { WorkerConfig } from '../config.js';

/**
 * Removes the agent of a job whose process died from its room. LiveKit itself waits some 20 s for such a participant;
 * the caller should know at once.
 */
export async function removeDeadAgent(
  { url, apiKey, apiSecret }: WorkerConfig['livekit'],
  { room, job }: { room: string; job: string },
): Promise<void> {
  const rooms = new RoomServiceClient(url.replace(/^ws/, 'http'), apiKey, apiSecret);
  // The identity that JobRequest.accept gives an agent.
  await rooms
    .removeParticipant(room, `agent-${job}`)
    .catch((error) => log().debug({ error, call_id: job }, 'dead agent was already removed'));
}
