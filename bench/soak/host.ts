// SPDX-License-Identifier: Apache-2.0
// Many calls on one host for a long time, with renewals and random faults: no call is lost, no question stays without an
// answer, no log line has another call's id, no figure is on the wrong call, and the heap stays flat.
// `npm run soak -- --host --calls 20 --minutes 30`
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import type { Fault } from 'nova-sonic-emulator';
import seedrandom from 'seedrandom';
import { logStatus, runCommand } from '../../local/command/run-command.js';
import { metricSums, quantile } from '../../local/fleet/analysis.js';
import type { RemoteCaller } from '../../local/fleet/remote-caller.js';
import { Fleet } from '../../local/fleet/worker-fleet.js';
import type { WorkerProcess } from '../../local/fleet/worker-process.js';
import { FAULTS } from './faults.js';
import { findMixUps, type SeenCall } from './mix-ups.js';

interface SoakOptions {
  calls: number;
  minutes: number;
  pause: number;
  faults: number;
  seed: string;
}

const program = new Command('npm run soak -- --host')
  .description('Calls that share one process, for a long time.')
  .option('--calls <n>', 'calls at any time', Number, 20)
  .option('--minutes <n>', 'how long', Number, 30)
  .option('--pause <seconds>', 'most seconds between two questions of a caller', Number, 30)
  .option('--faults <n>', 'faults a minute', Number, 6)
  .option('--seed <seed>', 'of all random choices', '1');

/** More slots than calls: a call that ends keeps its slot for a moment. */
const SPARE_SLOTS = 5;
const PATIENCE_MS = 60_000;
/** After this a call is offered again: on a busy machine LiveKit's 3 s for a job request may pass unused. */
const OFFER_MS = 10_000;
/** Questions of one call. */
const QUESTIONS = [2, 8] as const;
/** Nothing more is published about a call that was quiet for so long. */
const QUIET_MS = 2_500;
const HEAP_EVERY_MS = 10_000;
/** The heap that the host may have more at the end, in percent of what it had at the beginning. */
const GROWTH_PERCENT = 10;
/** Before this the calls themselves still grow: their conversations get longer. */
const STEADY_MINUTES = 10;
/** What must not be in the log. */
const ALARMING = [
  'the process of a call died',
  'call host gets no more calls',
  'uncaught exception in a call, ending it',
  'uncaught exception outside of calls: this process takes no more calls',
  'unhandled rejection',
];
/** A process with this collects garbage at SIGUSR2, and logs what is left. */
const HEAP_LOGGER = `
  import v8 from 'node:v8';
  import vm from 'node:vm';
  v8.setFlagsFromString('--expose-gc');
  const gc = vm.runInNewContext('gc');
  process.on('SIGUSR2', () => {
    gc();
    const { heapUsed, rss } = process.memoryUsage();
    const line = { msg: 'heap', pid: process.pid, time: Date.now(), heap: heapUsed / 2 ** 20, rss: rss / 2 ** 20 };
    process.stdout.write(JSON.stringify(line) + '\\n');
  });`;

async function soak(options: SoakOptions): Promise<number> {
  const { calls, minutes } = options;
  const fleet = await Fleet.start({
    callsPerTask: calls + SPARE_SLOTS,
    regions: ['us-east-1', 'us-west-2'],
    streamsPerRegion: 1_000,
    onStatus: logStatus,
    env: {
      CALL_HOSTS: '1',
      CALLS_PER_PROCESS: String(calls + SPARE_SLOTS),
      NOVA_SONIC_RENEW_AFTER_S: '60',
      WATCHER_REQUESTS_PER_S: '0',
      LOG_LEVEL: 'debug',
    },
  });
  try {
    const hook = `--import=data:text/javascript,${encodeURIComponent(HEAP_LOGGER)}`;
    const [worker] = await fleet.startWorkers(1, {}, { NODE_OPTIONS: hook });
    if (!worker) throw new Error('No worker started.');
    const run = new Soak(fleet, worker, options);
    logStatus(`${calls} calls at a time for ${minutes} minutes, seed ${options.seed}`);
    return await run.run();
  } finally {
    await fleet.stop();
  }
}

class Soak {
  readonly #fleet: Fleet;
  readonly #worker: WorkerProcess;
  readonly #options: SoakOptions;
  readonly #random: () => number;
  readonly #until: number;
  readonly #calls: SeenCall[] = [];
  readonly #problems: string[] = [];
  readonly #latencies: number[] = [];
  #faults = 0;

  constructor(fleet: Fleet, worker: WorkerProcess, options: SoakOptions) {
    this.#fleet = fleet;
    this.#worker = worker;
    this.#options = options;
    this.#random = seedrandom(options.seed);
    this.#until = Date.now() + options.minutes * 60_000;
  }

  async run(): Promise<number> {
    const { calls } = this.#options;
    const others = [this.#breakStreams(), this.#watchHeap()];
    await Promise.all(Array.from({ length: calls }, (_, i) => this.#line(i)));
    await Promise.all(others);
    await this.#worker.waitUntil((health) => health.calls === 0, PATIENCE_MS);
    const streams = await this.#fleet.requestEmulator<unknown[]>('GET', '/sessions');
    if (streams.length > 0) this.#problems.push(`${streams.length} streams were left open`);
    this.#worker.signal('SIGTERM');
    const { code } = await this.#worker.exited;
    if (code !== 0) this.#problems.push(`the worker ended with ${code}`);
    return this.#report();
  }

  get #over(): boolean {
    return Date.now() >= this.#until;
  }

  /** One caller after the other, until the end. */
  async #line(i: number): Promise<void> {
    // Not all at the same moment.
    await delay(i * 500);
    while (!this.#over) {
      const [caller] = (await this.#fleet.joinCallers(1)) as [RemoteCaller];
      await this.#call(caller).catch((error) => this.#problems.push(`${caller.name}: ${error}`));
      await this.#fleet.hangUp([caller]);
    }
  }

  async #call(caller: RemoteCaller): Promise<void> {
    await this.#connect(caller);
    const greeted = await caller.waitForEvent(
      'message',
      ({ role }) => role === 'assistant',
      PATIENCE_MS,
    );
    if (!greeted) throw new Error('no greeting');
    const [least, most] = QUESTIONS;
    const questions = least + Math.floor(this.#random() * (most - least + 1));
    for (let i = 0; i < questions && !this.#over; i++) {
      await delay(this.#random() * this.#options.pause * 1000);
      const answer = await caller.ask(this.#fleet.question, PATIENCE_MS);
      if (!answer) throw new Error(`no answer to question ${i + 1} of ${caller.jobId}`);
      this.#latencies.push(answer.latencyMs);
    }
    for (let seen = -1; seen !== caller.callEvents.length; await delay(QUIET_MS))
      seen = caller.callEvents.length;
    if (!caller.agentPresent) throw new Error(`${caller.jobId} was cut`);
    this.#calls.push({ callId: caller.jobId, events: caller.callEvents });
  }

  async #connect(caller: RemoteCaller): Promise<void> {
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
      const offer = await this.#fleet.offer(caller);
      if ((await caller.waitForAgent(OFFER_MS)) !== undefined) return;
      if ((await offer.taken()) && (await caller.waitForAgent(PATIENCE_MS)) !== undefined) return;
      await offer.withdraw();
    }
    throw new Error('no agent');
  }

  /** Sets a fault now and then, for the next stream that it fits, or breaks one that is open. */
  async #breakStreams(): Promise<void> {
    while (!this.#over) {
      await delay(60_000 / this.#options.faults);
      const fault = this.#pick<Fault>(FAULTS);
      const open = await this.#fleet.requestEmulator<{ id: string }[]>('GET', '/sessions');
      const session = this.#pick(open)?.id;
      const now: Fault = { kind: 'kill', ...(session !== undefined && { session }) };
      await this.#fleet.requestEmulator('POST', '/faults', this.#random() < 0.3 ? now : fault);
      this.#faults += 1;
    }
    await this.#fleet.requestEmulator('DELETE', '/faults');
  }

  async #watchHeap(): Promise<void> {
    while (!this.#over) {
      await delay(HEAP_EVERY_MS);
      const pid = this.#worker.lines('call started').at(-1)?.host_pid;
      if (typeof pid !== 'number') continue;
      try {
        process.kill(pid, 'SIGUSR2');
      } catch {
        // It has died: the log is in the report, which a crash of this program would lose.
        this.#problems.push(
          `the host ${pid} was gone after ${Math.round(performance.now() / 1000)} s`,
        );
      }
    }
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)] as T;
  }

  #report(): number {
    const worker = this.#worker;
    const problems = this.#problems;
    problems.push(...findMixUps(this.#calls, worker.log));
    for (const msg of ALARMING)
      for (const line of worker.lines(msg)) problems.push(JSON.stringify(line));
    problems.push(...worker.nonJsonLines.map((line) => `no JSON: ${line}`));
    const hosts = new Set(worker.lines('call started').map((line) => line.host_pid));
    if (hosts.size !== 1) problems.push(`${hosts.size} hosts had calls`);
    const ended = worker.lines('call ended');
    const sums = metricSums([worker]);
    const turns = ended.reduce((sum, line) => sum + Number(line.turns), 0);
    if (sums.Turns !== turns) problems.push(`the metric Turns is ${sums.Turns}, not ${turns}`);
    if (sums.CallsAccepted !== ended.length)
      problems.push(`${sums.CallsAccepted} calls were accepted, and ${ended.length} ended`);

    // The first samples are of a host that still fills its caches.
    const heap = worker.lines('heap').map((line) => Number(line.heap));
    const third = Math.floor(heap.length / 3);
    const before = quantile(heap.slice(third, 2 * third), 0.5);
    const after = quantile(heap.slice(2 * third), 0.5);
    const growth = ((after - before) / before) * 100;
    if (!(growth < GROWTH_PERCENT) && this.#options.minutes >= STEADY_MINUTES)
      problems.push(`the heap grew by ${growth.toFixed(1)} percent`);
    const ofCalls = worker.log.filter(({ call_id }) => call_id !== undefined).length;
    const p = (share: number) => quantile(this.#latencies, share);
    const lines = [
      `calls               ${this.#calls.length} whole, ${ended.length} in all, ${this.#latencies.length} answers`,
      `answer p50, p95     ${p(0.5)} ms, ${p(0.95)} ms after the end of the question`,
      `faults set          ${this.#faults}`,
      `renewals, failovers ${sums.StreamRenewals ?? 0}, ${sums.Failovers ?? 0}`,
      `log lines           ${worker.log.length}, ${ofCalls} of a call, ${worker.lines('event loop blocked').length} of a blocked event loop`,
      `heap, MiB           ${before.toFixed(1)} in the second third, ${after.toFixed(1)} in the last (${growth.toFixed(1)} %), ${heap.length} samples`,
      `problems            ${problems.length}`,
      ...problems.slice(0, 40).map((problem) => `  ${problem}`),
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
    return problems.length > 0 ? 1 : 0;
  }
}

await runCommand((interrupted) =>
  Promise.race([soak(program.parse().opts<SoakOptions>()), interrupted]),
);
