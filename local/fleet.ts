// SPDX-License-Identifier: Apache-2.0

import './command/silence-warnings.js';
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import pc from 'picocolors';
import { type Noise, parseNoise } from './audio/noise.js';
import { parseKeys } from './caller/phone.js';
import { checked } from './command/checked.js';
import { parseRange } from './command/parse-range.js';
import { isEntryPoint, logStatus, runCommand } from './command/run-command.js';
import {
  brokenPromises,
  DEPLOY_KINDS,
  type DeployKind,
  FOUND_NOBODY,
  runDeploy,
} from './fleet/deploy-run.js';
import { ECS_FAULTS, type EcsFault } from './fleet/ecs-faults.js';
import { type CallResult, placeCall } from './fleet/fleet-call.js';
import { CHAOS_ENV, FlakyEcsAgent, runProtectionChaos } from './fleet/protection-chaos.js';
import { callTable, chaosTable, deployTable, metricTable, workerTable } from './fleet/report.js';
import { Fleet } from './fleet/worker-fleet.js';

/** A call with both its sides, LiveKit and the emulator takes a fifth of a core (x86); starting it, half a second. */
const CALLS_PER_CORE = 4;
/** Lets the processes finish starting, so that the figures are those of the calls alone. */
const SETTLE_MS = 2_000;
const STATUS_INTERVAL_MS = 5_000;
const PATIENCE_MS = 300_000;
/** Whoever waits for longer for an agent was not accepted at once. */
const SOON_MS = 5_000;

interface FleetCommandOptions {
  calls: number;
  workers: number;
  slots: number;
  turns: number;
  every?: number;
  wait?: true;
  phone?: boolean;
  noise?: Noise;
  digits?: string;
  regions: string;
  streams: number;
  protection?: number;
  seed: number;
  deploy?: DeployKind;
  callLength: [number, number];
  renewalRefused?: true;
  ecs: EcsFault;
}

/** The options of `npm run fleet`; nothing runs before they are parsed. */
export function createProgram(): Command {
  return new Command('npm run fleet --')
    .description(
      'Runs a fleet on this machine: a LiveKit server, workers, and callers with audio, all calls offered at once.',
    )
    .option('--calls <count>', 'calls', parseCount, 40)
    .option('--workers <count>', 'worker processes, each like one Fargate task', parseCount, 3)
    .option('--slots <count>', 'calls that one worker takes', parseCount, 10)
    .option(
      '--turns <count>',
      'questions in each call; with 0 the callers only listen to the greeting, which needs little CPU',
      parseWholeFrom(0),
      2,
    )
    .option(
      '--every <seconds>',
      'start one call after another, this far apart; each stays until the last has started',
      parseSeconds,
    )
    .option(
      '--wait',
      'callers without an agent stay in the waiting line; else they withdraw their call after 5 s and offer it again',
    )
    .option(
      '--phone',
      "callers call as telephones do through LiveKit's SIP service: SIP participants, 8 kHz, G.711",
    )
    .option(
      '--noise <noise>',
      'noise around each caller: a level like -40 (dBFS, white noise), or a WAV file, repeated',
      checked(parseNoise),
    )
    .option(
      '--digits <keys>',
      'each caller presses these keys after the greeting, like 123#; w is a pause of 0.5 s',
      checked(parseKeys),
    )
    .option('--regions <list>', 'Bedrock Regions in order, comma-separated', 'us-east-1,us-west-2')
    .option(
      '--protection <steps>',
      'run the task-protection test instead: start or end a call at each step while ECS requests fail',
      parseCount,
    )
    .option('--seed <number>', 'seed of the random choices of --protection', parseCount, 7)
    .addOption(
      new Option(
        '--deploy <kind>',
        'deploy under calls that never stop instead: once, six times in a row, or a broken revision that ECS rolls back; or an evening, in which ECS wants one task only',
      ).choices(DEPLOY_KINDS),
    )
    .addOption(
      new Option('--call-length <range>', 'length of the calls of --deploy, in seconds')
        .argParser(parseRange)
        .default([20, 60], '20-60'),
    )
    .option(
      '--renewal-refused',
      'with --deploy: ECS also refuses to renew the protection of a task (DEPLOYMENT_BLOCKED)',
    )
    .addOption(
      new Option(
        '--ecs <fault>',
        'what ECS does with each request: nothing wrong, answer after 4 s, never, or with status 500',
      )
        .choices(Object.keys(ECS_FAULTS))
        .default('none'),
    )
    .option(
      '--streams <count>',
      'concurrent streams that the emulator allows in each Region',
      parseCount,
      20,
    );
}

async function runFleet(
  options: FleetCommandOptions,
  interrupted: Promise<undefined>,
): Promise<undefined> {
  const startedAt = Date.now();
  const nobody: string[] = [];
  const fleet = await Fleet.start({
    callsPerTask: options.slots,
    regions: options.regions.split(','),
    streamsPerRegion: options.streams,
    callers: {
      ...(options.phone && { phone: true }),
      ...(options.noise && { noise: options.noise }),
    },
    onStatus: logStatus,
    onLiveKitLine: (line) => FOUND_NOBODY.test(line) && nobody.push(line),
  });
  try {
    const { protection, seed, deploy } = options;
    let run: Promise<void>;
    if (protection) run = runChaos(fleet, protection, seed);
    else if (deploy) run = runDeployment(fleet, deploy, options, nobody);
    else run = runCalls(fleet, options, startedAt);
    await Promise.race([run, interrupted]);
  } finally {
    await fleet.stop();
  }
}

async function runChaos(fleet: Fleet, steps: number, seed: number): Promise<void> {
  const ecs = new FlakyEcsAgent(seed);
  logStatus('starting a worker');
  const [worker] = await fleet.startWorkers(1, ecs, CHAOS_ENV);
  if (!worker) return;
  logStatus(
    `starting and ending ${steps} calls at random; four in ten requests to ECS fail (seed ${seed})`,
  );
  const onStep = (step: number, live: number) => {
    if (step > 0 && step % 25 === 0) logStatus(`  step ${step}, ${live} calls`);
  };
  const report = await runProtectionChaos(fleet, worker, ecs, { steps, seed, onStep });
  worker.signal('SIGTERM');
  const { code } = await worker.exited;
  process.stdout.write(`\n${chaosTable(report)}\nExit code of the worker: ${code}.\n`);
  if (report.rejected > 0) throw new Error('A call was refused because of ECS.');
  if (report.uncountedCalls > 0) throw new Error('An unprotected call was not counted.');
}

async function runDeployment(
  fleet: Fleet,
  kind: DeployKind,
  { workers, calls, callLength, renewalRefused, ecs }: FleetCommandOptions,
  nobody: readonly string[],
): Promise<void> {
  const [least, most] = callLength;
  const run = {
    kind,
    tasks: workers,
    calls,
    callMs: [least * 1000, most * 1000] as const,
    renewalRefused: renewalRefused ?? false,
    fault: ecs,
    onStatus: logStatus,
  };
  const report = await runDeploy(fleet, run, nobody);
  process.stdout.write(`\n${deployTable(report)}\n`);
  const problems = brokenPromises(report, run);
  if (problems.length > 0) throw new Error(`${problems.join('; ')}.`);
}

async function runCalls(
  fleet: Fleet,
  options: FleetCommandOptions,
  startedAt: number,
): Promise<void> {
  const { calls, workers, slots, turns, ecs } = options;
  const concurrent = Math.min(calls, workers * slots);
  const cores = availableParallelism();
  const overloaded = turns > 0 && concurrent > cores * CALLS_PER_CORE;
  if (overloaded)
    logStatus(
      pc.yellow(
        `${concurrent} talking calls at once need about ${Math.ceil(concurrent / CALLS_PER_CORE)} cores, and this machine has ${cores}: expect choppy audio and late or missing answers.`,
      ),
    );
  logStatus(`starting ${workers} workers with ${slots} slots each`);
  fleet.ecs.apiFaults = ECS_FAULTS[ecs];
  await fleet.startWorkers(workers, ECS_FAULTS[ecs]);
  const seconds = Math.round((Date.now() - startedAt) / 1000);
  logStatus(`all slots have an idle process after ${seconds} s; ${calls} callers join`);
  const results = await offerCalls(fleet, options);
  await Promise.all(
    fleet.workers.map((worker) => worker.waitUntil((health) => health.calls === 0, 30_000)),
  );
  logStatus('stopping the workers');
  for (const worker of fleet.workers) worker.signal('SIGTERM');
  const exits = await Promise.all(fleet.workers.map((worker) => worker.exited));

  const done = results.filter((result) => result !== undefined);
  const firstOffer = done.filter(
    ({ offers, joinedMs }) => offers === 1 && joinedMs < SOON_MS,
  ).length;
  const unanswered = done.reduce((sum, result) => sum + result.unanswered, 0);
  process.stdout.write(
    [
      '',
      workerTable(fleet.workers),
      callTable(done),
      metricTable(fleet.workers, done),
      `${firstOffer} of ${calls} calls were accepted at once, ${done.length - firstOffer} after a rejection or a wait, ${calls - done.length} never.`,
      `${unanswered} questions got no answer. Exit codes of the workers: ${exits.map(({ code }) => code).join(', ')}.`,
      '',
    ].join('\n'),
  );
  if (unanswered > 0 || done.length < calls)
    throw new Error(
      `Not every call was answered${overloaded ? `; ${cores} cores are too few for ${concurrent} calls at once` : ''}.`,
    );
}

async function offerCalls(
  fleet: Fleet,
  { calls, turns, every, digits, wait }: FleetCommandOptions,
): Promise<(CallResult | undefined)[]> {
  const callers = await fleet.joinCallers(calls);
  await delay(SETTLE_MS);
  const states = new Map<object, string>();
  const count = (...wanted: string[]) =>
    [...states.values()].filter((state) => wanted.includes(state)).length;
  const ticker = setInterval(() => {
    const waiting = count('offered', 'rejected');
    logStatus(`  ${count('talking')} talking, ${waiting} waiting, ${count('done')} done`);
  }, STATUS_INTERVAL_MS);
  logStatus(every ? `offering a call every ${every} s` : 'offering all calls at once');
  const interval = (every ?? 0) * 1000;
  const allStarted = delay(interval * calls);
  return Promise.all(
    callers.map(async (caller, i) => {
      await delay(interval * i);
      return placeCall(fleet, caller, {
        turns,
        ...(digits && { digits }),
        ...(wait && { waits: true }),
        patienceMs: PATIENCE_MS,
        stayUntil: allStarted,
        onChange: (state) => states.set(caller, state),
      });
    }),
  ).finally(() => clearInterval(ticker));
}

function parseWholeFrom(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min)
      throw new InvalidArgumentError(`give a whole number from ${min}.`);
    return value;
  };
}

function parseCount(text: string): number {
  return parseWholeFrom(1)(text);
}

function parseSeconds(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('give a number above 0.');
  return value;
}

if (isEntryPoint(import.meta.url)) {
  const options = createProgram().parse().opts<FleetCommandOptions>();
  await runCommand((interrupted) => runFleet(options, interrupted));
}
