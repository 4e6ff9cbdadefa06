// SPDX-License-Identifier: Apache-2.0

import { CallerWatcher } from '../../../agent/src/watcher/caller-watcher.js';
import { seatName, seatRooms } from '../../../agent/src/watcher/watcher-seats.js';
import { presenceRoom, WorkerPresence } from '../../../agent/src/watcher/worker-presence.js';
import { ManualClock } from '../../support/manual-clock.js';
import { AGENT, agentOf, SimulatedLiveKit } from './simulated-livekit.js';

/** LiveKit lists an agent whose process is gone for so long. */
export const LISTED_MS = 20_000;

/** A task with its calls, as the watcher of another one meets it. */
export interface Task {
  watcher: CallerWatcher;
  /** Job ids of its calls, by room. */
  calls: Map<string, string>;
  /** Its processes are killed: their connections are closed, and LiveKit lists the agents for a while. */
  kill(): void;
  /** The network to LiveKit is cut: no connection is closed, and nothing arrives. */
  cutNetwork(): void;
  /** Its agents answer nothing, or do again. */
  mute(muted: boolean): void;
  /** Only the connection of its presence is closed. */
  closePresence(): void;
  /** Its agents leave, as those of a worker process do that is killed alone. */
  hostsLeave(): void;
}

/** Tasks with watchers that see each other, on a manual clock. */
export function fleet(workers: number, { latency = { ms: 2 } } = {}) {
  const slow = { acceptMs: 0 };
  const clock = new ManualClock();
  const livekit: SimulatedLiveKit = new SimulatedLiveKit(
    clock,
    () => latency.ms,
    async (job) => {
      const task = tasks.find(({ free }) => free > 0);
      if (!task) return false;
      task.free -= 1;
      if (slow.acceptMs > 0) await new Promise<void>((done) => clock.after(slow.acceptMs, done));
      task.calls.set(job.room, job.id);
      clock.after(400, () => {
        if (!livekit.agentJoins(job)) return;
        task.watcher.callStarted({ room: job.room, job: job.id });
      });
      return true;
    },
  );
  const tasks: (Task & { free: number })[] = Array.from({ length: workers }, (_, i) => {
    const api = livekit.client();
    const presence = livekit.presence();
    const worker = `worker-${i}`;
    const watcher = new CallerWatcher(
      clock,
      api,
      {
        ...{ agentName: AGENT, worker, requestsPerSecond: 50 },
        ...{ wallClock: livekit.wallClock, random: () => 0.5 },
        room: () => tasks[i]?.free ?? 0,
      },
      {},
      { presence: new WorkerPresence(clock, presence.connect, presenceRoom(AGENT), worker) },
    );
    const calls = new Map<string, string>();
    const mute = (muted: boolean) => {
      for (const job of calls.values())
        if (muted) livekit.mute.add(agentOf(job));
        else livekit.mute.delete(agentOf(job));
    };
    const task = {
      ...{ watcher, calls, free: 0, mute },
      kill() {
        task.free = 0;
        api.cut();
        presence.cut();
        presence.stopped = true;
        mute(true);
        for (const [room, job] of calls)
          clock.after(LISTED_MS, () => livekit.leave(room, agentOf(job)));
      },
      cutNetwork() {
        api.cut();
        presence.stopped = true;
        mute(true);
      },
      closePresence: () => presence.cut(),
      hostsLeave() {
        for (const [room, job] of calls) livekit.leave(room, agentOf(job));
      },
    };
    watcher.start();
    return task;
  });
  /** The tasks that watch or stand by: the seats' rooms name them. */
  const holders = () =>
    seatRooms(seatName(AGENT)).flatMap((room) => {
      const { worker } = JSON.parse(livekit.rooms.get(room)?.metadata || '{}');
      return tasks.filter((_, i) => `worker-${i}` === worker);
    });
  const watching = () => tasks.filter(({ watcher }) => watcher.watching);
  /** So many calls of a task, which have gone on for a while. */
  const calls = async (task: Task & { free: number }, count: number) => {
    task.free = count;
    for (let i = 0; i < count; i++) {
      livekit.join(`call-${i}`, { metadata: `{"call":${i}}` });
      await clock.pass(20);
    }
    await clock.pass(15_000);
    if (task.calls.size !== count) throw new Error(`${task.calls.size} of ${count} calls`);
  };
  return { clock, livekit, tasks, watching, holders, calls, slow, latency };
}

export type TaskFleet = ReturnType<typeof fleet>;

/** So many calls of the task that watches, and another task. */
export async function withCalls(
  count: number,
  workers = 2,
): Promise<TaskFleet & { first: Task; second: Task & { free: number } }> {
  const all = fleet(workers);
  await all.clock.pass(10_000);
  const [first] = all.watching();
  const second = all.tasks.find((task) => task !== first);
  if (!first || !second) throw new Error('nobody watches');
  await all.calls(first as Task & { free: number }, count);
  return { ...all, first, second };
}
