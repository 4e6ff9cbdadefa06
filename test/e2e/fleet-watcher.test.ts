// SPDX-License-Identifier: Apache-2.0

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RemoteCaller } from '../../local/fleet/remote-caller.js';
import { Fleet } from '../../local/fleet/worker-fleet.js';
import type { LogLine, WorkerProcess } from '../../local/fleet/worker-process.js';
import { askAll, expectGoodCitizens, FLEET_PATIENCE_MS, untilCalls } from './fleet-support.js';

const SLOTS = 3;
const WATCHES = 'this worker watches for callers without an agent';

describe('callers whom LiveKit has forgotten', () => {
  let fleet: Fleet;
  let first: WorkerProcess;

  beforeAll(async () => {
    fleet = await Fleet.start({ callsPerTask: SLOTS });
    [first] = (await fleet.startWorkers(1)) as [WorkerProcess];
  }, 120_000);
  afterAll(() => fleet?.stop(), 30_000);

  const note = (text: string) => process.stderr.write(`${text}\n`);
  const line = (msg: string) => (logged: LogLine) => logged.msg === msg;
  const agents = (callers: RemoteCaller[]) => callers.filter((caller) => caller.agentPresent);

  it('are answered as soon as a slot is free, the first one first', async () => {
    await first.waitForLine(line(WATCHES), FLEET_PATIENCE_MS);
    const served = await fleet.joinCallers(SLOTS);
    await Promise.all(served.map((caller) => fleet.offer(caller)));
    await Promise.all(served.map((caller) => caller.waitForAgent(FLEET_PATIENCE_MS)));
    const waiting: RemoteCaller[] = [];
    const joinedAt = Date.now();
    for (let i = 0; i < 2; i++) {
      const [caller] = (await fleet.joinCallers(1)) as [RemoteCaller];
      await fleet.offer(caller);
      waiting.push(caller);
    }
    const noticed = await first.waitForLine(line('caller without an agent'), FLEET_PATIENCE_MS);
    note(`noticed ${(noticed.time ?? 0) - joinedAt} ms after the first one began to join`);
    expect(agents(waiting)).toEqual([]);
    for (const [i, caller] of waiting.entries()) {
      await fleet.hangUp([served[i] as RemoteCaller]);
      expect(await caller.waitForAgent(FLEET_PATIENCE_MS)).toBeDefined();
      const freedAt = first.lines('call ended')[i]?.time ?? 0;
      note(`answered ${(caller.agentJoinedAt ?? 0) - freedAt} ms after a slot was free`);
      expect(agents(waiting)).toEqual(waiting.slice(0, i + 1));
    }
    expect(first.lines('agent dispatched again').length).toBe(2);
  }, 120_000);

  it('are answered by a new task when the one that watched is gone', async () => {
    const [waiting] = (await fleet.joinCallers(1)) as [RemoteCaller];
    await fleet.offer(waiting);
    await first.kill();
    const [second] = (await fleet.startWorkers(1)) as [WorkerProcess];
    expect(await waiting.waitForAgent(FLEET_PATIENCE_MS)).toBeDefined();
    const readyAt = second.lines('ready')[0]?.time ?? 0;
    note(`answered ${(waiting.agentJoinedAt ?? 0) - readyAt} ms after the registration of a task`);
    expect(second.lines(WATCHES).length).toBe(1);
    await askAll(fleet, [waiting]);
    await fleet.hangUp();
    await untilCalls([second], 0);
    second.signal('SIGTERM');
    expect((await second.exited).code).toBe(0);
    expectGoodCitizens([second], SLOTS);
  }, 120_000);
});
