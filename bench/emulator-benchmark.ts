// SPDX-License-Identifier: Apache-2.0
/**
 * Measures how late the emulator's timers fire under load: an emulator that stalls makes tests fail for no reason. The
 * emulator and its clients (the real SDK, in real time, signatures verified) run in separate processes.
 *
 * npm run bench:emulator -- [--sessions 60] [--seconds 20] [--clients 2]
 */
import { fork, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import { Command } from 'commander';
import type { EmulatorStats } from 'nova-sonic-emulator';

/** Limit of the timers' lag at the 95th percentile, for 60 sessions on two cores. */
const LIMIT_MS = 5;
/** To a client process: its work, then the end of it. */
export type ToClient = { url: string; sessions: number } | 'stop';

/** From a client process: one of its sessions has had its first answer; all are over. */
export type FromClient = 'answered' | Done;

/** The result of one client process. */
export interface Done {
  frames: number;
  turns: number;
  errors: string[];
}

const { sessions, seconds, clients } = new Command()
  .option('--sessions <n>', 'concurrent sessions', Number, 60)
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

const share = (i: number) => Math.floor((sessions + i) / clients);
let answered = 0;
let steady = () => {};
const allAnswered = new Promise<void>((resolve) => {
  steady = resolve;
});
const running = Array.from({ length: clients }, (_, i) => {
  const child = fork(path('./emulator-client.ts'), { execArgv: ['--import', 'tsx'], env });
  const send = (message: ToClient) => child.send(message);
  giveWay(child.pid as number);
  send({ url, sessions: share(i) });
  const done = new Promise<Done>((resolve, reject) => {
    child.on('message', (message: FromClient) => {
      if (message !== 'answered') resolve(message);
      else if (++answered === sessions) steady();
    });
    child.on('exit', (code) => reject(new Error(`a client ended with code ${code}`)));
  });
  return { send, done };
});
const over = Promise.all(running.map(({ done }) => done));
// Only the steady state is measured: every session is open, its code is warm, the usual replies are synthesized.
await Promise.race([allAnswered, over]);
console.log(`${sessions} sessions have been answered; measured for ${seconds} s from now`);
const before = await control('DELETE');
const waitedBefore = waitedForCore();
await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const after = await control('GET');
const waited = waitedForCore() - waitedBefore;
for (const { send } of running) send('stop');
const done = await over;
emulator.kill();

/** What is measured is how long the emulator holds itself up, not how the cores are shared out between it and its clients. */
function giveWay(pid: number): void {
  setPriority(pid, constants.priority.PRIORITY_LOW);
  // Linux lets a process of the lowest priority finish its slice of 3 ms, but not an idle one.
  spawnSync('chrt', ['--idle', '--all-tasks', '--pid', '0', String(pid)]);
}

/** Seconds that the emulator's main thread was ready to run and had no core; 0 where the system does not tell. */
function waitedForCore(): number {
  const { pid } = emulator;
  try {
    const [, nanoseconds] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ');
    return Number(nanoseconds) / 1e9;
  } catch {
    return 0;
  }
}

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
  ['its main thread waited for a core', `${((100 * waited) / seconds).toFixed(1)} % of the time`],
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
