// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events';
import type { AgentServer, JobRequest, ServerOptions } from '@livekit/agents';
import { readWorkerConfig } from '../../agent/src/config.js';
import type { CallSupervisor } from '../../agent/src/supervision/call-supervisor.js';
import { AgentWorker } from '../../agent/src/worker/agent-worker.js';
import type { HealthState } from '../../agent/src/worker/health-server.js';
import type { JobProcesses } from '../../agent/src/worker/job-processes.js';
import { systemPeers, type WorkerPeers } from '../../agent/src/worker/worker-peers.js';
import type { EcsTask } from '../../local/fleet/ecs-model.js';
import { AGENT, type OfferedJob } from '../agent/watcher/simulated-livekit.js';
import { SimulatedHost } from './simulated-host.js';
import type { TaskWorld } from './task-world.js';

export const TASK_SLOTS = 20;
const HOSTS = 2;
const CALLS_PER_HOST = 10;
const REGISTER_MS = 1_500;
const RESPONSIVE_MS = 2_500;
/** The worker gives the slot of such a job back after 20 s, which it looks for once a second. */
const UNASSIGNED_MS = 22_500;
/** No machine has them (Linux: 4 194 304 at most). */
const FIRST_PID = 5_000_000;

/** A task of ECS: the worker as it is, with everything around it in virtual time. */
export class SimulatedTask {
  alive = true;
  /** It ended without saying goodbye. */
  crashed = false;
  registered = false;
  /** ECS did not confirm the last request for protection. */
  protectionRefused = false;
  load = 1;
  /** Requests to the ECS API, in ms of the clock. */
  readonly reads: number[] = [];
  hosts: SimulatedHost[] = [];
  /** Jobs that were accepted and whose slot has not been given back: what the slots should say. */
  readonly promised = new Map<string, OfferedJob>();
  /** Jobs that were accepted, and that LiveKit never assigned: their slots come back after a while. */
  readonly unassigned = new Set<string>();
  /** Values of metrics that hosts reported, and that the worker published. */
  readonly reported = new Map<string, number>();
  readonly published = new Map<string, number>();
  readonly gauges: Record<string, number> = {};
  health!: HealthState;
  supervisor!: CallSupervisor;
  #wasReady = false;
  readonly #world: TaskWorld;
  readonly #onExit: (code: number) => void;
  readonly #signals = new EventEmitter();
  readonly #serverEvents = new EventEmitter();
  readonly #waiting: { job: OfferedJob; resumed: boolean }[] = [];
  #requestFunc: ServerOptions['requestFunc'] = async () => {};
  #pids = 0;
  /** Its requests to LiveKit are not answered any more. */
  #cutApi = () => {};
  /** Its connection is closed. */
  #cutPresence = () => {};

  constructor(
    readonly ecsTask: EcsTask,
    world: TaskWorld,
    /** LiveKit never accepts it. */
    readonly broken: boolean,
    /** Its process has ended by itself. */
    onExit: (code: number) => void,
  ) {
    this.#world = world;
    this.#onExit = onExit;
    const config = readWorkerConfig({
      LIVEKIT_URL: 'ws://livekit',
      LIVEKIT_API_KEY: 'key',
      LIVEKIT_API_SECRET: 'secret',
      LIVEKIT_AGENT_NAME: AGENT,
      BEDROCK_REGIONS: 'us-east-1,us-west-2',
      CALLS_PER_TASK: String(TASK_SLOTS),
      CALLS_PER_PROCESS: String(CALLS_PER_HOST),
      CPU_LOAD_THRESHOLD_PERCENT: '0',
      METRICS_INTERVAL_S: '30',
      // A process of its own, which is not simulated.
      WAITING_LINE_CALLERS: '0',
      ECS_AGENT_URI: 'http://ecs-agent',
      ECS_CONTAINER_METADATA_URI_V4: 'http://ecs-metadata',
    });
    Object.assign(config.metrics, { write: (line: string) => this.#publish(line) });
    const worker = new AgentWorker(config, '/agent.js', this.#peers());
    worker.run().then(
      (code) => this.#exited(code),
      (error) => this.#world.violation(`a worker failed: ${error}`),
    );
  }

  get calls(): number {
    return this.promised.size;
  }

  /** Whether LiveKit would offer it a job. */
  get open(): boolean {
    return this.alive && this.registered && this.load < 1;
  }

  /** LiveKit offers a job. */
  async offer(job: OfferedJob): Promise<boolean> {
    let accepted = false;
    this.promised.set(job.id, job);
    await this.#requestFunc({
      id: job.id,
      accept: async () => {
        accepted = true;
      },
      reject: async () => {},
    } as unknown as JobRequest);
    if (!accepted) this.promised.delete(job.id);
    return accepted && this.alive;
  }

  /** A job that was accepted is not assigned. */
  forgetOffer(job: OfferedJob): void {
    this.promised.delete(job.id);
    this.unassigned.add(job.id);
    this.after(UNASSIGNED_MS, () => this.unassigned.delete(job.id));
  }

  /** LiveKit assigns a job that was accepted. */
  assign(job: OfferedJob): void {
    if (!this.alive) return;
    this.#launch(job);
  }

  /** SIGTERM. */
  terminate(): void {
    if (this.alive) this.#signals.emit('SIGTERM');
  }

  /** SIGKILL, or a crash: nothing of it runs any more. */
  kill(): void {
    if (!this.alive) return;
    this.alive = false;
    this.registered = false;
    for (const host of this.hosts) host.die();
    this.promised.clear();
    this.#cutApi();
    this.#cutPresence();
  }

  /** The connection to LiveKit breaks; calls go on, and the worker comes back. */
  loseConnection(ms: number): void {
    if (!this.registered) return;
    this.registered = false;
    this.#serverEvents.removeAllListeners('worker_msg');
    this.after(ms, () => this.#register());
  }

  async checkHealth(): Promise<boolean> {
    if (!this.alive || !this.health) return false;
    const problem = this.#wasReady ? this.health.livenessProblem() : this.health.readinessProblem();
    if (!problem) this.#wasReady = true;
    return !problem;
  }

  #register(): void {
    if (!this.alive || this.broken) return;
    this.registered = true;
    this.#serverEvents.on('worker_msg', ({ message }) => {
      this.load = message.value.status === 1 ? 1 : message.value.load;
    });
    this.#serverEvents.emit('worker_registered');
  }

  #exited(code: number): void {
    if (!this.alive) return;
    const calls = [...this.promised.values()];
    if (calls.length > 0)
      this.#world.violation(`a worker exited with ${code} and cut ${calls.length} calls`);
    this.#onExit(code);
  }

  #publish(line: string): void {
    const { _aws, ...values } = JSON.parse(line) as Record<string, unknown>;
    // Of one lane.
    if ('lane' in values && 'ActiveStreams' in values) return;
    for (const [name, value] of Object.entries(values)) {
      if (typeof value === 'string') continue;
      const sum = [value].flat().reduce<number>((total, one) => total + Number(one), 0);
      this.published.set(name, (this.published.get(name) ?? 0) + sum);
      this.gauges[name] = sum;
    }
  }

  /** A timer of the process: none rings after its end. */
  after(ms: number, fn: () => void): () => void {
    return this.#world.clock.after(ms, () => {
      if (this.alive) fn();
    });
  }

  #peers(): WorkerPeers {
    const world = this.#world;
    const { clock } = world;
    return {
      ...systemPeers,
      clock: { now: () => clock.now(), after: (ms, fn) => this.after(ms, fn) },
      wallClock: world.livekit.wallClock,
      random: world.random,
      process: { env: {}, on: (signal, listener) => this.#signals.on(signal, listener) },
      every: (ms, fn) => {
        let cancel = () => {};
        const plan = () => {
          cancel = this.after(ms, () => {
            plan();
            fn();
          });
        };
        plan();
        return () => cancel();
      },
      createServer: (options) => {
        this.#requestFunc = options.requestFunc;
        this.after(REGISTER_MS, () => this.#register());
        return {
          id: `AW_${this.ecsTask.id}`,
          event: this.#serverEvents,
          run: () => new Promise(() => {}),
          close: async () => {
            this.registered = false;
          },
        } as unknown as AgentServer;
      },
      createCpu: () =>
        ({ utilization: 0, smoothed: 0, stop: () => {} }) as ReturnType<WorkerPeers['createCpu']>,
      openSupervisor: async (supervisor) => {
        this.supervisor = supervisor;
        for (let i = 0; i < HOSTS; i += 1) this.#startHost();
        return { path: '', close: () => {} };
      },
      ecsAgent: () => {
        const agent = world.ecs.agentOf(this.ecsTask);
        return {
          setProtection: async (enabled, minutes) => {
            const result = await agent.setProtection(enabled, minutes);
            if (enabled) this.protectionRefused = !result.ok;
            return result;
          },
        };
      },
      serviceApi: async () => world.ecs.apiOf(this.ecsTask, this.reads),
      createJobProcesses: () => this.#jobProcesses(),
      serveHealth: async (port, state) => {
        this.health = state;
        return { address: () => ({ port }) } as Awaited<ReturnType<WorkerPeers['serveHealth']>>;
      },
      endDeadCall: async (_config, { room, job, over }) => {
        if (over) world.callerDisconnected({ id: job, room, roomSid: '' }, 'over');
        world.removeAgent(job, room);
      },
      createRooms: () => {
        const client = world.livekit.client();
        this.#cutApi = () => client.cut();
        return client;
      },
      connectPresence: () => {
        const presence = world.livekit.presence();
        this.#cutPresence = () => presence.cut();
        return presence.connect;
      },
    };
  }

  #jobProcesses(): JobProcesses {
    const task = this;
    return {
      shared: true,
      get room() {
        return task
          .#usable()
          .reduce((sum, { calls }) => sum + Math.max(0, CALLS_PER_HOST - calls.size), 0);
      },
      failures: 0,
      ready: Promise.resolve(),
      install: async () => true,
      resize: () => this.#startWaiting(),
      retire: (pid) => this.hosts.find((host) => host.pid === pid)?.retire(),
      resume: (id) => {
        const job = this.promised.get(id);
        if (job) this.#launch(job, true);
        return job !== undefined;
      },
      forget: (id) => {
        // Its slot is given back in the same breath.
        this.promised.delete(id);
      },
      killInitializing: () => {},
    };
  }

  #usable(): SimulatedHost[] {
    return this.hosts.filter(
      ({ alive, ready, retired, pid }) =>
        alive && ready && !retired && this.supervisor.responsive(pid, RESPONSIVE_MS),
    );
  }

  #launch(job: OfferedJob, resumed = false): void {
    const [host] = this.#usable().sort((a, b) => a.calls.size - b.calls.size);
    if (!host) {
      this.#waiting.push({ job, resumed });
      return;
    }
    // It hangs, which nobody has noticed yet: the worker takes the job for one that LiveKit never assigned.
    if (host.hangs && !resumed) this.forgetOffer(job);
    host.run(job);
  }

  #startWaiting(): void {
    while (this.#waiting.length > 0 && this.#usable().length > 0) {
      const { job, resumed } = this.#waiting.shift() as { job: OfferedJob; resumed: boolean };
      this.#launch(job, resumed);
    }
  }

  hostReady(): void {
    this.#startWaiting();
  }

  hostEnded(host: SimulatedHost): void {
    this.hosts = this.hosts.filter((other) => other !== host);
    this.after(0, () => this.#startHost());
  }

  noteReported(metric: string, value: number): void {
    this.reported.set(metric, (this.reported.get(metric) ?? 0) + value);
  }

  #startHost(): void {
    this.#pids += 1;
    const pid = FIRST_PID + this.#pids;
    this.hosts.push(new SimulatedHost(pid, this.#world, this.supervisor, this));
  }
}
