// SPDX-License-Identifier: Apache-2.0
// Whole tasks that die, seem to, or do not: on a manual clock, with the presence of every worker.

import { describe, expect, it } from '@jest/globals';
import { agentOf } from './simulated-livekit.js';
import { fleet, LISTED_MS, type TaskFleet, withCalls } from './task-fleet.js';

const latestAnswers = ({ livekit }: TaskFleet, since: number) =>
  livekit.answered.filter(({ at }) => at > since).map(({ at }) => at - since);

/** When each of the five calls was answered again, in ms; there is never a second agent in a room. */
async function answersOfFive(all: Awaited<ReturnType<typeof withCalls>>, killedAt: number) {
  const { clock, livekit } = all;
  for (let ms = 0; ms < 30_000; ms += 50) {
    await clock.pass(50);
    for (const name of livekit.rooms.keys())
      expect(livekit.agents(name).length).toBeLessThanOrEqual(1);
  }
  const answers = latestAnswers(all, killedAt);
  expect(answers.length).toBe(5);
  return answers;
}

describe('a task that dies as a whole, the one that watches', () => {
  it('has its 5 calls answered again within 2.6 s, with their metadata, and never two agents in a room', async () => {
    const all = await withCalls(5);
    const { clock, livekit, first, second } = all;
    second.free = 10;
    const killedAt = clock.now();
    first.kill();
    const answers = await answersOfFive(all, killedAt);
    expect(Math.max(...answers)).toBeLessThan(2_600);
    expect(livekit.second).toBe(0);
    expect(livekit.removed.sort()).toEqual([...first.calls.values()].map(agentOf).sort());
    expect([...second.calls.keys()].sort()).toEqual([...first.calls.keys()].sort());
    const told = [...second.calls.keys()].map(
      (room) =>
        livekit.rooms
          .get(room)
          ?.dispatches.find(({ jobs }) => jobs.some(({ id }) => id === second.calls.get(room)))
          ?.metadata,
    );
    expect(told.sort()).toEqual([0, 1, 2, 3, 4].map((call) => `{"call":${call}}`));
  });

  it('has all of them answered at once by one with room, however long it takes to accept a call', async () => {
    const all = await withCalls(5);
    const { clock, livekit, first, second, slow } = all;
    second.free = 10;
    slow.acceptMs = 600;
    const killedAt = clock.now();
    first.kill();
    await clock.pass(15_000);
    const answers = latestAnswers(all, killedAt);
    expect(answers.length).toBe(5);
    expect(Math.max(...answers) - Math.min(...answers)).toBeLessThan(500);
    expect(livekit.second).toBe(0);
  });

  it('loses the watch to the next one within a second', async () => {
    const { clock, first, second } = await withCalls(1);
    first.kill();
    await clock.pass(1_000);
    expect(second.watcher.watching).toBe(true);
  });

  it('has calls that began a moment before answered as soon', async () => {
    const all = await withCalls(1);
    const { clock, livekit, first, second, tasks } = all;
    (first as (typeof tasks)[number]).free = 1;
    livekit.join('young');
    await clock.pass(1_000);
    expect(livekit.agents('young').length).toBe(1);
    second.free = 10;
    const killedAt = clock.now();
    first.kill();
    await clock.pass(5_000);
    expect(latestAnswers(all, killedAt).length).toBe(2);
  });

  it('has those of its calls answered at once whose processes had time to leave', async () => {
    const all = await withCalls(2);
    const { clock, livekit, first, second } = all;
    second.free = 10;
    const killedAt = clock.now();
    first.kill();
    first.hostsLeave();
    await clock.pass(5_000);
    const answers = latestAnswers(all, killedAt);
    expect(answers.length).toBe(2);
    expect(Math.max(...answers)).toBeLessThan(2_500);
    expect(livekit.removed).toEqual([]);
  });
});

describe('all workers that watch or stand by die at once, with their calls', () => {
  /** From the last time that the others looked for a seat, which they do every 15 s here. */
  const MOMENTS = [0, 3_000, 6_000, 9_000, 12_000];

  it.each([4, 6].flatMap((workers) => MOMENTS.map((ms) => [workers, ms] as const)))(
    'another of %i takes their calls over long before LiveKit drops them (%i)',
    async (workers, ms) => {
      const all = await withCalls(5, workers);
      const { clock, livekit, first, tasks, holders, watching } = all;
      await clock.pass(30_000 + ms);
      const dead = holders();
      expect(dead).toHaveLength(3);
      expect(dead).toContain(first);
      for (const task of tasks) task.free = dead.includes(task) ? 0 : 10;
      const killedAt = clock.now();
      for (const task of dead) task.kill();
      const answers = await answersOfFive(all, killedAt);
      expect(Math.max(...answers)).toBeLessThan(9_000);
      expect(livekit.removed).toHaveLength(5);
      expect(livekit.second).toBe(0);
      expect(watching()).toHaveLength(1);
    },
  );
});

/** What LiveKit may do in the moment in which a task dies, and how soon its calls must be answered all the same. */
const TROUBLES: [string, (all: Awaited<ReturnType<typeof withCalls>>) => Promise<void>, number][] =
  [
    [
      'its API fails for 4 s',
      async ({ clock, livekit }) => {
        livekit.downUntil = clock.now() + 4_000;
      },
      13_000,
    ],
    [
      'its API fails as soon as the first agents are asked',
      async ({ clock, livekit }) => {
        await clock.pass(900);
        livekit.downUntil = clock.now() + 1_000;
      },
      6_000,
    ],
    [
      'its API takes 2 s for each answer',
      async ({ latency }) => {
        latency.ms = 2_000;
      },
      LISTED_MS,
    ],
    [
      'it closes the connection of the one that watches next as well',
      async ({ clock, livekit, second }) => {
        await clock.pass(700);
        livekit.closedUntil = clock.now() + 600;
        second.closePresence();
      },
      10_000,
    ],
    [
      'it does not list the one that watches next for a moment',
      async ({ clock, livekit }) => {
        await clock.pass(700);
        const listed = [...livekit.presences];
        livekit.presences.clear();
        await clock.pass(600);
        for (const [identity, one] of listed) livekit.presences.set(identity, one);
      },
      10_000,
    ],
  ];

describe('no call of a task that died is forgotten, whatever LiveKit does in that moment:', () => {
  it.each(TROUBLES)('%s', async (_, trouble, withinMs) => {
    const all = await withCalls(5);
    const { clock, livekit, first, second } = all;
    second.free = 10;
    const killedAt = clock.now();
    first.kill();
    await trouble(all);
    const answers = await answersOfFive(all, killedAt);
    expect(Math.max(...answers)).toBeLessThan(withinMs);
    // Not because LiveKit had dropped them.
    expect(livekit.removed.length).toBe(5);
  });
});

describe('a call that lives is left alone', () => {
  it('when the network between its task and LiveKit is cut for 15 s', async () => {
    const { clock, livekit, first, second } = await withCalls(3);
    second.free = 10;
    first.cutNetwork();
    await clock.pass(15_000);
    expect(livekit.removed).toEqual([]);
    expect(second.calls.size).toBe(0);
    // The next one watches meanwhile.
    expect(second.watcher.watching).toBe(true);
  });

  it('when the process of its worker hangs, or the connection of its presence is lost: its agent answers', async () => {
    const { clock, livekit, first, second } = await withCalls(3);
    second.free = 10;
    for (let i = 0; i < 10; i++) {
      first.closePresence();
      await clock.pass(1_500);
    }
    expect(livekit.removed).toEqual([]);
    expect(second.calls.size).toBe(0);
  });

  it('when its agent answers late', async () => {
    const { clock, livekit, first, second } = await withCalls(1);
    second.free = 10;
    first.mute(true);
    livekit.closedUntil = clock.now() + 5_000;
    first.closePresence();
    await clock.pass(1_000);
    first.mute(false);
    await clock.pass(10_000);
    expect(livekit.removed).toEqual([]);
    expect(second.calls.size).toBe(0);
  });

  it('when the presence of its worker is back before its agent answers', async () => {
    const { clock, livekit, first, second } = await withCalls(1);
    second.free = 10;
    first.mute(true);
    livekit.closedUntil = clock.now() + 500;
    first.closePresence();
    await clock.pass(10_000);
    expect(livekit.removed).toEqual([]);
    expect(second.calls.size).toBe(0);
  });

  it.each([0, 100, 200, 300, 400])(
    'when every presence was closed, as by a restart of LiveKit, and its own is not back yet (%i)',
    async (ms) => {
      const { clock, livekit, first, second } = await withCalls(1);
      second.free = 10;
      await clock.pass(ms);
      first.mute(true);
      for (const { close } of [...livekit.presences.values()]) close();
      await clock.pass(150);
      // The second one's comes back 200 ms after it was closed.
      first.cutNetwork();
      await clock.pass(5_000);
      expect(livekit.removed).toEqual([]);
      expect(second.calls.size).toBe(0);
    },
  );

  it('when all who watch or stand by only seem to be gone, also to those without a seat', async () => {
    const { clock, livekit, first, tasks, holders, watching } = await withCalls(1, 6);
    await clock.pass(30_000);
    const seated = holders();
    first.mute(true);
    for (let i = 0; i < 10; i++) {
      for (const task of seated) task.closePresence();
      await clock.pass(1_500);
    }
    await clock.pass(10_000);
    expect(holders()).toEqual(seated);
    expect(watching()).toEqual([first]);
    expect(livekit.removed).toEqual([]);
    expect(tasks.filter(({ calls }) => calls.size > 0)).toEqual([first]);
  });

  it('when LiveKit has lost the room of the workers, and has not said so', async () => {
    const { clock, livekit, first, second } = await withCalls(1);
    second.free = 10;
    first.mute(true);
    livekit.presences.clear();
    await clock.pass(5_000);
    expect(livekit.removed).toEqual([]);
    expect(second.calls.size).toBe(0);
  });

  it('when LiveKit does not answer for a while', async () => {
    const { clock, livekit, first, second } = await withCalls(3);
    second.free = 10;
    first.mute(true);
    first.cutNetwork();
    livekit.downUntil = clock.now() + 1_500;
    await clock.pass(1_000);
    first.closePresence();
    await clock.pass(5_000);
    expect(livekit.removed).toEqual([]);
    expect(second.calls.size).toBe(0);
  });

  it('for as long as it lasts: each presence is renewed before LiveKit drops it', async () => {
    const { clock, livekit, first } = await withCalls(1);
    first.mute(true);
    for (let ms = 0; ms < 200_000; ms += 50) {
      await clock.pass(50);
      const workers = new Set([...livekit.presences.keys()].map((one) => one.split('.')[0]));
      expect(workers.size).toBe(2);
    }
    expect(livekit.removed).toEqual([]);
  });
});

describe('what it costs', () => {
  it.each([40, 100])(
    'is two requests a second of three workers, and five of all others, of %i',
    async (workers) => {
      const { clock, livekit } = fleet(workers);
      await clock.pass(60_000);
      const before = livekit.requests;
      await clock.pass(20_000);
      // Beats and looks at the seats as before: 2 x 2 a second each, and a list; the others look for seats.
      expect((livekit.requests - before) / 20).toBeLessThan(
        3 * 4 + 1 + workers / 5 + 3 * 2 + 1 + 5,
      );
    },
  );
});

describe('a first worker that is alone', () => {
  it('watches at once, and answers a caller who has waited for long without delay', async () => {
    const { clock, livekit, tasks } = fleet(1);
    livekit.join('waits');
    await clock.pass(0);
    const [task] = tasks;
    if (task) task.free = 1;
    // The agent joins 440 ms after the dispatch.
    await clock.pass(1_000);
    expect(task?.watcher.watching).toBe(true);
    expect(livekit.answered.length).toBe(1);
  });
});

describe('callers who wait while another worker watches', () => {
  it.each([0, 170, 340, 510, 680])(
    'are answered at once, in their order, when a worker tells that it has room (%i ms later)',
    async (ms) => {
      const all = await withCalls(1);
      const { clock, livekit, second } = all;
      for (let i = 0; i < 10; i++) {
        livekit.join(`waits-${i}`);
        await clock.pass(100);
      }
      await clock.pass(10_000 + ms);
      const registeredAt = clock.now();
      second.free = 10;
      second.watcher.roomChanged();
      await clock.pass(10_000);
      expect(livekit.answered.slice(1).map(({ room }) => room)).toEqual(
        Array.from({ length: 10 }, (_, i) => `waits-${i}`),
      );
      // Half a second until it is known; an agent joins 440 ms after the dispatch.
      expect(Math.max(...latestAnswers(all, registeredAt))).toBeLessThan(500 + 250 + 440 + 200);
    },
  );
});
