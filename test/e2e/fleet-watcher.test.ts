// SPDX-License-Identifier: Apache-2.0

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RemoteCaller } from '../../local/fleet/remote-caller.js';
import { Fleet } from '../../local/fleet/worker-fleet.js';
import type { LogLine, WorkerProcess } from '../../local/fleet/worker-process.js';
import { askAll, FLEET_PATIENCE_MS, untilCalls } from './fleet-support.js';

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
    for (let i = 0; i < 2; i++) {
      const [caller] = (await fleet.joinCallers(1)) as [RemoteCaller];
      await fleet.offer(caller);
      waiting.push(caller);
    }
    const joinedAt = Date.now();
    const noticed = await first.waitForLine(line('caller without an agent'), FLEET_PATIENCE_MS);
    note(`noticed after ${(noticed.time ?? 0) - joinedAt} ms`);
    expect(agents(waiting)).toEqual([]);
    for (const [i, caller] of waiting.entries()) {
      await fleet.hangUp([served[i] as RemoteCaller]);
      const freedAt = Date.now();
      expect(await caller.waitForAgent(FLEET_PATIENCE_MS)).toBeDefined();
      note(`answered ${(caller.agentJoinedAt ?? 0) - freedAt} ms after a hang-up`);
      expect(agents(waiting)).toEqual(waiting.slice(0, i + 1));
    }
    expect(first.lines('agent dispatched again').length).toBe(2);
  }, 120_000);

  it('have another agent when the worker that watched was killed with their calls', async () => {
    const [second] = (await fleet.startWorkers(1)) as [WorkerProcess];
    // It has a seat when it could take over.
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    const { callers } = fleet;
    expect(agents([...callers]).length).toBe(SLOTS);
    const before = callers.map((caller) => caller.agentIdentity);
    const killedAt = Date.now();
    await first.kill();
    await second.waitForLine(line(WATCHES), FLEET_PATIENCE_MS);
    note(`taken over after ${Date.now() - killedAt} ms`);
    await untilCalls([second], SLOTS);
    for (const caller of callers)
      expect(await caller.waitForAgent(FLEET_PATIENCE_MS)).toBeDefined();
    const joined = callers.map((caller) => (caller.agentJoinedAt ?? 0) - killedAt);
    note(`answered again after ${joined.join(' ')} ms`);
    for (const [i, caller] of callers.entries()) expect(caller.agentIdentity).not.toBe(before[i]);
    // One agent each: an agent that came second has left.
    expect(second.lines('call ended')).toEqual([]);
    await askAll(fleet, callers.slice(0, 1));
    await fleet.hangUp();
    await untilCalls([second], 0);
    second.signal('SIGTERM');
    expect((await second.exited).code).toBe(0);
  }, 120_000);
});
