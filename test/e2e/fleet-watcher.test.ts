// SPDX-License-Identifier: Apache-2.0

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RemoteCaller } from '../../local/fleet/remote-caller.js';
import { Fleet } from '../../local/fleet/worker-fleet.js';
import type { LogLine, WorkerProcess } from '../../local/fleet/worker-process.js';
import {
  askAll,
  connectAll,
  expectGoodCitizens,
  FLEET_PATIENCE_MS,
  untilCalls,
} from './fleet-support.js';

const SLOTS = 5;
const LINE_ENDED = 'wait in the line ended';
const WATCHES = 'this worker watches for callers without an agent';

describe('callers whom LiveKit has forgotten', () => {
  let fleet: Fleet;
  let first: WorkerProcess;
  let second: WorkerProcess;

  beforeAll(async () => {
    fleet = await Fleet.start({ callsPerTask: SLOTS, env: { WAITING_LINE_CALLERS: '2' } });
    [first] = (await fleet.startWorkers(1)) as [WorkerProcess];
  }, 120_000);
  afterAll(() => fleet?.stop(), 30_000);

  const note = (text: string) => process.stderr.write(`${text}\n`);
  const line = (msg: string) => (logged: LogLine) => logged.msg === msg;
  const agents = (callers: RemoteCaller[]) => callers.filter((caller) => caller.agentPresent);

  const heard = async (caller: RemoteCaller) => {
    for (const end = Date.now() + FLEET_PATIENCE_MS; Date.now() < end; ) {
      const { firstAt } = await caller.heard();
      if (firstAt) return firstAt;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`${caller.name} has heard nothing`);
  };

  it('wait with words and music, and are answered as soon as a slot is free, the first one first', async () => {
    await first.waitForLine(line(WATCHES), FLEET_PATIENCE_MS);
    const served = await fleet.joinCallers(SLOTS);
    await Promise.all(served.map((caller) => fleet.offer(caller)));
    await Promise.all(served.map((caller) => caller.waitForAgent(FLEET_PATIENCE_MS)));
    const waiting: RemoteCaller[] = [];
    const joinedAt: number[] = [];
    for (let i = 0; i < 2; i++) {
      const [caller] = (await fleet.joinCallers(1)) as [RemoteCaller];
      joinedAt.push(Date.now());
      await fleet.offer(caller);
      waiting.push(caller);
    }
    const noticed = await first.waitForLine(line('caller without an agent'), FLEET_PATIENCE_MS);
    note(`noticed ${(noticed.time ?? 0) - (joinedAt[0] ?? 0)} ms after the first one had joined`);
    for (const [i, caller] of waiting.entries())
      note(`heard something ${(await heard(caller)) - (joinedAt[i] ?? 0)} ms after joining`);
    const [tooMany] = (await fleet.joinCallers(1)) as [RemoteCaller];
    await fleet.offer(tooMany);
    expect(await tooMany.waitUntilDisconnected(FLEET_PATIENCE_MS)).toBeDefined();
    expect(first.lines('caller turned away: the waiting line is full').length).toBe(1);
    expect(agents([...waiting, tooMany])).toEqual([]);
    expect((await first.health()).calls).toBe(SLOTS);
    for (const [i, caller] of waiting.entries()) {
      await fleet.hangUp([served[i] as RemoteCaller]);
      expect(await caller.waitForAgent(FLEET_PATIENCE_MS)).toBeDefined();
      const freedAt = first.lines('call ended')[i]?.time ?? 0;
      note(`answered ${(caller.agentJoinedAt ?? 0) - freedAt} ms after a slot was free`);
      expect(agents(waiting)).toEqual(waiting.slice(0, i + 1));
      const takenOver = () =>
        first.lines(LINE_ENDED).filter(({ outcome }) => outcome === 'answered').length > i;
      await first.waitForLine(takenOver, FLEET_PATIENCE_MS);
      const { longestSilenceMs } = await caller.heard();
      note(`longest silence ${longestSilenceMs} ms`);
      expect(longestSilenceMs).toBeLessThan(5_000);
    }
    expect(first.lines('agent dispatched again').length).toBe(2);
  }, 120_000);

  it('are answered by a new task when the one that watched is gone', async () => {
    const [waiting] = (await fleet.joinCallers(1)) as [RemoteCaller];
    await fleet.offer(waiting);
    await first.kill();
    // Those of its calls came before, and would be answered before.
    await fleet.hangUp(fleet.callers.filter((caller) => caller !== waiting));
    [second] = (await fleet.startWorkers(1)) as [WorkerProcess];
    expect(await waiting.waitForAgent(FLEET_PATIENCE_MS)).toBeDefined();
    const readyAt = second.lines('ready')[0]?.time ?? 0;
    note(`answered ${(waiting.agentJoinedAt ?? 0) - readyAt} ms after the registration of a task`);
    expect(second.lines(WATCHES).length).toBeGreaterThan(0);
    await askAll(fleet, [waiting]);
    await fleet.hangUp();
    await untilCalls([second], 0);
  }, 120_000);

  it('go on talking to another task when theirs, which watched, is killed with 5 calls', async () => {
    const callers = await fleet.joinCallers(SLOTS);
    await connectAll(fleet, callers);
    await askAll(fleet, callers);
    const [third] = (await fleet.startWorkers(1)) as [WorkerProcess];
    const identities = callers.map((caller) => caller.agentIdentity);
    const killedAt = Date.now();
    await second.killTask();
    const voices = await Promise.all(callers.map((caller) => caller.listen(killedAt, 40_000)));
    const silentMs = voices.map((voice) => voice?.latencyMs ?? Number.POSITIVE_INFINITY);
    note(`killed with its task: heard again after ${silentMs.sort((a, b) => a - b).join(', ')} ms`);
    const noticedAt = third.lines('another worker has died')[0]?.time ?? 0;
    note(`killed with its task: noticed after ${noticedAt - killedAt} ms`);
    // The target is 5 s, which the lines above show; LiveKit would have dropped the agents after 20 s.
    expect(Math.max(...silentMs)).toBeLessThan(15_000);
    expect(third.lines('the agent of a call died with its worker').length).toBe(SLOTS);
    for (const [i, caller] of callers.entries())
      expect(caller.agentIdentity).not.toBe(identities[i]);
    // Nor was any of them answered twice.
    expect((await third.health()).calls).toBe(SLOTS);
    expect(third.lines('call accepted').length).toBe(SLOTS);
    await askAll(fleet, callers);
    await fleet.hangUp();
    await untilCalls([third], 0);
    third.signal('SIGTERM');
    expect((await third.exited).code).toBe(0);
    expectGoodCitizens([third], SLOTS);
  }, 120_000);
});
