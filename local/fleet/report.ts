// SPDX-License-Identifier: Apache-2.0

import Table from 'cli-table3';
import type { CallResult } from './calls.js';
import { emfLines, emfSums } from './emf.js';
import type { Trace } from './protection-chaos.js';
import type { RemoteCaller } from './remote-caller.js';
import type { WorkerProcess } from './worker-process.js';

/** The value below which a share of the values lies; NaN without values. */
export function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** The most calls that a worker ever held at once: from its own log, accepted to ended. */
export function mostCalls(worker: WorkerProcess): number {
  let now = 0;
  let most = 0;
  for (const { msg } of worker.log) {
    if (msg === 'call accepted') most = Math.max(most, ++now);
    if (msg === 'call ended' || msg === 'job assignment timed out') now--;
  }
  return most;
}

/** Calls that were live at a moment when ECS did not hold their task for protected. */
export function unprotected(worker: WorkerProcess): number {
  const started = new Map<unknown, number>();
  let bare = 0;
  for (const line of worker.log) {
    if (line.msg === 'call accepted') started.set(line.call_id, line.time ?? 0);
    if (line.msg !== 'call ended') continue;
    const from = started.get(line.call_id) ?? 0;
    const lost = worker.ecs.changes.some(
      ({ at, protected: on }) => !on && at >= from && at < (line.time ?? 0),
    );
    if (lost || !worker.ecs.protectedAt(from)) bare += 1;
  }
  return bare;
}

/** Sums of the metrics that some workers published. */
export function metricSums(workers: WorkerProcess[]): Record<string, number> {
  return emfSums(workers.flatMap((worker) => emfLines(worker.log)));
}

/** Milliseconds that a Region's refusal cost each caller: from the request to it to the request to the next one. */
export function failOverCosts(callers: RemoteCaller[]): number[] {
  return callers.flatMap((caller) => {
    const streams = caller.feed.filter((message) => message.type === 'stream');
    return streams.flatMap((message, i) => {
      const [before, after] = [streams[i - 1], streams[i + 1]];
      return message.event === 'throttled' && before && after ? [after.at - before.at] : [];
    });
  });
}

export function workerTable(workers: WorkerProcess[]): string {
  const table = new Table({
    head: ['worker', 'most at once', 'accepted', 'refused', 'ended', 'crashed', 'unprotected'],
    style: { head: [], border: [] },
  });
  for (const worker of workers) {
    const sums = metricSums([worker]);
    table.push([
      worker.name,
      mostCalls(worker),
      sums.CallsAccepted ?? 0,
      sums.CallsRejected ?? 0,
      worker.lines('call ended').length,
      sums.JobCrashes ?? 0,
      unprotected(worker),
    ]);
  }
  return table.toString();
}

export function callTable(calls: CallResult[]): string {
  const table = new Table({
    head: ['', 'count', 'median', '95 %', 'most'],
    style: { head: [], border: [] },
  });
  const row = (name: string, values: number[]) =>
    table.push([name, values.length, ...[0.5, 0.95, 1].map((q) => ms(quantile(values, q)))]);
  const answers = calls.flatMap((call) => call.answers);
  row(
    'offer taken → agent in the room',
    calls.map((call) => call.joinedMs),
  );
  row(
    'offer taken → first sound of the greeting',
    calls.flatMap((call) => call.greeting?.latencyMs ?? []),
  );
  row(
    'end of question → first sound of the answer',
    answers.map((answer) => answer.latencyMs),
  );
  row(
    'length of the answer as heard',
    answers.map((answer) => answer.heardMs),
  );
  row(
    'longest pause inside an answer',
    answers.map((answer) => answer.longestPauseMs),
  );
  row('added by a Region that throttles', failOverCosts(calls.map((call) => call.caller)));
  row('first offer → taken, calls that had to wait', waited(calls));
  return table.toString();
}

function waited(calls: CallResult[]): number[] {
  return calls.filter((call) => call.offers > 1).map((call) => call.takenAt - call.offeredAt);
}

export function traceTable(trace: Trace): string {
  const off = trace.offAfterMs;
  const table = new Table({ style: { head: [], border: [] } });
  table.push(
    ['calls that started', trace.starts],
    ['calls refused', trace.refused],
    ['calls that ended: hung up, process killed', `${trace.hungUp}, ${trace.killed}`],
    ['requests to ECS: all, not confirmed', `${trace.asked}, ${trace.failed}`],
    ['times protected', trace.protectedTimes],
    ['calls that were live without protection', trace.bare],
    [
      'last call → protection off (grace 1 s): median, most',
      `${ms(quantile(off, 0.5))}, ${ms(quantile(off, 1))} of ${off.length}`,
    ],
  );
  return table.toString();
}

/** What the metrics say against what the callers saw. */
export function metricTable(workers: WorkerProcess[], calls: CallResult[]): string {
  const sums = metricSums(workers);
  const heard = calls.reduce((sum, call) => sum + call.answers.length + (call.greeting ? 1 : 0), 0);
  const seconds = calls.reduce((sum, call) => sum + (call.endedAt - call.takenAt), 0) / 1000;
  const table = new Table({
    head: ['metric', 'sum', 'callers saw'],
    style: { head: [], border: [] },
  });
  const row = (name: string, seen: string | number = '') =>
    table.push([name, round(sums[name] ?? 0), seen]);
  row('CallsAccepted', calls.length);
  row('CallsRejected');
  row('CallDuration', `${round(seconds)} (from the offer)`);
  row('Turns', heard);
  for (const name of ['Throttles', 'Failovers', 'StreamErrors', 'JobCrashes', 'EstimatedCostUsd'])
    row(name);
  return table.toString();
}

const round = (value: number) => Math.round(value * 1000) / 1000;
const ms = (value: number) => (Number.isNaN(value) ? '–' : `${Math.round(value)} ms`);
