// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import type { ServingTasks } from '../../../agent/src/ecs/service-api.js';
import { CallerWatcher } from '../../../agent/src/watcher/caller-watcher.js';
import { ServingNote } from '../../../agent/src/watcher/serving-note.js';
import {
  presenceRoom,
  presentWorkers,
  WorkerPresence,
} from '../../../agent/src/watcher/worker-presence.js';
import { ManualClock, settle } from '../../support/manual-clock.js';
import { AGENT, SimulatedLiveKit } from './simulated-livekit.js';

const task = (deployment: string, service = 'agents', tasks = 1) => ({
  ...{ service, deployment },
  tasks,
});

function fleet(workers: number) {
  const clock = new ManualClock();
  const livekit = new SimulatedLiveKit(clock);
  const all = Array.from({ length: workers }, (_, i) => {
    const presence = livekit.presence();
    const worker = `worker-${i}`;
    const heard: (readonly ServingTasks[])[] = [];
    const watcher = new CallerWatcher(
      clock,
      livekit.client(),
      {
        ...{ agentName: AGENT, worker, requestsPerSecond: 50 },
        ...{ wallClock: livekit.wallClock, random: () => 0.5 },
      },
      { onServing: (serving) => heard.push(serving) },
      { presence: new WorkerPresence(clock, presence.connect, presenceRoom(AGENT), worker) },
    );
    return { heard, watcher };
  });
  return { clock, livekit, all };
}

describe('the workers of a service', () => {
  it('all know within a second how many tasks of each deployment take calls', async () => {
    // More than watch or stand by.
    const { clock, all } = fleet(6);
    for (const { watcher } of all) watcher.start();
    await clock.pass(10_000);
    for (const { heard } of all) expect(heard).toEqual([]);
    for (const [i, { watcher }] of all.entries()) watcher.serves(task(i < 4 ? 'old' : 'new'));
    await clock.pass(1_000);
    for (const { heard } of all)
      expect(heard.at(-1)).toEqual([
        { ...task('new'), tasks: 2 },
        { ...task('old'), tasks: 4 },
      ]);
    all[0]?.watcher.serves(task('old', 'agents', 0));
    all[1]?.watcher.serves(task('canary', 'beside'));
    await clock.pass(1_000);
    for (const { heard } of all)
      expect(heard.at(-1)).toEqual([
        { ...task('new'), tasks: 2 },
        { ...task('old'), tasks: 2 },
        { ...task('canary', 'beside'), tasks: 1 },
      ]);
  });

  it('write nothing while nothing changes, and tell it to one that comes', async () => {
    const { clock, all } = fleet(3);
    for (const { watcher } of all.slice(0, 2)) {
      watcher.start();
      watcher.serves(task('old'));
    }
    await clock.pass(300_000);
    const [first, , last] = all;
    const heard = [...(first?.heard ?? [])];
    expect(heard.length).toBeLessThanOrEqual(2);
    last?.watcher.start();
    await clock.pass(100);
    expect(last?.heard).toEqual([[{ ...task('old'), tasks: 2 }]]);
    expect(first?.heard).toEqual(heard);
  });

  it('write it again when LiveKit has lost it', async () => {
    const { clock, livekit, all } = fleet(2);
    for (const { watcher } of all) {
      watcher.start();
      watcher.serves(task('old'));
    }
    await clock.pass(20_000);
    livekit.restart();
    await clock.pass(20_000);
    expect(livekit.rooms.get(presenceRoom(AGENT))?.metadata).toBe('[["agents","old",2]]');
    for (const { heard } of all) expect(heard.at(-1)).toEqual([{ ...task('old'), tasks: 2 }]);
  });
});

describe('ServingNote', () => {
  it('is written once at a time, and again after LiveKit failed', async () => {
    const written: string[] = [];
    let answer: () => void = () => {};
    let refuse: (error: Error) => void = () => {};
    const api = {
      writeMetadata: (_room: string, text: string) => {
        written.push(text);
        return new Promise<void>((resolve, reject) => {
          answer = resolve;
          refuse = reject;
        });
      },
    };
    const heard: (readonly ServingTasks[])[] = [];
    const note = new ServingNote(api, 'room', (serving) => heard.push(serving));
    const workers = [{ worker: 'a', free: 0, calls: [], task: task('old') }];
    const failed = note.write(workers, true);
    await note.write([], true);
    refuse(new Error('unavailable'));
    await expect(failed).rejects.toThrow('unavailable');
    const done = note.write(workers, true);
    answer();
    await done;
    await settle();
    await note.write(workers, true);
    expect(written).toEqual(['[["agents","old",1]]', '[["agents","old",1]]']);
    expect(heard).toEqual([[{ ...task('old'), tasks: 1 }]]);
    // LiveKit sends it to this worker, too.
    note.heard('[["agents","old",1]]');
    note.heard('');
    note.heard('{"no":"note"}');
    expect(heard.slice(1)).toEqual([[], []]);
  });
});

describe('a worker that stands by', () => {
  it('writes what it has seen twice, and nobody has written', async () => {
    const written: string[] = [];
    const api = { writeMetadata: async (_room: string, text: string) => void written.push(text) };
    const note = new ServingNote(api, 'room', () => {});
    const workers = (deployment: string) => [
      { worker: 'a', calls: [], free: 0, task: task(deployment) },
    ];
    await note.write(workers('old'), false);
    note.heard('[["agents","old",1]]');
    await note.write(workers('old'), false);
    await note.write(workers('new'), false);
    await note.write(workers('newer'), false);
    expect(written).toEqual([]);
    await note.write(workers('newer'), false);
    expect(written).toEqual(['[["agents","newer",1]]']);
  });
});

describe('presentWorkers', () => {
  it('takes both connections of a worker for one, and what is no presence for one without calls', () => {
    const told = (calls: [string, string][], of?: [string, string, number]) =>
      JSON.stringify({ task: of, free: 3, calls });
    expect(
      presentWorkers([
        { identity: 'a.0', metadata: told([['room', 'job']]) },
        { identity: 'a.1', metadata: told([], ['agents', 'old', 1]) },
        { identity: 'b.1', metadata: 'nonsense' },
      ]),
    ).toEqual([
      { worker: 'a', free: 3, calls: [{ room: 'room', job: 'job' }], task: task('old') },
      { worker: 'b', free: 0, calls: [] },
    ]);
  });
});
