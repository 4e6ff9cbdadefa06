// SPDX-License-Identifier: Apache-2.0
// What the process that carries calls spends its time with: `npm run bench:profile -- --calls 1 --turns 3`. Runs a worker
// with Node's CPU profiler, prints the share of each package from the first offer on, and makes a flame graph.
import '../local/command/silence-warnings.js';
import { mkdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { execa } from 'execa';
import { logStatus, runCommand } from '../local/command/run-command.js';
import { placeCall } from '../local/fleet/fleet-call.js';
import { Fleet } from '../local/fleet/worker-fleet.js';
import { cpuSeconds, processTree } from './peers/process-tree.js';
import { type CpuProfile, selfTimes } from './profile/self-times.js';

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '1' },
    turns: { type: 'string', default: '3' },
    out: { type: 'string', default: '.cache/profile' },
  },
});
/** Renders a profile as one HTML file; fetched when it is wanted. */
const RENDERER = 'cpupro@0.7.0';
const PATIENCE_MS = 120_000;
/** Packages that are printed. */
const ROWS = 25;

async function profile(): Promise<undefined> {
  const calls = Number(values.calls);
  const directory = resolve(values.out);
  mkdirSync(directory, { recursive: true });
  const fleet = await Fleet.start({
    callsPerTask: Math.max(10, calls),
    env: { CALL_HOSTS: '1', CALLS_PER_PROCESS: String(Math.max(10, calls)) },
    onStatus: logStatus,
  });
  try {
    const recorder = new URL('profile/record.js', import.meta.url);
    const env = { NODE_OPTIONS: `--import=${recorder}`, PROFILE_DIRECTORY: directory };
    const [worker] = await fleet.startWorkers(1, {}, env);
    if (!worker) throw new Error('No worker started.');
    const callers = await fleet.joinCallers(calls);
    logStatus(`${calls} calls are offered at once, each with ${values.turns} questions`);
    const from = Number(process.hrtime.bigint() / 1_000n);
    const offeredAt = Date.now();
    const plan = { turns: Number(values.turns), patienceMs: PATIENCE_MS };
    const before = cpuSeconds(processTree(process.pid));
    const joined = callers.map((caller) => caller.waitForAgent(PATIENCE_MS));
    const joining = Promise.all(joined).then(() => cpuByProgram(before));
    const results = await Promise.all(callers.map((caller) => placeCall(fleet, caller, plan)));
    const until = Number(process.hrtime.bigint() / 1_000n);
    const joinedAt = await Promise.all(joined);
    const cpu = [...(await joining)].map(([name, seconds]) => `${name} ${seconds.toFixed(2)}`);
    const pid = worker.pidOf(callers[0]?.jobId ?? '');
    worker.signal('SIGTERM');
    await worker.exited;

    const path = join(directory, `${pid}.cpuprofile`);
    const times = selfTimes(JSON.parse(readFileSync(path, 'utf8')) as CpuProfile, from, until);
    const seconds = (until - from) / 1e6;
    const table = new Table({
      head: ['package', 'ms', '% of a core'],
      colAligns: ['left', 'right', 'right'],
    });
    for (const { name, ms } of times.slice(0, ROWS))
      table.push([name, ms.toFixed(0), (ms / seconds / 10).toFixed(1)]);
    const after = (times: (number | undefined)[]) => {
      const sorted = times.map((at) => (at ?? Number.NaN) - offeredAt).sort((a, b) => a - b);
      return `${sorted[0]} to ${sorted.at(-1)} ms`;
    };
    const logged = (msg: string) => after(worker.lines(msg).map(({ time }) => time));
    const greetings = results.map((result) => result?.greeting?.latencyMs ?? Number.NaN);
    const answers = results.reduce((sum, result) => sum + (result?.answers.length ?? 0), 0);
    process.stdout.write(
      `\n${table}\n${seconds.toFixed(1)} s, ${answers} answers heard; accepted after ${logged('call accepted')}, started after ${logged('call started')}, agents in their rooms after ${after(joinedAt)}; the last greeting began after ${Math.max(...greetings)} ms. Seconds of CPU until the last agent had joined: ${cpu.join(', ')}.\n${path}\n`,
    );
    const html = path.replace(/\.cpuprofile$/, '.html');
    await execa('npx', [
      '--yes',
      RENDERER,
      '--no-open',
      '--output-dir',
      directory,
      '--filename',
      basename(html),
      path,
    ]).then(
      () => process.stdout.write(`${html}\n`),
      () =>
        process.stdout.write(
          `${RENDERER} could not be run: open the profile in Chrome's developer tools.\n`,
        ),
    );
  } finally {
    await fleet.stop();
  }
}

/** Programs of this machine that take part in a call, by a part of their command line. */
const PROGRAMS = [
  'call-host',
  'attendant-process',
  'main.js',
  'livekit-server',
  'caller-host',
  'cli.ts',
];

/** CPU seconds that each program has used since then, all its processes together, native threads included. */
function cpuByProgram(before: Map<number, number>): Map<string, number> {
  const used = new Map<string, number>();
  for (const [pid, seconds] of cpuSeconds(processTree(process.pid))) {
    const command = commandOf(pid);
    const name = PROGRAMS.find((program) => command.includes(program)) ?? 'others';
    used.set(name, (used.get(name) ?? 0) + seconds - (before.get(pid) ?? 0));
  }
  return used;
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

await runCommand((interrupted) => Promise.race([profile(), interrupted]));
