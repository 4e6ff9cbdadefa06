// SPDX-License-Identifier: Apache-2.0
// Two workers that both watch, for as long as the test lasts: none knows of the other's seat.

import { expect, it } from '@jest/globals';
import { CallerWatcher } from '../../../agent/src/watcher/caller-watcher.js';
import type { RoomsApi } from '../../../agent/src/watcher/rooms-api.js';
import { ManualClock } from '../../support/manual-clock.js';
import { AGENT, SimulatedLiveKit } from './simulated-livekit.js';

const ROOMS = 200;

/** The same API, with seats of its own. */
function withOwnSeats(api: RoomsApi, name: string): RoomsApi {
  return {
    ...api,
    writeMetadata: (room, metadata) => api.writeMetadata(`${room}.${name}`, metadata),
    listRooms: async (names) => {
      const rooms = await api.listRooms(names?.map((room) => `${room}.${name}`));
      return names
        ? rooms.map((room) => ({ ...room, name: room.name.split('.')[0] ?? '' }))
        : rooms;
    },
  };
}

it('two that watch at once, on an API that takes up to 3 s, leave no two agents in any of 200 rooms, and no slot in use for nobody', async () => {
  let state = 7;
  const latency = () => {
    state = (state * 48_271) % 2_147_483_647;
    return 20 + (state % 3_000);
  };
  const clock = new ManualClock();
  const livekit = new SimulatedLiveKit(clock, latency);
  const watchers = ['a', 'b'].map((worker) => {
    const options = {
      ...{ agentName: AGENT, worker, requestsPerSecond: 1_000 },
      ...{ wallClock: livekit.wallClock, random: () => 0.5 },
    };
    return new CallerWatcher(clock, withOwnSeats(livekit.client(), worker), options);
  });
  for (const watcher of watchers) watcher.start();
  await clock.pass(40_000);
  for (let i = 0; i < ROOMS; i++) livekit.join(`call-${i}`);
  await clock.pass(5_000);
  livekit.slots = ROOMS + 100;
  let both = 0;
  for (let second = 0; second < 200; second++) {
    await clock.pass(1_000);
    both += watchers.every(({ watching }) => watching) ? 1 : 0;
    const withTwo = [...livekit.rooms.keys()].filter((name) => livekit.agents(name).length > 1);
    expect(withTwo).toEqual([]);
  }
  expect(both).toBeGreaterThan(60);
  expect(livekit.answered.length).toBe(ROOMS);
  expect(livekit.slots).toBe(100);
  // Each of them was sent by one that did not know of the other, and left.
  expect(livekit.second).toBeGreaterThan(0);
});
