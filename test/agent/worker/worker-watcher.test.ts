// SPDX-License-Identifier: Apache-2.0
// What a worker does with its watcher: when it watches, what it is told, and what becomes of what it knows.

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import { Attendants } from '../../../agent/src/line/attendants.js';
import { ManualClock } from '../../support/manual-clock.js';
import { until } from '../../support/wait.js';
import { AGENT, agentOf, SimulatedLiveKit } from '../watcher/simulated-livekit.js';
import { beginWorker } from './worker-rig.js';

initializeLogger({ pretty: false, level: 'silent' });

let clock: ManualClock;
let livekit: SimulatedLiveKit;
let rig: Awaited<ReturnType<typeof beginWorker>>;
const SEAT = `nova-sonic-watcher-${AGENT}-0`;

async function start(env: Record<string, string> = {}, rooms = livekit.client()) {
  rig = await beginWorker({
    clock,
    wallClock: livekit.wallClock,
    rooms,
    env: {
      LIVEKIT_AGENT_NAME: AGENT,
      WAITING_LINE_CALLERS: '0',
      METRICS_INTERVAL_S: '10',
      UNRESPONSIVE_TIMEOUT_S: '600',
      ...env,
    },
  });
  return rig;
}
/** LiveKit's answers take time of the clock. */
async function offer(job: string, room: string) {
  const answer = rig.offer(job, livekit.rooms.get(room)?.sid);
  await clock.pass(50);
  return answer;
}
async function end() {
  rig.signal('SIGTERM');
  await clock.pass(1_000);
  rig.signal('SIGINT');
  for (let i = 0; i < 20 && rig.exitCode === undefined; i += 1) await clock.pass(1_000);
  await rig.exited;
}

beforeEach(() => {
  clock = new ManualClock();
  livekit = new SimulatedLiveKit(clock);
});
afterEach(async () => {
  if (rig.exitCode === undefined) await end();
  jest.restoreAllMocks();
});

describe('the watcher of a worker', () => {
  it('watches before LiveKit has accepted the worker, and gives its seat up at the end', async () => {
    await start();
    await clock.pass(5_000);
    expect(livekit.rooms.get(SEAT)?.metadata).toContain('worker');
    await end();
    expect(livekit.rooms.get(SEAT)?.metadata).toBe('');
    const { requests } = livekit;
    await clock.pass(60_000);
    expect(livekit.requests).toBe(requests);
  });

  it('is off when it may ask nothing', async () => {
    const { register } = await start({ WATCHER_REQUESTS_PER_S: '0' });
    register();
    await clock.pass(30_000);
    expect(livekit.requests).toBe(0);
  });

  it('adds callers without an agent to what the task asks for', async () => {
    const { register, published, call } = await start();
    register();
    await call('j1');
    await clock.pass(10_000);
    expect([published('CallDemand').at(-1), published('CallersUnanswered').at(-1)]).toEqual([1, 0]);
    livekit.join('a');
    await clock.pass(20_000);
    expect(published('CallDemand').at(-1)).toBe(2);
    expect(published('CallersUnanswered').at(-1)).toBe(1);
    // Nobody keeps them company.
    expect(published('CallersWaiting').at(-1)).toBe(0);
  });

  it.each([
    ['participant_disconnected', 0],
    // LiveKit took the job back: whoever is there wants an agent.
    ['withdrawn', 1],
  ])(
    'withdraws the dispatch of a call that ended for good, of %s: %i is left',
    async (reason, left) => {
      const { register, call, calls } = await start();
      register();
      await clock.pass(5_000);
      livekit.join('room-j1');
      const room = livekit.rooms.get('room-j1');
      const startedAt = livekit.wallClock();
      room?.dispatches[0]?.jobs.push({ id: 'j1', startedAt, identity: agentOf('j1') });
      const { report } = await call('j1');
      report({ type: 'ended', job: 'j1', reason }, { type: 'closed', job: 'j1' });
      await until('the call has ended', () => calls() === 0);
      await clock.pass(100);
      expect(room?.dispatches).toHaveLength(left);
    },
  );

  it('does not ask about a room whose job it has accepted while the agent joins', async () => {
    const client = livekit.client();
    const listMembers = jest.spyOn(client, 'listMembers');
    const { register } = await start({}, client);
    register();
    await clock.pass(5_000);
    for (const room of ['a', 'b']) livekit.join(room);
    expect(await offer('j1', 'a')).toBe(true);
    await clock.pass(1_500);
    const asked = listMembers.mock.calls.map(([room]) => room);
    expect([asked.includes('a'), asked.includes('b')]).toEqual([false, true]);
  });

  it('gives a slot of a full house to those who wait, not to whoever calls in that moment', async () => {
    const { register, call, calls, published } = await start({ CALLS_PER_TASK: '1' });
    register();
    const { end } = await call('j1');
    await clock.pass(5_000);
    livekit.join('first');
    await clock.pass(10_000);
    livekit.join('late', { dispatch: false });
    end();
    await until('the slot is free', () => calls() === 0);
    expect(await offer('j2', 'late')).toBe(false);
    expect(await offer('j3', 'first')).toBe(true);
    await clock.pass(10_000);
    // It joins the line, where it is counted.
    expect(published('CallsRejected')).toEqual([]);
  });
});

describe('the waiting line of a worker', () => {
  const attended: string[] = [];
  beforeEach(() => {
    attended.length = 0;
    const { prototype } = Attendants;
    jest.spyOn(prototype, 'start').mockImplementation(() => {});
    jest.spyOn(prototype, 'stop').mockImplementation(() => {});
    jest.spyOn(prototype, 'attend').mockImplementation(({ room }) => void attended.push(room));
  });
  /** Tokens are signed outside of the clock. */
  const passUntil = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 100) await clock.pass(100);
  };

  it('has no caller for whom this worker has room, until the offer must have failed', async () => {
    const { register } = await start({ WAITING_LINE_CALLERS: '5' });
    register();
    await clock.pass(5_000);
    livekit.join('a');
    await passUntil(2_500);
    expect(attended).toEqual([]);
    await passUntil(2_500);
    await until('the caller waits', () => attended.length > 0);
    expect(attended).toEqual(['a']);
  });

  it('has a caller at once who finds this worker full, and counts those who wait', async () => {
    const { register, call, published } = await start({
      WAITING_LINE_CALLERS: '5',
      CALLS_PER_TASK: '1',
    });
    register();
    await call('j1');
    await clock.pass(5_000);
    livekit.join('a');
    await passUntil(2_000);
    await until('the caller waits', () => attended.length > 0);
    await clock.pass(10_000);
    expect(published('CallersWaiting').at(-1)).toBe(1);
  });
});
