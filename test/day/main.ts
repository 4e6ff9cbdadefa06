// SPDX-License-Identifier: Apache-2.0
// `npm run test:day`: a day of the service, and one of a telephone line, in virtual time.

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { initializeLogger } from '@livekit/agents';
import { Command, InvalidArgumentError, Option } from 'commander';
import { simulateDay } from './simulate-day.js';
import { simulateLine } from './simulate-line.js';

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value)))
    throw new InvalidArgumentError('Give a number above 0.');
  return value;
}

function hourOfDay(text: string): number {
  const value = Number(text);
  if (!(Number.isInteger(value) && value >= 0 && value < 24))
    throw new InvalidArgumentError('Give an hour, 0 to 23.');
  return value;
}

interface Flags {
  seed: number;
  hours: number;
  from: number;
  calls: number;
  trouble: number;
  only?: 'service' | 'line';
}

const command = new Command('test:day')
  .description(
    'Runs a day in virtual time and checks after each second what must always hold: the worker with ECS, LiveKit, ' +
      'the watcher, deployments and failures for all calls; and beside it the conversations of one line.',
  )
  .option(
    '--seed <number>',
    'everything follows from it; the seed of a failure replays it',
    positive,
  )
  .option('--hours <number>', 'hours with callers', positive, 24)
  .option('--from <hour>', 'hour of the day at which they begin', hourOfDay, 4)
  .option('--calls <number>', 'callers in 24 hours', positive, 10_000)
  .option('--trouble <factor>', 'how often something goes wrong, as a multiple', positive, 1)
  .addOption(new Option('--only <part>', 'one of the two').choices(['service', 'line']))
  .parse();
const flags = command.opts<Flags>();
const seed = flags.seed ?? 1 + Math.floor(Math.random() * 1e6);

if (flags.only) {
  initializeLogger({ pretty: false, level: 'silent' });
  const report = flags.only === 'service' ? await service() : await line();
  console.log(JSON.stringify(report, null, 2));
  process.exit(report.violations.length > 0 ? 1 : 0);
}

const started = performance.now();
console.log(`npm run test:day -- --seed ${seed} --hours ${flags.hours}`);
const codes = await Promise.all(['service', 'line'].map(part));
const seconds = Math.round((performance.now() - started) / 1_000);
const failed = codes.some((code) => code !== 0);
console.log(`${failed ? 'FAILED' : 'passed'} in ${seconds} s; --seed ${seed} replays it`);
process.exit(failed ? 1 : 0);

function part(only: string): Promise<number> {
  const args = [...process.argv.slice(2), '--seed', String(seed), '--only', only];
  const child = fork(fileURLToPath(import.meta.url), args);
  return new Promise((resolve) => {
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

function service() {
  const { hours, from, calls, trouble } = flags;
  return simulateDay({
    seed,
    hours,
    from,
    calls,
    trouble,
    onHour: (hour, { counts, running, callers }) => {
      const { arrived, resumed } = counts;
      console.log(
        `service ${hour % 24}:59  ${arrived} callers, ${callers.size} in calls, ${running.length} tasks, ${resumed} resumed`,
      );
    },
  });
}

function line() {
  let hour = 0;
  return simulateLine({
    seed,
    hours: flags.hours,
    onCall: ({ hours, calls, questions, streams }) => {
      if (Math.floor(hours) === hour) return;
      hour = Math.floor(hours);
      console.log(`line    ${hour} h  ${calls} calls, ${questions} questions, ${streams} streams`);
    },
  });
}
