// SPDX-License-Identifier: Apache-2.0
// When a worker offers itself to LiveKit, and what it does for callers who wait in that moment.

import { afterEach, expect, it } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import type { CpuMonitor } from '../../../agent/src/worker/cpu.js';
import { ManualClock, settle } from '../../support/manual-clock.js';
import { AGENT, SimulatedLiveKit } from '../watcher/simulated-livekit.js';
import { beginWorker } from './worker-rig.js';

initializeLogger({ pretty: false, level: 'silent' });

const cpu = { utilization: 0, smoothed: 0, stop() {} };
let rig: Awaited<ReturnType<typeof beginWorker>>;

afterEach(async () => {
  rig.signal('SIGTERM');
  await rig.clock.pass(1_000);
  rig.signal('SIGINT');
  for (let i = 0; i < 20 && rig.exitCode === undefined; i += 1) await rig.clock.pass(1_000);
  await rig.exited;
});

it('a worker offers itself to LiveKit when a process can take a call, not before', async () => {
  let getReady = () => {};
  const ready = new Promise<void>((resolve) => {
    getReady = resolve;
  });
  rig = await beginWorker({ ready });
  await rig.clock.pass(9_000);
  expect(rig.serves()).toBe(false);
  getReady();
  await settle();
  expect(rig.serves()).toBe(true);
});

it('a worker whose processes do not get ready offers itself after 10 s: others may be slower', async () => {
  rig = await beginWorker({ ready: new Promise(() => {}) });
  await rig.clock.pass(9_999);
  expect(rig.serves()).toBe(false);
  await rig.clock.pass(1);
  expect(rig.serves()).toBe(true);
});

it('a worker that is to end before that ends, and never offers itself', async () => {
  rig = await beginWorker({ ready: new Promise(() => {}) });
  rig.signal('SIGTERM');
  expect(await rig.exited).toBe(0);
  expect(rig.serves()).toBe(false);
  expect(rig.log).not.toContain('server closed');
});

/** livekit-server offers nothing to a worker that says it is full, or whose node is at `agents.target_load`. */
const TARGET_LOAD = 0.7;
const WS_AVAILABLE = 0;
const mayBeOffered = () => {
  const last = rig.loads.at(-1);
  return last?.status === WS_AVAILABLE && last.load < TARGET_LOAD;
};

/** A worker that has watched for 10 s and is not registered yet, and callers who have waited for as long. */
async function withWaiting(callers: string[], env: Record<string, string> = {}) {
  cpu.utilization = 0;
  const clock = new ManualClock();
  const livekit = new SimulatedLiveKit(clock, undefined, async ({ id, room, roomSid }) => {
    if (!mayBeOffered() || !(await rig.offer(id, roomSid))) return false;
    clock.after(100, () => livekit.agentJoins({ id, room, roomSid }));
    return true;
  });
  rig = await beginWorker({
    clock,
    rooms: livekit.client(),
    wallClock: livekit.wallClock,
    peers: { createCpu: () => cpu as CpuMonitor },
    env: { LIVEKIT_AGENT_NAME: AGENT, WAITING_LINE_CALLERS: '0', CALLS_PER_TASK: '4', ...env },
  });
  for (const caller of callers) {
    livekit.join(caller);
    await clock.pass(100);
  }
  await clock.pass(10_000);
  expect(livekit.answered).toEqual([]);
  return { clock, livekit };
}

it.each([0, 130, 260, 390, 520, 650])(
  'callers who wait are dispatched to at once when the only worker registers (%i ms later), in their order',
  async (ms) => {
    const { clock, livekit } = await withWaiting(['a', 'b', 'c', 'd', 'e']);
    await clock.pass(ms);
    rig.register();
    // Before that LiveKit has just been asked for the first one, and has to be asked again.
    await clock.pass(300 + 100 + 100);
    expect(livekit.answered.map(({ room }) => room)).toEqual(['a', 'b', 'c', 'd']);
  },
);

it.each([0, 130, 260, 390, 520, 650])(
  'a slot of a full worker goes to the first of the line at once (%i ms later)',
  async (ms) => {
    const { clock, livekit } = await withWaiting(['a', 'b'], { CALLS_PER_TASK: '1' });
    rig.register();
    await clock.pass(2_000);
    expect(livekit.answered.map(({ room }) => room)).toEqual(['a']);
    await clock.pass(10_000 + ms);
    const [job] = livekit.rooms.get('a')?.dispatches.flatMap(({ jobs }) => jobs) ?? [];
    const call = await rig.connectProcess(5_000_001);
    call.report({ type: 'call', job: job?.id ?? '', room: 'a', roomSid: 'RM' });
    await call.read();
    call.report({ type: 'ended', job: job?.id ?? '', reason: 'participant_disconnected' });
    call.report({ type: 'closed', job: job?.id ?? '' });
    livekit.leave('a');
    await call.read();
    await clock.pass(300 + 100 + 100);
    expect(livekit.answered.map(({ room }) => room)).toEqual(['a', 'b']);
  },
);

it.each([0, 250, 500, 750])(
  'a caller who comes when the only worker is at its CPU limit is answered as soon as that recovers (%i ms later)',
  async (ms) => {
    const { clock, livekit } = await withWaiting([]);
    rig.register();
    cpu.utilization = 1;
    await clock.pass(3_000 + ms);
    expect(mayBeOffered()).toBe(false);
    livekit.join('a');
    await clock.pass(30_000);
    expect(livekit.answered).toEqual([]);
    cpu.utilization = 0.3;
    // The worker looks at its load every second.
    await clock.pass(1_000 + 300 + 100 + 100);
    expect(livekit.answered.map(({ room }) => room)).toEqual(['a']);
  },
);
