// SPDX-License-Identifier: Apache-2.0
/**
 * Measures how late the emulator's timers fire under load: an emulator that stalls makes tests fail for no reason. The
 * emulator and its clients (the real SDK, in real time, signatures verified) run in separate processes.
 *
 * npm run bench:emulator -- [--sessions 100] [--seconds 20] [--clients 2]
 */
import { fork, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import { Command } from 'commander';
import type { EmulatorStats } from 'nova-sonic-emulator';

/** Limit of the timers' lag at the 95th percentile. */
const LIMIT_MS = 20;

/** The work of one client process. */
export interface Task {
  url: string;
  sessions: number;
  seconds: number;
}

/** The result of one client process. */
export interface Done {
  frames: number;
  turns: number;
  errors: string[];
}

const { sessions, seconds, clients } = new Command()
  .option('--sessions <n>', 'concurrent sessions', Number, 100)
  .option('--seconds <n>', 'measured time', Number, 20)
  .option('--clients <n>', 'client processes', Number, 2)
  .parse()
  .opts<{ sessions: number; seconds: number; clients: number }>();

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const { AWS_ACCESS_KEY_ID: _id, AWS_SECRET_ACCESS_KEY: _secret, ...env } = process.env;

const emulator = spawn(
  process.execPath,
  [
    '--import',
    'tsx',
    path('../packages/nova-sonic-emulator/src/cli.ts'),
    '--max-streams',
    String(sessions),
  ],
  { env, stdio: ['ignore', 'pipe', 'pipe'] },
);
process.on('exit', () => emulator.kill());
let controlUrl = '';
createInterface({ input: emulator.stderr }).on('line', (line) => {
  controlUrl = /^control (\S+)/.exec(line)?.[1] ?? controlUrl;
});
const url = await new Promise<string>((resolve, reject) => {
  createInterface({ input: emulator.stdout }).on('line', (line) => {
    const match = /^ready (\S+)/.exec(line)?.[1];
    if (match) resolve(match);
  });
  emulator.on('exit', (code) => reject(new Error(`the emulator ended with code ${code}`)));
});

const control = async (method: string): Promise<EmulatorStats> =>
  (await fetch(`${controlUrl}/stats`, { method })).json() as Promise<EmulatorStats>;

/** Only the steady state is measured; all sessions start at once, which takes a while. */
const WARM_UP_S = 8;
const share = (i: number) => Math.floor((sessions + i) / clients);
const running = Array.from({ length: clients }, (_, i) => {
  const child = fork(path('./emulator-client.ts'), { execArgv: ['--import', 'tsx'], env });
  const task: Task = { url, sessions: share(i), seconds: WARM_UP_S + seconds };
  child.send(task);
  return new Promise<Done>((resolve, reject) => {
    child.on('message', (done) => resolve(done as Done));
    child.on('exit', (code) => reject(new Error(`a client ended with code ${code}`)));
  });
});
console.log(`${sessions} sessions for ${seconds} s, after ${WARM_UP_S} s of warm-up`);
await new Promise((resolve) => setTimeout(resolve, WARM_UP_S * 1000));
const before = await control('DELETE');
await new Promise((resolve) => setTimeout(resolve, seconds * 1000 - 500));
const after = await control('GET');
const done = await Promise.all(running);
emulator.kill();

const sum = (pick: (one: Done) => number) => done.reduce((total, one) => total + pick(one), 0);
const cores = (after.cpuSeconds - before.cpuSeconds) / (after.uptimeSeconds - before.uptimeSeconds);
const { timerLag } = after;
const ms = (value: number) => `${value.toFixed(1)} ms`;
const table = new Table({ head: ['', 'figure'] });
table.push(
  ['live sessions at the end', after.liveSessions],
  ['frames of 32 ms sent', sum(({ frames }) => frames)],
  ['turns answered', sum(({ turns }) => turns)],
  ['errors', sum(({ errors }) => errors.length)],
  ['timers measured', timerLag.count],
  ['lag, median', ms(timerLag.p50)],
  [`lag, 95th percentile (limit ${LIMIT_MS} ms)`, ms(timerLag.p95)],
  ['lag, 99th percentile', ms(timerLag.p99)],
  ['lag, maximum', ms(timerLag.max)],
  ["emulator's CPU", `${cores.toFixed(2)} cores`],
  ["emulator's memory", `${Math.round(after.rssBytes / 2 ** 20)} MiB`],
);
console.log(table.toString());
const errors = done.flatMap((one) => one.errors);
for (const error of new Set(errors)) console.error(error);
const good = errors.length === 0 && timerLag.p95 <= LIMIT_MS && after.liveSessions === sessions;
console.log(
  good ? 'passed: the timers are on time' : 'failed: the timers are late, or sessions failed',
);
process.exit(good ? 0 : 1);
