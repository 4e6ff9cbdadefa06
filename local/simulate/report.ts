// SPDX-License-Identifier: Apache-2.0

import Table from 'cli-table3';
import { CALL_MINUTE_USD, TASK_HOUR_USD } from './hourly-cost.js';
import { type PatternRun, refusedPercent, sum } from './run-pattern.js';

/** What the runs of one pattern amount to in its window. */
export interface PatternSummary {
  readonly name: string;
  readonly callers: number;
  /** Percent of the callers. */
  readonly refused: number;
  /** Seconds that answered callers waited: the median, and the 95th and 99th percentile. */
  readonly waited: readonly [number, number, number];
  readonly tasks: { readonly mean: number; readonly most: number };
  /** USD an hour: tasks, and with Bedrock. */
  readonly tasksUsd: number;
  readonly totalUsd: number;
}

/** Summarizes runs of the same pattern with other chances. */
export function summarize(runs: readonly PatternRun[]): PatternSummary {
  const mean = (value: (run: PatternRun) => number) =>
    runs.reduce((total, run) => total + value(run), 0) / runs.length;
  const perSecond = (series: 'tasks' | 'calls') =>
    mean(({ history, eventAt, end }) => sum(history[series], eventAt, end) / (end - eventAt));
  const waits = runs
    .flatMap(({ history, eventAt }) => history.waits.filter(({ at }) => at >= eventAt))
    .map(({ seconds }) => seconds)
    .sort((a, b) => a - b);
  const percentile = (share: number) => waits[Math.floor(share * (waits.length - 1))] ?? 0;
  const tasks = perSecond('tasks');
  return {
    name: runs[0]?.pattern.name ?? '',
    callers: mean(({ history, eventAt, end }) => sum(history.arrivals, eventAt, end)),
    refused: mean(refusedPercent),
    waited: [percentile(0.5), percentile(0.95), percentile(0.99)],
    tasks: {
      mean: tasks,
      most: Math.max(...runs.map(({ history, eventAt }) => most(history.tasks, eventAt))),
    },
    tasksUsd: tasks * TASK_HOUR_USD,
    totalUsd: tasks * TASK_HOUR_USD + perSecond('calls') * 60 * CALL_MINUTE_USD,
  };
}

const most = (series: Float64Array, from: number): number =>
  series.subarray(from).reduce((max, value) => Math.max(max, value), 0);

/** The table that the command prints. */
export function summaryTable(
  rows: readonly { summary: PatternSummary; minTasks?: string }[],
): string {
  const table = new Table({
    head: [
      'callers come',
      'callers',
      'refused',
      'waited p50/p95/p99',
      'tasks (most)',
      'tasks, USD/h',
      'with Bedrock',
      'MinTasks for fewer refused',
    ],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'left'],
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  for (const { summary, minTasks } of rows) {
    const { name, callers, refused, waited, tasks, tasksUsd, totalUsd } = summary;
    table.push([
      name,
      Math.round(callers),
      `${refused.toFixed(2)} %`,
      `${waited.join('/')} s`,
      `${tasks.mean.toFixed(1)} (${tasks.most})`,
      tasksUsd.toFixed(2),
      totalUsd.toFixed(2),
      minTasks ?? '',
    ]);
  }
  return table.toString();
}
