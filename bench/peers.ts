// SPDX-License-Identifier: Apache-2.0
// Compares our worker with LiveKit's Python worker and its Nova Sonic plugin, in turn, on this machine: one real LiveKit
// server, one endpoint that answers after 300 ms, the same callers. Prints a table with ratios.
// `npm run bench:peers -- --calls 1,5,10 --runs 3`; with `--limit 400` the most talking calls that the machine carries.

import '../local/command/silence-warnings.js';
import { cpus } from 'node:os';
import Table from 'cli-table3';
import { Command, Option } from 'commander';
import { logStatus, runCommand } from '../local/command/run-command.js';
import { buildAgent } from '../local/dev/build-agent.js';
import { synthesizeQuestion } from '../local/fleet/question.js';
import { mostCalls } from './peers/limit.js';
import { ENDPOINT_MS, type Measurement, type MeasureOptions, measure } from './peers/measure.js';
import type { WorkerKind } from './peers/workers.js';

const KINDS: readonly WorkerKind[] = ['python', 'ours'];

interface PeersOptions {
  calls: number[];
  runs: number;
  seconds: number;
  limit?: number;
  workers: WorkerKind[];
}

const program = new Command('npm run bench:peers --')
  .description('Compares our worker with the Python worker of LiveKit, on this machine.')
  .addOption(
    new Option('--calls <list>', 'calls at once, separated by commas')
      .argParser(parseList)
      .default([1, 5, 10], '1,5,10'),
  )
  .option('--runs <n>', 'runs of each; the table shows medians', Number, 3)
  .option('--seconds <n>', 'how long the callers talk in each run', Number, 40)
  .addOption(
    new Option('--workers <list>', 'those to measure')
      .argParser((list) => list.split(','))
      .default([...KINDS], KINDS.join(',')),
  )
  .option(
    '--limit <ms>',
    'instead: the most talking calls before the p95 of what is added to the latency passes this',
    Number,
  );

function parseList(value: string): number[] {
  return value.split(',').map(Number);
}

async function main({ calls, runs, seconds, limit, workers }: PeersOptions): Promise<void> {
  await buildAgent(logStatus);
  const question = await synthesizeQuestion('What time is it in Tokyo?');
  const [processor] = cpus();
  process.stdout.write(`${cpus().length} x ${processor?.model}, Node ${process.version}\n`);
  if (limit !== undefined) {
    for (const kind of workers) {
      const most = await mostCalls(async (count) => {
        const p95 = await addedP95(kind, { calls: count, seconds, question });
        logStatus(`${count} calls, ${kind}: p95 of the added latency ${p95.toFixed(0)} ms`);
        return p95 <= limit;
      });
      process.stdout.write(`${kind}: at most ${most} talking calls with p95 below ${limit} ms\n`);
    }
    return;
  }
  for (const count of calls) {
    const measured: Record<WorkerKind, Measurement[]> = { python: [], ours: [] };
    for (let run = 1; run <= runs; run++)
      for (const kind of workers) {
        logStatus(`${count} calls, run ${run} of ${runs}: ${kind}`);
        measured[kind].push(await measure(kind, { calls: count, seconds, question }));
      }
    process.stdout.write(`${table(count, measured)}\n`);
  }
}

/** What worker, LiveKit and this machine add to the endpoint's own time, ms; infinite when a caller got no answer. */
async function addedP95(kind: WorkerKind, options: MeasureOptions): Promise<number> {
  try {
    return quantile((await measure(kind, options)).latencyMs, 0.95) - ENDPOINT_MS;
  } catch (error) {
    logStatus(String(error));
    return Number.POSITIVE_INFINITY;
  }
}

/** Rows of the table: each a figure of one run, of which the median is shown. */
const ROWS: readonly [name: string, figure: (run: Measurement) => number][] = [
  ['idle worker, PSS MiB', (run) => run.idlePssMiB],
  ['memory for each call, PSS MiB', (run) => run.callPssMiB],
  ['CPU for each call, % of a core', (run) => run.callCpuPercent],
  ['end of question to first sound p50, ms', (run) => quantile(run.latencyMs, 0.5)],
  ['end of question to first sound p95, ms', (run) => quantile(run.latencyMs, 0.95)],
  ['added to the endpoint’s time p50, ms', (run) => quantile(run.latencyMs, 0.5) - ENDPOINT_MS],
  ['added to the endpoint’s time p95, ms', (run) => quantile(run.latencyMs, 0.95) - ENDPOINT_MS],
  ['dispatch to joined p50, ms', (run) => quantile(run.joinedMs, 0.5)],
  ['dispatch to joined, last, ms', (run) => Math.max(...run.joinedMs)],
  ['dispatch to first audio at the model p50, ms', (run) => quantile(run.firstAudioMs, 0.5)],
];

function table(calls: number, measured: Record<WorkerKind, Measurement[]>): string {
  const kinds = KINDS.filter((kind) => measured[kind].length > 0);
  const both = kinds.length === KINDS.length;
  const head = [`${calls} calls`, ...kinds, ...(both ? ['ours / Python'] : [])];
  const rows = new Table({ head });
  for (const [name, figure] of ROWS) {
    const figures = kinds.map((kind) => quantile(measured[kind].map(figure), 0.5));
    const [python = Number.NaN, ours = Number.NaN] = figures;
    const ratio = both ? [(ours / python).toFixed(2)] : [];
    rows.push([name, ...figures.map((value) => value.toFixed(1)), ...ratio]);
  }
  return rows.toString();
}

function quantile(values: number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

await runCommand(async () => {
  await main(program.parse().opts<PeersOptions>());
  return 0;
});
