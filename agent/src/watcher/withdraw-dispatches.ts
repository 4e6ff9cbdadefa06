// SPDX-License-Identifier: Apache-2.0

import { log } from '@livekit/agents';
import type { CallRecord } from '../supervision/call-record.js';
import type { RoomsApi } from './rooms-api.js';

/** Ends that are none: whoever is in the room then wants an agent. Every other reason was ours or the assistant's. */
const GOES_ON: readonly string[] = [
  'already_answered',
  'closed',
  'no_caller',
  'participant_disconnected',
  'room_disconnected',
  'withdrawn',
  'worker lost',
];

/** Whether a call has ended in such a way that nobody should be sent to its room again. */
export function endedForGood({ ended, over, endReason }: CallRecord): boolean {
  if (!ended) return over === true;
  return endReason !== undefined && !GOES_ON.some((reason) => endReason.startsWith(reason));
}

/** Withdraws the dispatches of a room whose call has ended for good: by them the watcher knows who wants an agent. */
export async function withdrawDispatches(
  api: Pick<RoomsApi, 'listDispatches' | 'deleteDispatch'>,
  agentName: string,
  { room, job }: Pick<CallRecord, 'room' | 'job'>,
): Promise<void> {
  try {
    const dispatches = await api.listDispatches(room);
    const ours = dispatches.filter((dispatch) => dispatch.agentName === agentName);
    await Promise.all(ours.map(({ id }) => api.deleteDispatch(room, id)));
  } catch (error) {
    log().debug({ error, call_id: job }, 'the room has gone already');
  }
}
