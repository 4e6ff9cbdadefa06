// SPDX-License-Identifier: Apache-2.0

import { log } from '@livekit/agents';
import type { WorkerConfig } from '../config.js';
import { disconnectCaller, endOfCallApi } from '../job/disconnect-caller.js';
import type { CallRecord } from '../supervision/call-record.js';

/**
 * Cleans up after a call whose process died and that no other process took up: disconnects the caller of a call that is
 * over, and removes the dead agent from the room. LiveKit itself waits some 20 s for such a participant; whoever is
 * there, or watches for callers without an agent, should know at once.
 */
export async function endDeadCall(
  { livekit, disconnectOnEnd }: Pick<WorkerConfig, 'livekit' | 'disconnectOnEnd'>,
  { room, job, caller, over }: Pick<CallRecord, 'room' | 'job' | 'caller' | 'over'>,
  api = endOfCallApi(livekit),
): Promise<void> {
  if (over) await disconnectCaller(disconnectOnEnd, { room, job, caller }, api);
  // The identity that JobRequest.accept gives an agent.
  await api
    .removeParticipant(room, `agent-${job}`)
    .catch((error) => log().debug({ error, call_id: job }, 'dead agent was already removed'));
}
