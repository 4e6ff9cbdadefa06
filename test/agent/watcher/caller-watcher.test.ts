// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { CallerWatcher } from '../../../agent/src/watcher/caller-watcher.js';
import { ManualClock } from '../../support/manual-clock.js';
import { AGENT, SimulatedLiveKit } from './simulated-livekit.js';

interface Rig {
  clock: ManualClock;
  livekit: SimulatedLiveKit;
  watchers: { watcher: CallerWatcher; kill(): void; noticed: { room: string; at: number }[] }[];
}

async function rig(workers = 1, latency?: () => number, requestsPerSecond = 50): Promise<Rig> {
  const clock = new ManualClock();
  const livekit = new SimulatedLiveKit(clock, latency);
  const watchers = Array.from({ length: workers }, (_, i) => {
    const api = livekit.client();
    const noticed: { room: string; at: number }[] = [];
    const watcher = new CallerWatcher(
      clock,
      api,
      {
        agentName: AGENT,
        worker: `worker-${i}`,
        requestsPerSecond,
        wallClock: livekit.wallClock,
        random: () => 0.5,
      },
      { onUnanswered: ({ name }) => noticed.push({ room: name, at: clock.now() }) },
    );
    watcher.start();
    return { watcher, kill: () => api.cut(), noticed };
  });
  await clock.pass(3_000);
  return { clock, livekit, watchers };
}

const watching = ({ watchers }: Rig) => watchers.filter(({ watcher }) => watcher.watching);

describe('a caller without an agent', () => {
  it('who found no free slot is answered within a second of one, with the metadata of the dispatch', async () => {
    const { clock, livekit, watchers } = await rig();
    livekit.join('a', { metadata: '{"order":7}' });
    await clock.pass(20_000);
    expect(livekit.answered).toEqual([]);
    expect(watchers[0]?.watcher.unanswered).toBe(1);
    livekit.slots = 1;
    const freedAt = clock.now();
    await clock.pass(3_000);
    expect(livekit.answered.map(({ room }) => room)).toEqual(['a']);
    // A slot was freed; the agent joins 440 ms after it is dispatched.
    expect((livekit.answered[0]?.at ?? 0) - freedAt).toBeLessThan(1_000 + 440);
    const served = livekit.rooms.get('a')?.dispatches.filter(({ jobs }) => jobs.length > 0);
    expect(served?.map(({ metadata }) => metadata)).toEqual(['{"order":7}']);
    await clock.pass(1_500);
    expect(watchers[0]?.watcher.unanswered).toBe(0);
  });

  it('is noticed 2 s after joining, whoever else is there', async () => {
    const { clock, livekit, watchers } = await rig();
    livekit.slots = 30;
    for (let i = 0; i < 30; i++) livekit.join(`answered-${i}`);
    await clock.pass(15_000);
    const joinedAt = clock.now();
    livekit.join('late');
    await clock.pass(4_500);
    const [noticed] = watchers[0]?.noticed ?? [];
    expect(noticed?.room).toBe('late');
    // Seen within a second, and counted 2 s later.
    expect((noticed?.at ?? 0) - joinedAt).toBeLessThanOrEqual(3_300);
  });

  it('is one whose agent was lost in the middle of the call, within 5 s', async () => {
    const { clock, livekit } = await rig();
    livekit.slots = 2;
    livekit.join('a');
    await clock.pass(30_000);
    const [agent] = livekit.agents('a');
    const lostAt = clock.now();
    livekit.leave('a', agent);
    await clock.pass(7_000);
    expect(livekit.answered.length).toBe(2);
    const foundAfter = (livekit.answered[1]?.at ?? 0) - lostAt;
    expect(foundAfter).toBeLessThan(5_000);
    // The worker of a call that has ended has time to withdraw its dispatch.
    expect(foundAfter).toBeGreaterThan(3_000);
    expect(livekit.second).toBe(0);
  });

  it('is one whose agent was lost at the start of the call, when LiveKit’s numbers are old', async () => {
    const { clock, livekit } = await rig();
    livekit.slots = 2;
    livekit.join('a');
    await clock.pass(2_500);
    const lostAt = clock.now();
    livekit.leave('a', livekit.agents('a')[0]);
    await clock.pass(8_000);
    // Its job is young: until 6 s after its start the agent might still be joining.
    expect((livekit.answered[1]?.at ?? 0) - lostAt).toBeLessThan(6_000);
  });

  it('is none whose call has ended for good: its dispatches were withdrawn', async () => {
    const { clock, livekit } = await rig();
    livekit.slots = 5;
    livekit.join('a');
    await clock.pass(30_000);
    livekit.leave('a', livekit.agents('a')[0]);
    const room = livekit.rooms.get('a');
    if (room) room.dispatches = [];
    await clock.pass(60_000);
    expect(livekit.answered.length).toBe(1);
  });

  it('is none any more when whoever dispatched an agent withdraws that while the caller waits', async () => {
    const { clock, livekit, watchers } = await rig();
    livekit.join('a', { dispatch: false });
    const { id } = livekit.dispatch('a');
    await clock.pass(10_000);
    expect(watchers[0]?.watcher.unanswered).toBe(1);
    const room = livekit.rooms.get('a');
    if (room) room.dispatches = room.dispatches.filter((other) => other.id !== id);
    await clock.pass(5_000);
    livekit.slots = 1;
    await clock.pass(10_000);
    expect(livekit.answered).toEqual([]);
    expect(watchers[0]?.watcher.unanswered).toBe(0);
  });

  it('is none in a room for which nobody, or somebody else’s agent, was wanted', async () => {
    const { clock, livekit, watchers } = await rig();
    livekit.slots = 5;
    livekit.join('meeting', { dispatch: false });
    livekit.join('other', { dispatch: false });
    const other = livekit.rooms.get('other');
    other?.dispatches.push({
      id: 'AD_x',
      agentName: 'someone',
      metadata: '',
      deployment: '',
      restartPolicy: 0,
      createdAt: livekit.wallClock(),
      jobs: [],
    });
    await clock.pass(60_000);
    expect(livekit.answered).toEqual([]);
    expect(watchers[0]?.watcher.unanswered).toBe(0);
    // Until somebody wants one there, whom nobody has room for at the moment.
    livekit.slots = 0;
    livekit.dispatch('meeting');
    await clock.pass(5_000);
    livekit.slots = 1;
    await clock.pass(3_000);
    expect(livekit.answered.map(({ room }) => room)).toEqual(['meeting']);
  });

  it('is answered when LiveKit is back after a restart, which lost the dispatches', async () => {
    const { clock, livekit } = await rig();
    livekit.slots = 4;
    livekit.join('a', { metadata: 'kept' });
    await clock.pass(20_000);
    livekit.slots = 0;
    // The agent goes first, so that the watcher has seen the dispatch.
    livekit.leave('a', livekit.agents('a')[0]);
    await clock.pass(4_000);
    livekit.downUntil = clock.now() + 6_000;
    await clock.pass(6_000);
    livekit.restart();
    livekit.slots = 1;
    await clock.pass(12_000);
    expect(livekit.agents('a').length).toBe(1);
    expect(livekit.rooms.get('a')?.dispatches.map(({ metadata }) => metadata)).toContain('kept');
  });
});

describe('many callers without an agent', () => {
  it('are answered in the order in which they came', async () => {
    const { clock, livekit } = await rig();
    const names = Array.from({ length: 10 }, (_, i) => `call-${i}`);
    for (const name of names) {
      livekit.join(name);
      await clock.pass(100);
    }
    await clock.pass(5_000);
    for (let i = 0; i < 10; i++) {
      livekit.slots += 1;
      await clock.pass(1_500);
    }
    expect(livekit.answered.map(({ room }) => room)).toEqual(names);
    expect(livekit.second).toBe(0);
  });

  it('are answered fast when there is room for all', async () => {
    const { clock, livekit } = await rig();
    for (let i = 0; i < 40; i++) livekit.join(`call-${i}`);
    await clock.pass(5_000);
    livekit.slots = 40;
    await clock.pass(10_000);
    expect(livekit.answered.length).toBe(40);
    expect(livekit.second).toBe(0);
  });

  it('leave no dispatches behind that came to nothing', async () => {
    const { clock, livekit } = await rig();
    livekit.join('a');
    await clock.pass(60_000);
    expect(livekit.rooms.get('a')?.dispatches.length).toBeLessThan(12);
  });

  it('cost no more requests than allowed, however many rooms there are', async () => {
    const { clock, livekit } = await rig(1, undefined, 50);
    for (let i = 0; i < 2_000; i++) livekit.join(`call-${i}`);
    await clock.pass(1_000);
    const before = livekit.requests;
    await clock.pass(20_000);
    // And 1 list of rooms, 2 beats and 2 looks at the seats a second.
    expect((livekit.requests - before) / 20).toBeLessThan(50 + 6);
  });
});

describe('several workers', () => {
  it('watch one at a time', async () => {
    const all = await rig(6);
    expect(watching(all).length).toBe(1);
    await all.clock.pass(60_000);
    expect(watching(all).length).toBe(1);
  });

  it('take over within 2.5 s from one that was killed', async () => {
    const all = await rig(3);
    await all.clock.pass(5_000);
    const [first] = watching(all);
    first?.kill();
    await all.clock.pass(2_500);
    const left = watching(all).filter((other) => other !== first);
    expect(left.length).toBe(1);
    expect(first?.watcher.watching).toBe(false);
  });

  it('take over at once from one that stops', async () => {
    const all = await rig(3);
    await all.clock.pass(5_000);
    const [first] = watching(all);
    void first?.watcher.stop();
    await all.clock.pass(700);
    expect(watching(all).length).toBe(1);
    expect(watching(all)[0]).not.toBe(first);
  });

  it('find a seat again when all that had one are gone', async () => {
    const all = await rig(5);
    await all.clock.pass(40_000);
    for (let gone = 0; gone < 4; gone++) {
      watching(all)[0]?.kill();
      await all.clock.pass(40_000);
    }
    expect(watching(all).length).toBe(1);
  });

  it('never leave two agents in one of 200 rooms while LiveKit answers slowly and the watcher changes', async () => {
    let state = 7;
    const latency = () => {
      state = (state * 48_271) % 2_147_483_647;
      return 20 + (state % 2_000);
    };
    const all = await rig(2, latency, 1_000);
    const { clock, livekit } = all;
    await clock.pass(15_000);
    for (let i = 0; i < 200; i++) livekit.join(`call-${i}`);
    await clock.pass(5_000);
    livekit.slots = 300;
    for (let second = 0; second < 240; second++) {
      await clock.pass(1_000);
      if (second === 10) watching(all)[0]?.kill();
      for (const name of livekit.rooms.keys())
        expect(livekit.agents(name).length).toBeLessThanOrEqual(1);
    }
    expect(livekit.answered.length).toBe(200);
    // Every slot of an agent that came second is free again.
    expect(livekit.slots).toBe(100);
  });
});

it('an API that fails is reported once, and again when it fails after it has worked', async () => {
  const clock = new ManualClock();
  const livekit = new SimulatedLiveKit(clock);
  const failures: unknown[] = [];
  const options = { agentName: AGENT, worker: 'w', requestsPerSecond: 50, random: () => 0.5 };
  const watcher = new CallerWatcher(clock, livekit.client(), options, {
    onFailure: (error) => failures.push(error),
  });
  watcher.start();
  await clock.pass(5_000);
  for (const outages of [1, 2]) {
    livekit.downUntil = clock.now() + 3_000;
    await clock.pass(3_000);
    expect(failures).toHaveLength(outages);
    await clock.pass(30_000);
    expect(failures).toHaveLength(outages);
  }
});

it.each([
  ['at most once a second', 2, 60],
  ['for a quarter of the time when that is slow', 500, 60 / 2],
  ['two seconds after it has answered when that takes seconds', 3_000, 60 / 5],
])('LiveKit is asked for its rooms %s', async (_, latency, most) => {
  const clock = new ManualClock();
  const livekit = new SimulatedLiveKit(clock, () => latency);
  const api = livekit.client();
  let lists = 0;
  const counted = {
    ...api,
    listRooms: (names?: string[]) => {
      // Seats are asked for by their names.
      if (!names) lists += 1;
      return api.listRooms(names);
    },
  };
  const options = { agentName: AGENT, worker: 'w', requestsPerSecond: 50, random: () => 0.5 };
  const watcher = new CallerWatcher(clock, counted, options);
  watcher.start();
  await clock.pass(60_000);
  expect(watcher.watching).toBe(true);
  lists = 0;
  await clock.pass(60_000);
  expect(lists).toBeGreaterThanOrEqual(most - 1);
  expect(lists).toBeLessThanOrEqual(most + 1);
});
