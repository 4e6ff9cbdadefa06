// SPDX-License-Identifier: Apache-2.0

import { log } from '@livekit/agents';
import type { CallRecord } from '../supervision/call-record.js';
import type { RoomsApi } from './rooms-api.js';

/**
 * Ends that are none: whoever is in the room then wants an agent. After every other one nobody does: the agent ended
 * the call, or its caller left, and those who stay have been bystanders.
 */
const GOES_ON: readonly string[] = [
  'already_answered',
  'closed',
  'room_disconnected',
  'withdrawn',
  'worker lost',
];

/** Whether a call has ended in such a way that nobody should be sent to its room again. */
export function endedForGood({ ended, over, endReason }: CallRecord): boolean {
  if (!ended) return over === true;
  return endReason !== undefined && !GOES_ON.includes(endReason);
}

/**
 * Withdraws the dispatch of a call that has ended for good, and those before it: by them the watcher knows who wants an
 * agent. A later one is another call's, in a room of the same name.
 */
export async function withdrawDispatches(
  api: Pick<RoomsApi, 'listDispatches' | 'deleteDispatch'>,
  agentName: string,
  { room, job }: Pick<CallRecord, 'room' | 'job'>,
): Promise<void> {
  try {
    const dispatches = await api.listDispatches(room);
    const mine = dispatches.find(({ jobs }) => jobs.some(({ id }) => id === job));
    const done = dispatches.filter(
      (other) => other.agentName === agentName && other.createdAt <= (mine?.createdAt ?? 0),
    );
    await Promise.all(done.map(({ id }) => api.deleteDispatch(room, id)));
  } catch (error) {
    log().debug({ error, call_id: job }, 'the room has gone already');
  }
}
