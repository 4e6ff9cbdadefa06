// SPDX-License-Identifier: Apache-2.0

import type { UnansweredRoom } from './room-watch.js';
import type { RoomsApi } from './rooms-api.js';
import { seatName, seatRooms } from './watcher-seats.js';

/** As many rooms as the watcher dispatches to at once. */
const FIRST = 8;
/** What the watcher said is true for so long; it says it twice a second. */
const VALID_MS = 3_000;
/** The whole job request has 3 s: an answer that takes longer is not worth the caller. */
const PATIENCE_MS = 400;

/** What the watcher sends to the other workers about the callers who wait. */
interface LineNote {
  /** Ids of the rooms whose turn it is, the first ones of the line. */
  readonly line: readonly string[];
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** @param line unanswered rooms in their order */
export function noteLine(line: readonly UnansweredRoom[], at: number): LineNote {
  return { line: line.slice(0, FIRST).map(({ sid }) => sid), at };
}

/**
 * Whether it is a caller's turn: a free slot of a full house belongs to those who wait, and not to whoever calls in the
 * moment in which it becomes free. True when that cannot be decided: the clocks differ, nobody watches, LiveKit is slow.
 */
export async function isTurnOf(
  roomSid: string,
  agentName: string,
  api: Pick<RoomsApi, 'listRooms'>,
  wallClock: () => number = Date.now,
): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never[]>((resolve) => {
    timer = setTimeout(() => resolve([]), PATIENCE_MS);
  });
  const asked = api.listRooms(seatRooms(seatName(agentName))).catch(() => []);
  const seats = await Promise.race([asked, late]);
  clearTimeout(timer);
  const notes = seats.flatMap(({ metadata }) => parseNote(metadata));
  const newest = notes.sort((a, b) => b.at - a.at)[0];
  if (!newest || Math.abs(wallClock() - newest.at) > VALID_MS) return true;
  return newest.line.length === 0 || newest.line.includes(roomSid);
}

function parseNote(metadata: string): LineNote[] {
  try {
    const { line, at } = JSON.parse(metadata) as Partial<LineNote>;
    return Array.isArray(line) && typeof at === 'number' ? [{ line, at }] : [];
  } catch {
    return [];
  }
}
