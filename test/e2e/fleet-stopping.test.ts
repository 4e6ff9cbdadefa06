// SPDX-License-Identifier: Apache-2.0

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RemoteCaller } from '../../local/fleet/remote-caller.js';
import { Fleet } from '../../local/fleet/worker-fleet.js';
import type { WorkerProcess } from '../../local/fleet/worker-process.js';
import {
  askAll,
  connectAll,
  expectGoodCitizens,
  FLEET_PATIENCE_MS,
  SLOTS,
  untilCalls,
} from './fleet-support.js';

describe('tasks that are told to stop, as when Fargate retires them', () => {
  let fleet: Fleet;
  let old: WorkerProcess[];
  let fresh: WorkerProcess[];
  let callers: RemoteCaller[];

  beforeAll(async () => {
    fleet = await Fleet.start({ callsPerTask: SLOTS, regions: ['us-east-1', 'us-west-2'] });
    old = await fleet.startWorkers(2);
    callers = await fleet.joinCallers(2 * SLOTS);
  }, 180_000);
  afterAll(() => fleet?.stop(), 30_000);

  /** Each caller's answers so far, as the history of the call has them. */
  const replies = (caller: RemoteCaller) =>
    caller.callEvents.filter(
      (message) => message.type === 'message' && message.role === 'assistant',
    );

  /** A question over the greeting would interrupt it. */
  const greeted = (some: RemoteCaller[]) =>
    Promise.all(
      some.map((c) => c.waitForEvent('message', () => replies(c).length > 0, FLEET_PATIENCE_MS)),
    );

  it('loses no call, audio or turn', async () => {
    await connectAll(fleet, callers);
    await untilCalls(old, 2 * SLOTS);
    const talking = callers.filter((_, i) => i % 4 === 0);
    await greeted(talking);
    const before = await askAll(fleet, talking);
    fresh = await fleet.startWorkers(2);

    old[0]?.signal('SIGTERM');
    // A turn that is under way while the first of them is told to stop, and one after it.
    const during = await askAll(fleet, talking);
    old[1]?.signal('SIGTERM');
    const after = await askAll(fleet, talking);

    const length = Math.min(...before.map((answer) => answer.heardMs));
    for (const answer of [...during, ...after]) {
      expect(answer.heardMs).toBeGreaterThan(length * 0.85);
      // Audio that was lost for a time would be a hole; the pauses between sentences are far shorter.
      expect(answer.longestPauseMs).toBeLessThan(length / 2);
    }
    expect(callers.every((caller) => caller.agentPresent)).toBe(true);
    expect(callers.map((caller) => caller.reconnects)).toEqual(callers.map(() => 0));
    for (const caller of talking) {
      await caller.waitForEvent('message', () => replies(caller).length >= 4, FLEET_PATIENCE_MS);
      expect(replies(caller).length).toBe(4);
      const cut = replies(caller).filter((m) => m.type === 'message' && m.interrupted);
      expect(cut).toEqual([]);
    }
    for (const worker of old) {
      expect(await worker.health('ready')).toMatchObject({
        status: 503,
        draining: true,
        calls: SLOTS,
      });
      expect((await worker.health('live')).status).toBe(200);
    }
  }, 240_000);

  it('sends new calls to the new tasks', async () => {
    const latecomers = await fleet.joinCallers(4);
    await connectAll(fleet, latecomers);
    await untilCalls(fresh, 4);
    await fleet.hangUp(latecomers);
    await untilCalls(fresh, 0);
  }, 120_000);

  it('ends the old tasks with exit code 0 when their last call has ended', async () => {
    const job = (worker: WorkerProcess) =>
      callers.filter((c) => worker.lines('call started').some((line) => line.call_id === c.jobId));
    const [first, second] = old as [WorkerProcess, WorkerProcess];
    await fleet.hangUp(job(first));
    expect((await first.exited).code).toBe(0);
    expect((await second.health('ready')).calls).toBe(SLOTS);
    await fleet.hangUp(job(second));
    expect((await second.exited).code).toBe(0);
    for (const worker of old) {
      expect(worker.lines('drained').map((line) => line.result)).toEqual(['idle']);
      // Its share of slots in use would hold back the scaling: a task on its way out says nothing.
      const drained = worker.log.findIndex((line) => String(line.msg).startsWith('draining'));
      expect(worker.log.slice(drained).some((line) => 'SlotUtilization' in line)).toBe(false);
    }
  }, 120_000);

  it('keeps calls that start at the moment of SIGTERM, which the framework’s own drain cuts', async () => {
    const [worker] = fresh as [WorkerProcess];
    const other = fresh[1] as WorkerProcess;
    other.signal('SIGTERM');
    await other.exited;
    const three = await fleet.joinCallers(3);
    // It has taken calls before.
    const before = worker.lines('call accepted').length;
    await Promise.all(three.map((caller) => fleet.offer(caller)));
    await worker.waitForLine(
      () => worker.lines('call accepted').length >= before + 3,
      FLEET_PATIENCE_MS,
    );
    worker.signal('SIGTERM');
    for (const caller of three) expect(await caller.waitForAgent(FLEET_PATIENCE_MS)).toBeDefined();
    await greeted(three);
    await askAll(fleet, three);
    await fleet.hangUp(three);
    expect((await worker.exited).code).toBe(0);
    expect(worker.lines('drained').map((line) => line.result)).toEqual(['idle']);
  }, 120_000);

  it('says goodbye in a call that outlasts the drain, and exits in time', async () => {
    const env = { DRAIN_TIMEOUT_S: '10', END_CALL_TIMEOUT_S: '9' };
    const [worker] = (await fleet.startWorkers(1, {}, env)) as [WorkerProcess];
    const [caller] = (await fleet.joinCallers(1)) as [RemoteCaller];
    await connectAll(fleet, [caller]);
    await greeted([caller]);
    const at = Date.now();
    worker.signal('SIGTERM');
    worker.signal('SIGTERM');
    const heard = await caller.listen(at, 20_000);
    expect(heard?.heardMs).toBeGreaterThan(1_000);
    const left = await caller.waitUntilDisconnected(20_000);
    expect((left ?? Number.POSITIVE_INFINITY) - (heard?.endedAt ?? 0)).toBeLessThan(2_000);
    expect(await caller.waitForAgentToLeave(20_000)).toBe(true);
    const exit = await worker.exited;
    expect(exit.code).toBe(0);
    expect(exit.at - at).toBeLessThan(20_000);
    const [end] = worker.lines('call ended');
    expect(end?.end_reason).toBe('task_stopping');
    expect(replies(caller).length).toBe(2);
    expectGoodCitizens([worker], SLOTS);
  }, 120_000);

  it('emits valid metrics, one JSON object a line, and no personal data', () =>
    expectGoodCitizens([...old, ...fresh], SLOTS));
});
