// SPDX-License-Identifier: Apache-2.0

import { availableParallelism } from 'node:os';
import { expect } from '@jest/globals';
import { maxConcurrentCalls, unprotectedCalls } from '../../local/fleet/analysis.js';
import { emfLines } from '../../local/fleet/emf.js';
import type { HeardAnswer } from '../../local/fleet/light-caller.js';
import type { RemoteCaller } from '../../local/fleet/remote-caller.js';
import type { Fleet } from '../../local/fleet/worker-fleet.js';
import type { WorkerProcess } from '../../local/fleet/worker-process.js';
import { emfProblem } from '../agent/telemetry/emf-schema.js';

/** Times of these tests are for a machine with two cores and other things to do. */
export const FLEET_PATIENCE_MS = 60_000;

/** Slots of a task. The start of a call costs half a second of a core, and its talk a fifth of one. */
export const SLOTS = availableParallelism() >= 4 ? 10 : 4;

/** Offers all calls at once and waits until every one has its agent. */
export async function connectAll(fleet: Fleet, callers: RemoteCaller[]): Promise<void> {
  const offers = await Promise.all(callers.map((caller) => fleet.offer(caller)));
  const joined = await Promise.all(callers.map((caller) => caller.waitForAgent(FLEET_PATIENCE_MS)));
  expect(joined.filter((at) => at === undefined).length).toBe(0);
  expect(offers.length).toBe(callers.length);
}

/** Offers a call that hears that nobody can answer, and is then disconnected; returns its caller. */
export async function callThatHearsNobodyCanAnswer(fleet: Fleet): Promise<RemoteCaller> {
  const [caller] = (await fleet.joinCallers(1)) as [RemoteCaller];
  const offered = Date.now();
  await connectAll(fleet, [caller]);
  const words = await caller.listen(offered, FLEET_PATIENCE_MS);
  // The whole recording.
  expect(words?.heardMs).toBeGreaterThan(3_000);
  expect(await caller.waitUntilDisconnected(FLEET_PATIENCE_MS)).toBeGreaterThan(
    words?.endedAt ?? Number.POSITIVE_INFINITY,
  );
  return caller;
}

/** Asks every caller's question at once; each must hear its answer, whole. */
export async function askAll(fleet: Fleet, callers: RemoteCaller[]): Promise<HeardAnswer[]> {
  const answers = await Promise.all(callers.map((caller) => caller.ask(fleet.question, 30_000)));
  const answered = answers.filter((answer) => answer !== undefined);
  expect(answered.length).toBe(callers.length);
  return answered;
}

/** Resolves when the workers hold so many calls in all. */
export async function untilCalls(workers: WorkerProcess[], calls: number): Promise<void> {
  const end = Date.now() + FLEET_PATIENCE_MS;
  for (;;) {
    const states = await Promise.all(workers.map((worker) => worker.health()));
    const sum = states.reduce((all, state) => all + state.calls, 0);
    if (sum === calls) return;
    if (Date.now() > end) throw new Error(`the workers hold ${sum} calls, not ${calls}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Calls of one process, by default. */
const CALLS_PER_PROCESS = 10;

/** Resolves when two processes of a worker can take calls; the first one that is ready gets all until then. */
export async function untilTwoAreReady(worker: WorkerProcess, shared: boolean): Promise<void> {
  const room = shared ? CALLS_PER_PROCESS + 1 : 2;
  const end = Date.now() + FLEET_PATIENCE_MS;
  while ((await worker.health()).warm < room) {
    if (Date.now() > end) throw new Error('no second process is ready');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What must hold of any worker after any run; `unprotected`: unless ECS refused protection. */
export function expectGoodCitizens(
  workers: WorkerProcess[],
  slots: number,
  { unprotected = false } = {},
): void {
  for (const worker of workers) {
    const metrics = emfLines(worker.log);
    expect(metrics.length).toBeGreaterThan(0);
    expect(metrics.map(emfProblem).filter(Boolean)).toEqual([]);
    expect(maxConcurrentCalls(worker)).toBeLessThanOrEqual(slots);
    if (!unprotected) expect(unprotectedCalls(worker)).toBe(0);
    const fallbacks = worker.log.filter((line) => /cannot be loaded/.test(String(line.msg)));
    expect(fallbacks).toEqual([]);
    // One JSON object a line, and in none of them a word of anybody or a number.
    expect(worker.nonJsonLines).toEqual([]);
    expect(JSON.stringify(worker.log)).not.toMatch(/lk\.pii|What time is it in Tokyo|\+15550100/);
  }
}
