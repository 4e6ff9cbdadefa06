// SPDX-License-Identifier: Apache-2.0

// Figures of a fleet's run, from the logs of its workers and what its callers observed.

import { emfLines, emfSums } from './emf.js';
import type { RemoteCaller } from './remote-caller.js';
import type { WorkerProcess } from './worker-process.js';

/** The value at a quantile of 0 to 1; NaN without values. */
export function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** The highest number of calls that a worker held at once, accepted to ended. */
export function maxConcurrentCalls(worker: WorkerProcess): number {
  let current = 0;
  let max = 0;
  for (const { msg } of worker.log) {
    if (msg === 'call accepted') max = Math.max(max, ++current);
    if (msg === 'call ended' || msg === 'job assignment timed out') current--;
  }
  return max;
}

/** Calls during which, at any moment, ECS did not hold their task protected. */
export function unprotectedCalls(worker: WorkerProcess): number {
  const started = new Map<unknown, number>();
  let count = 0;
  for (const line of worker.log) {
    if (line.msg === 'call accepted') started.set(line.call_id, line.time ?? 0);
    if (line.msg !== 'call ended') continue;
    const from = started.get(line.call_id) ?? 0;
    const lost = worker.ecs.changes.some(
      ({ at, protected: on }) => !on && at >= from && at < (line.time ?? 0),
    );
    if (lost || !worker.ecs.protectedAt(from)) count += 1;
  }
  return count;
}

/** Calls that were accepted while ECS did not hold their task protected, without the worker counting them as such. */
export function uncountedCalls(worker: WorkerProcess): number {
  return worker
    .lines('call accepted')
    .filter(({ time, unprotected }) => !unprotected && !worker.ecs.protectedAt(time ?? 0)).length;
}

/** Sums of the metrics that some workers published. */
export function metricSums(workers: WorkerProcess[]): Record<string, number> {
  return emfSums(workers.flatMap((worker) => emfLines(worker.log)));
}

/** All values that some workers published of a metric. */
export function metricValues(workers: WorkerProcess[], name: string): number[] {
  return workers
    .flatMap((worker) => emfLines(worker.log))
    .flatMap((line) => (line as Record<string, unknown>)[name] ?? [])
    .map(Number);
}

/** For each throttled stream, the time from its request to the request in the next Region, in ms. */
export function failoverDelays(callers: RemoteCaller[]): number[] {
  return callers.flatMap((caller) => {
    const streams = caller.callEvents.filter((event) => event.type === 'stream');
    return streams.flatMap((stream, i) => {
      const [before, after] = [streams[i - 1], streams[i + 1]];
      return stream.event === 'throttled' && before && after ? [after.at - before.at] : [];
    });
  });
}
