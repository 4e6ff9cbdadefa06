// SPDX-License-Identifier: Apache-2.0

import { availableParallelism } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import pc from 'picocolors';
import { run, say } from '../command/run-command.js';

// Before rtc-node is loaded, which would log each of its steps otherwise.
process.env.NODE_ENV ??= 'production';
const { Fleet } = await import('./fleet.js');
const { call } = await import('./calls.js');
const { callTable, metricTable, traceTable, workerTable } = await import('./report.js');
const { protectionTrace, RoughEcs, TRACE_ENV } = await import('./protection-chaos.js');

const wholeFrom =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least)
      throw new InvalidArgumentError(`a whole number from ${least}.`);
    return value;
  };
const whole = wholeFrom(1);

const seconds = (text: string): number => {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('a number above 0.');
  return value;
};

/** Both sides of a call that talks, LiveKit and the emulator took a fifth of a core (x86), and its start half a second. */
const CALLS_PER_CORE = 4;
const SETTLE_MS = 2_000;

const options = new Command('npm run fleet --')
  .description(
    'A fleet on this machine: a LiveKit server, workers, and calls with sound, all offered at once.',
  )
  .option('--calls <count>', 'calls', whole, 40)
  .option('--workers <count>', 'worker processes, each as one Fargate task', whole, 3)
  .option('--slots <count>', 'calls that one worker takes', whole, 10)
  .option(
    '--turns <count>',
    'questions in each call; with 0 the callers hear the greeting and stay silent, which takes little CPU',
    wholeFrom(0),
    2,
  )
  .option(
    '--every <seconds>',
    'calls come one after another, this far apart, and stay until the last has come',
    seconds,
  )
  .option('--regions <list>', 'Bedrock Regions in order, comma-separated', 'us-east-1,us-west-2')
  .option(
    '--protection <steps>',
    'instead: so many calls that start and end while ECS fails',
    whole,
  )
  .option('--seed <number>', 'of the choices of --protection', whole, 7)
  .option('--streams <count>', 'streams that the emulator allows in one Region', whole, 20)
  .parse()
  .opts<{
    calls: number;
    workers: number;
    slots: number;
    turns: number;
    every?: number;
    regions: string;
    streams: number;
    protection?: number;
    seed: number;
  }>();

await run(async (interrupted) => {
  const began = Date.now();
  const fleet = await Fleet.start({
    callsPerTask: options.slots,
    regions: options.regions.split(','),
    streamsPerRegion: options.streams,
    say,
  });
  try {
    const { protection } = options;
    const shown = protection ? trace(fleet, protection) : play(fleet, began);
    const finished = await Promise.race([shown.then(() => true), interrupted]);
    if (!finished) return;
  } finally {
    await fleet.stop();
  }
});

async function trace(fleet: Awaited<ReturnType<typeof Fleet.start>>, steps: number): Promise<void> {
  const { seed } = options;
  const ecs = new RoughEcs(seed);
  say('starting a worker');
  const [worker] = await fleet.startWorkers(1, ecs, TRACE_ENV);
  if (!worker) return;
  say(
    `${steps} calls start and end at random, and four in ten requests to ECS fail (seed ${seed})`,
  );
  const onStep = (step: number, live: number) => {
    if (step > 0 && step % 25 === 0) say(`  step ${step}, ${live} calls`);
  };
  const result = await protectionTrace(fleet, worker, ecs, { steps, seed, onStep });
  worker.signal('SIGTERM');
  const { code } = await worker.exited;
  process.stdout.write(`\n${traceTable(result)}\nExit code of the worker: ${code}.\n`);
  if (result.bare > 0) throw new Error(pc.red('A call was live without protection.'));
}

async function play(fleet: Awaited<ReturnType<typeof Fleet.start>>, began: number): Promise<void> {
  const { calls, workers, slots, turns, every } = options;
  const most = Math.min(calls, workers * slots);
  const cores = availableParallelism();
  const crowded = turns > 0 && most > cores * CALLS_PER_CORE;
  if (crowded)
    say(
      pc.yellow(
        `${most} talking calls at once want about ${Math.ceil(most / CALLS_PER_CORE)} cores, and this machine has ${cores}: sound will stutter and answers be late or missing.`,
      ),
    );
  say(`starting ${workers} workers with ${slots} slots each`);
  await fleet.startWorkers(workers);
  say(
    `every slot is warm after ${Math.round((Date.now() - began) / 1000)} s; ${calls} callers join`,
  );
  const callers = await fleet.join(calls);
  // Figures are of calls, and not of processes that still start.
  await pause(SETTLE_MS);
  const counts = { offered: 0, refused: 0, talking: 0, done: 0 };
  const states = new Map<object, keyof typeof counts>();
  const ticker = setInterval(() => {
    const now = { ...counts };
    for (const state of states.values()) now[state] += 1;
    say(`  ${now.talking} talking, ${now.offered} offered or waiting, ${now.done} done`);
  }, 5_000);
  say(every ? `offering a call every ${every} s` : 'offering all calls at once');
  const allCame = pause((every ?? 0) * 1000 * calls);
  const results = await Promise.all(
    callers.map(async (caller, i) => {
      await pause((every ?? 0) * 1000 * i);
      return call(fleet, caller, {
        turns,
        patienceMs: 300_000,
        stayUntil: allCame,
        onChange: (state) => states.set(caller, state),
      });
    }),
  ).finally(() => clearInterval(ticker));
  await Promise.all(fleet.workers.map((worker) => worker.until((h) => h.calls === 0, 30_000)));
  say('stopping the workers');
  for (const worker of fleet.workers) worker.signal('SIGTERM');
  const exits = await Promise.all(fleet.workers.map((worker) => worker.exited));

  const done = results.filter((result) => result !== undefined);
  const firstRound = done.filter((result) => result.offers === 1).length;
  const silent = done.reduce((sum, result) => sum + result.unanswered, 0);
  process.stdout.write(
    [
      '',
      workerTable(fleet.workers),
      callTable(done),
      metricTable(fleet.workers, done),
      `${firstRound} of ${calls} calls were taken at once, ${done.length - firstRound} after they had been refused, ${calls - done.length} never.`,
      `${silent} questions got no answer. Exit codes of the workers: ${exits.map(({ code }) => code).join(', ')}.`,
      '',
    ].join('\n'),
  );
  if (silent > 0 || done.length < calls)
    throw new Error(
      pc.red(
        `Not every call was answered${crowded ? `; ${cores} cores are too few for ${most} calls at once` : ''}.`,
      ),
    );
}
