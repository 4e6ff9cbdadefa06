// SPDX-License-Identifier: Apache-2.0

import './command/silence-warnings.js';
import { readFileSync, writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import seedrandom from 'seedrandom';
import { parseRange } from './command/parse-range.js';
import { isEntryPoint, logStatus, runCommand } from './command/run-command.js';
import { parseArrivals } from './simulate/arrivals-csv.js';
import { plotSvg } from './simulate/plot.js';
import { type PatternSummary, summarize, summaryTable } from './simulate/report.js';
import { type PatternRun, runPattern } from './simulate/run-pattern.js';
import { readScaling, type ScalingTemplate } from './simulate/scaling-policies.js';
import {
  type ArrivalPattern,
  DAY,
  FROM_IDLE,
  PATTERNS,
  ramp,
  STEADY,
  spike,
} from './simulate/scenarios.js';
import type { ServiceModelOptions } from './simulate/service-model.js';
import { synthesizeTemplate } from './simulate/synthesize.js';

/** Tasks that ECS allows in a service. */
const MOST_TASKS = 5_000;

/** MinTasks and MaxTasks from a moment on, in seconds. */
interface LimitsChange {
  at: number;
  minTasks: number;
  maxTasks: number;
}

interface SimulateOptions {
  calls: number;
  steady?: true;
  ramp?: number;
  spike?: number;
  idle?: true;
  day?: true;
  csv?: string;
  callLength: number;
  minTasks?: number;
  maxTasks: number;
  target?: number;
  slots: number;
  start: [number, number];
  patience: number;
  deploy?: number[];
  limits?: LimitsChange[];
  runs: number;
  seed: number;
  refuse: number;
  template?: string;
  plot: string;
}

/** The options of `npm run simulate`; nothing runs before they are parsed. */
export function createProgram(): Command {
  return new Command('npm run simulate --')
    .description(
      'Simulates how the service scales with the policies of the synthesized template. Without one of --steady, --ramp, --spike, --idle, --day and --csv, callers come in each of eight ways.',
    )
    .option('--calls <count>', 'calls in progress at the full rate', parseWhole, 100)
    .option('--steady', 'callers come at the full rate')
    .option(
      '--ramp <time>',
      'callers come at 5 % of the rate, and at all of it after this time',
      parseTime,
    )
    .option('--spike <percent>', 'this many more callers within a minute', parseWhole)
    .option('--idle', 'callers come at the full rate to a service without calls')
    .option('--day', 'callers come as in a day: a tenth of the rate at night')
    .option('--csv <file>', 'callers come as in this file, with the columns seconds and calls')
    .option('--call-length <time>', 'mean length of a call', parseTime, 300)
    .option('--min-tasks <count>', 'MinTasks (default: of the template)', parseWhole)
    .option('--max-tasks <count>', 'MaxTasks', parseWhole, MOST_TASKS)
    .option('--target <percent>', 'TargetSlotUtilization (default: of the template)', parseWhole)
    .option('--slots <count>', 'CallsPerTask', parseWhole, 10)
    .addOption(
      new Option('--start <range>', 'seconds until a new task takes calls')
        .argParser(parseRange)
        .default([40, 90], '40-90'),
    )
    .option(
      '--patience <time>',
      'how long a caller waits for a free slot; LiveKit itself offers a call once',
      parseTime,
      0,
    )
    .option(
      '--deploy <time>',
      'deploy at this time after the start of the event (repeatable)',
      (value: string, all: number[] = []) => [...all, parseTime(value)],
    )
    .option(
      '--limits <change>',
      'change the limits as a schedule does, as in 30m=1-4 (repeatable)',
      (value: string, all: LimitsChange[] = []) => [...all, parseLimits(value)],
    )
    .option('--runs <count>', 'runs with other chances; the table has their mean', parseWhole, 5)
    .option('--seed <number>', 'seed of the first run', parseWhole, 1)
    .option(
      '--refuse <percent>',
      'refused callers up to which MinTasks is large enough',
      Number,
      0.5,
    )
    .option('--template <file>', 'a synthesized template (default: that of cdk.json)')
    .option('--plot <file>', 'where the plot is written', 'simulation.svg');
}

function simulate(options: SimulateOptions): void {
  logStatus(options.template ? `reading ${options.template}` : 'synthesizing the template');
  const template = options.template
    ? (JSON.parse(readFileSync(options.template, 'utf8')) as ScalingTemplate)
    : synthesizeTemplate();
  const { patterns, calls } = arrivalPatterns(options);
  const target = options.target ?? Number(template.Parameters?.TargetSlotUtilization?.Default);
  const run = (pattern: ArrivalPattern, minTasks = options.minTasks): PatternRun[] =>
    Array.from({ length: options.runs }, (_, index) =>
      runPattern(pattern, {
        ...modelOptions(options, template, minTasks, target),
        calls,
        targetPercent: target,
        random: seedrandom(String(options.seed + index)),
      }),
    );
  const rows: { summary: PatternSummary; minTasks?: string }[] = [];
  let worst: PatternRun | undefined;
  let most = -1;
  for (const pattern of patterns) {
    const runs = run(pattern);
    const summary = summarize(runs);
    if (summary.refused > most) {
      most = summary.refused;
      worst = runs[0];
    }
    const enough =
      summary.refused > options.refuse ? enoughTasks(pattern, run, options) : undefined;
    rows.push({ summary, ...(enough && { minTasks: enough }) });
  }
  process.stdout.write(`${summaryTable(rows)}\n`);
  if (!worst) return;
  writeFileSync(options.plot, plotSvg(worst));
  logStatus(`${options.plot} shows the first run of "${worst.pattern.name}"`);
}

/** The model of a service with these options. */
function modelOptions(
  options: SimulateOptions,
  template: ScalingTemplate,
  minTasks: number | undefined,
  target: number,
): Omit<ServiceModelOptions, 'arrivals' | 'seconds' | 'start' | 'random'> & {
  deploys: number[];
} {
  const scaling = readScaling(template, {
    MaxTasks: options.maxTasks,
    TargetSlotUtilization: target,
    ...(minTasks !== undefined && { MinTasks: minTasks }),
  });
  return {
    scaling,
    slots: options.slots,
    callSeconds: options.callLength,
    taskStartSeconds: options.start,
    patienceSeconds: options.patience,
    deploys: options.deploy ?? [],
    limits: options.limits ?? [],
  };
}

function arrivalPatterns(options: SimulateOptions): {
  patterns: readonly ArrivalPattern[];
  calls: number;
} {
  const { calls } = options;
  if (options.csv) {
    const arrivals = parseArrivals(readFileSync(options.csv, 'utf8'));
    const share = (second: number) => arrivals.calls(second) / Math.max(1, arrivals.most);
    const pattern = { name: options.csv, before: share(0), share, window: arrivals.seconds };
    return { patterns: [pattern], calls: arrivals.most };
  }
  const chosen = [
    ...(options.steady ? [STEADY] : []),
    ...(options.ramp ? [ramp(`ramp from 5 % in ${options.ramp} s`, options.ramp)] : []),
    ...(options.spike
      ? [spike(`${options.spike} % more within 60 s`, options.spike / 100, 60)]
      : []),
    ...(options.idle ? [FROM_IDLE] : []),
    ...(options.day ? [DAY] : []),
  ];
  return { patterns: chosen.length > 0 ? chosen : PATTERNS, calls };
}

/** The least MinTasks with which few enough callers are refused: what the start of a task makes impossible, free slots do. */
function enoughTasks(
  pattern: ArrivalPattern,
  run: (pattern: ArrivalPattern, minTasks: number) => PatternRun[],
  { refuse, maxTasks }: SimulateOptions,
): string | undefined {
  const enough = (tasks: number) => summarize(run(pattern, tasks)).refused <= refuse;
  let high = 2;
  while (high < maxTasks && !enough(high)) high *= 2;
  if (high >= maxTasks) return undefined;
  let low = high / 2;
  while (high - low > Math.max(1, high / 8)) {
    const middle = Math.round((low + high) / 2);
    if (enough(middle)) high = middle;
    else low = middle;
  }
  return `${high} (at most ${refuse} %)`;
}

function parseWhole(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1)
    throw new InvalidArgumentError('Give a whole number from 1 on.');
  return number;
}

/** Seconds of `90`, `90s`, `5m` or `2h`. */
function parseTime(value: string): number {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)([smh]?)$/.exec(value) ?? [];
  if (!number) throw new InvalidArgumentError('Give a time like 90s, 5m or 2h.');
  const seconds = { s: 1, '': 1, m: 60, h: 3600 }[unit as 's' | '' | 'm' | 'h'];
  return Math.round(Number(number) * seconds);
}

function parseLimits(value: string): LimitsChange {
  const [, at = '', min, max] = /^(\w+)=(\d+)-(\d+)$/.exec(value) ?? [];
  if (!min) throw new InvalidArgumentError('Give a time and two numbers of tasks like 30m=1-4.');
  return { at: parseTime(at), minTasks: Number(min), maxTasks: Number(max) };
}

if (isEntryPoint(import.meta.url)) {
  const program = createProgram().parse();
  await runCommand(async () => {
    simulate(program.opts<SimulateOptions>());
    return undefined;
  });
}
