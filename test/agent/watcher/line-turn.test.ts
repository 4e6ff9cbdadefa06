// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { CallerWatcher } from '../../../agent/src/watcher/caller-watcher.js';
import { isTurnOf } from '../../../agent/src/watcher/line-turn.js';
import type { RoomSummary } from '../../../agent/src/watcher/rooms-api.js';
import { ManualClock } from '../../support/manual-clock.js';
import { AGENT, SimulatedLiveKit } from './simulated-livekit.js';

const NOW = 1_700_000_000_000;

/** What the seats say. */
const seats = (...notes: unknown[]) => ({
  listRooms: async (names: string[] = []): Promise<RoomSummary[]> =>
    notes.map((note, i) => ({
      ...{ name: names[i] ?? '', sid: `RM_${i}`, participants: 0, publishers: 0 },
      metadata: typeof note === 'string' ? note : JSON.stringify(note),
    })),
});
const turn = (api: Pick<ReturnType<typeof seats>, 'listRooms'>, room = 'RM_late') =>
  isTurnOf(room, AGENT, api, () => NOW);

describe('a caller who is offered a slot that has just become free', () => {
  it('does not get it while others wait, who came before', async () => {
    const api = seats({ worker: 'a', beat: 7, line: ['RM_first', 'RM_second'], at: NOW - 500 });
    expect(await turn(api)).toBe(false);
    expect(await turn(api, 'RM_first')).toBe(true);
    expect(await turn(api, 'RM_second')).toBe(true);
  });

  it('gets it when nobody waits', async () => {
    expect(await turn(seats({ worker: 'a', beat: 7, line: [], at: NOW }))).toBe(true);
  });

  it('is judged by the newest of several watchers', async () => {
    const old = { line: ['RM_first'], at: NOW - 2_000 };
    expect(await turn(seats(old, { line: [], at: NOW - 100 }))).toBe(true);
    expect(await turn(seats({ line: [], at: NOW - 2_000 }, { line: ['RM_1'], at: NOW }))).toBe(
      false,
    );
  });

  it.each<[string, Pick<ReturnType<typeof seats>, 'listRooms'>]>([
    ['nobody watches', seats('', '{"worker":"a","beat":1}')],
    ['the watcher is gone', seats({ line: ['RM_first'], at: NOW - 3_001 })],
    ['the clocks differ', seats({ line: ['RM_first'], at: NOW + 3_001 })],
    ['a seat holds something else', seats('no JSON', { line: 'RM_first', at: NOW })],
    ['LiveKit fails', { listRooms: () => Promise.reject(new Error('unavailable')) }],
    ['LiveKit is slow', { listRooms: () => new Promise(() => {}) }],
  ])('gets it when %s', async (_, api) => {
    expect(await turn(api)).toBe(true);
  });
});

describe('the worker that watches', () => {
  it('tells the others who waits, and no more than they need', async () => {
    const clock = new ManualClock();
    const livekit = new SimulatedLiveKit(clock);
    const api = livekit.client();
    const options = {
      ...{ agentName: AGENT, worker: 'w', requestsPerSecond: 50 },
      ...{ wallClock: livekit.wallClock, random: () => 0.5 },
    };
    const watcher = new CallerWatcher(clock, api, options);
    watcher.start();
    await clock.pass(3_000);
    for (let i = 0; i < 10; i++) {
      livekit.join(`${i}`);
      await clock.pass(100);
    }
    await clock.pass(4_000);
    const sid = (name: string) => livekit.rooms.get(name)?.sid ?? '';
    const asked = async (name: string) => {
      const answer = isTurnOf(sid(name), AGENT, api, livekit.wallClock);
      await clock.pass(50);
      return answer;
    };
    expect([await asked('0'), await asked('7'), await asked('8')]).toEqual([true, true, false]);
    const documents = [...livekit.rooms.values()].map(({ metadata }) => metadata).filter(Boolean);
    expect(documents.length).toBe(1);
    expect(Object.keys(JSON.parse(documents[0] ?? ''))).toEqual(['worker', 'beat', 'line', 'at']);
  });
});
