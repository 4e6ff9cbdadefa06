// SPDX-License-Identifier: Apache-2.0

// The tables that `npm run fleet` prints.

import Table from 'cli-table3';
import {
  failoverDelays,
  maxConcurrentCalls,
  metricSums,
  metricValues,
  quantile,
  unprotectedCalls,
} from './analysis.js';
import type { DeployReport } from './deploy-run.js';
import type { CallResult } from './fleet-call.js';
import type { ChaosReport } from './protection-chaos.js';
import type { WorkerProcess } from './worker-process.js';

const STYLE = { head: [], border: [] };

export function workerTable(workers: WorkerProcess[]): string {
  const table = new Table({
    head: ['worker', 'max. at once', 'accepted', 'rejected', 'ended', 'crashed', 'unprotected'],
    style: STYLE,
  });
  for (const worker of workers) {
    const sums = metricSums([worker]);
    table.push([
      worker.name,
      maxConcurrentCalls(worker),
      sums.CallsAccepted ?? 0,
      sums.CallsRejected ?? 0,
      worker.lines('call ended').length,
      sums.JobCrashes ?? 0,
      unprotectedCalls(worker),
    ]);
  }
  return table.toString();
}

export function callTable(calls: CallResult[]): string {
  const table = new Table({ head: ['', 'count', 'median', 'p95', 'max.'], style: STYLE });
  const row = (name: string, values: number[]) =>
    table.push([name, values.length, ...[0.5, 0.95, 1].map((q) => formatMs(quantile(values, q)))]);
  const answers = calls.flatMap((call) => call.answers);
  row(
    'call accepted → agent in the room',
    calls.map((call) => call.joinedMs),
  );
  row(
    'call accepted → first sound of the greeting',
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
    'longest pause within an answer',
    answers.map((answer) => answer.longestPauseMs),
  );
  row('added by a throttled Region', failoverDelays(calls.map((call) => call.caller)));
  row('first offer → accepted, calls that were rejected before', waitingTimes(calls));
  return table.toString();
}

function waitingTimes(calls: CallResult[]): number[] {
  return calls.filter((call) => call.offers > 1).map((call) => call.takenAt - call.offeredAt);
}

export function chaosTable(report: ChaosReport): string {
  const delays = report.protectionOffDelaysMs;
  const table = new Table({ style: STYLE });
  table.push(
    ['calls started', report.starts],
    ['calls rejected', report.rejected],
    ['calls ended: by hanging up, by killing the process', `${report.hungUp}, ${report.killed}`],
    ['requests to ECS: all, failed', `${report.ecsRequests}, ${report.ecsFailures}`],
    ['times protected', report.protectedTimes],
    ['calls live without protection', report.unprotectedCalls],
    ['of these, accepted without being counted', report.uncountedCalls],
    [
      'last call → protection off (grace period 1 s): median, max.',
      `${formatMs(quantile(delays, 0.5))}, ${formatMs(quantile(delays, 1))} of ${delays.length}`,
    ],
  );
  return table.toString();
}

export function deployTable(report: DeployReport): string {
  const table = new Table({ style: STYLE });
  const seconds = (value: number | undefined) =>
    value === undefined ? '–' : `${value.toFixed(1)} s`;
  table.push(
    ['calls answered', report.answered],
    ['calls cut', report.cut],
    ['callers whom nobody answered', report.unanswered],
    [
      'LiveKit found no free slot: before, from the deployment on',
      `${report.nobody.before}, ${report.nobody.after}`,
    ],
    ['deployment → its tasks are healthy', seconds(report.healthyS)],
    ['healthy → the old tasks take no more calls (negative: before)', seconds(report.supersededS)],
    [
      'calls that old tasks took after that, the last one after',
      `${report.callsToOld}, ${seconds(report.lastToOldS)}`,
    ],
    ['healthy, or the evening → the old tasks are gone', seconds(report.goneS)],
    ['exit codes of the old tasks', report.exits.join(', ')],
    ['calls accepted without confirmed protection', report.unprotected],
  );
  return table.toString();
}

/** Compares the published metrics with what the callers observed. */
export function metricTable(workers: WorkerProcess[], calls: CallResult[]): string {
  const sums = metricSums(workers);
  const replies = calls.reduce(
    (sum, call) => sum + call.answers.length + (call.greeting ? 1 : 0),
    0,
  );
  const seconds = calls.reduce((sum, call) => sum + (call.endedAt - call.takenAt), 0) / 1000;
  const table = new Table({ head: ['metric', 'sum', 'observed by callers'], style: STYLE });
  const row = (name: string, observed: string | number = '') =>
    table.push([name, round(sums[name] ?? 0), observed]);
  row('CallsAccepted', calls.length);
  row('CallsRejected');
  row('CallDuration', `${round(seconds)} (since the offer)`);
  row('Turns', replies);
  for (const name of [
    'Throttles',
    'Failovers',
    'StreamErrors',
    'JobCrashes',
    'CallsResumed',
    'EstimatedCostUsd',
  ])
    row(name);
  row('CallsRedispatched');
  const unanswered = Math.max(0, ...metricValues(workers, 'CallersUnanswered'));
  table.push(['CallersUnanswered, most at once', unanswered, '']);
  const waiting = Math.max(0, ...metricValues(workers, 'CallersWaiting'));
  table.push(['CallersWaiting, most at once', waiting, '']);
  row('CallersGaveUp');
  row('CallersTurnedAway');
  const waited = metricValues(workers, 'TimeWaited');
  table.push(['TimeWaited, median and p95', spread(waited), '']);
  const answered = metricValues(workers, 'TimeToAnswer');
  table.push(['TimeToAnswer, median and p95', spread(answered), '']);
  return table.toString();
}

const round = (value: number) => Math.round(value * 1000) / 1000;
const spread = (values: number[]) =>
  [0.5, 0.95].map((q) => formatMs(quantile(values, q))).join(', ');
const formatMs = (value: number) => (Number.isNaN(value) ? '–' : `${Math.round(value)} ms`);
