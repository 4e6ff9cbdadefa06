// SPDX-License-Identifier: Apache-2.0

import type { RoomsApi } from './rooms-api.js';

/**
 * How long a caller waited for the first sound of an agent, in milliseconds, by LiveKit's time of joining.
 * @param answeredAt milliseconds since the epoch, by this machine's clock
 * @param agent identity of the agent that was heard
 * @returns undefined when an agent had answered this room before: then the wait is not for an answer
 */
export async function timeToAnswer(
  api: Pick<RoomsApi, 'listMembers' | 'listDispatches'>,
  { room, caller, agent }: { room: string; caller: string; agent: string },
  answeredAt: number,
): Promise<number | undefined> {
  const [members, dispatches] = await Promise.all([
    api.listMembers(room),
    api.listDispatches(room),
  ]);
  const jobs = dispatches.flatMap((dispatch) => dispatch.jobs);
  const mine = jobs.find(({ identity }) => identity === agent);
  const earlier = jobs.some(({ startedAt }) => mine !== undefined && startedAt < mine.startedAt);
  const joinedAt = members.find(({ identity }) => identity === caller)?.joinedAt;
  if (earlier || joinedAt === undefined) return undefined;
  return Math.max(0, answeredAt - joinedAt);
}
