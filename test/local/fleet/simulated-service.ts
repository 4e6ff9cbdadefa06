// SPDX-License-Identifier: Apache-2.0

import seedrandom from 'seedrandom';
import { DeploymentWatch } from '../../../agent/src/ecs/deployment-watch.js';
import type { ServingTasks } from '../../../agent/src/ecs/service-api.js';
import { TaskProtection } from '../../../agent/src/ecs/task-protection.js';
import { CallSlots } from '../../../agent/src/worker/call-slots.js';
import { JobAdmission } from '../../../agent/src/worker/job-admission.js';
import type { EcsTask, ServiceSettings, TaskDefinition } from '../../../local/fleet/ecs-model.js';
import { EcsScheduler } from '../../../local/fleet/ecs-scheduler.js';
import { ManualClock } from '../../support/manual-clock.js';
import { SimulatedEcs, type SimulatedEcsFaults } from './simulated-ecs.js';

const SLOTS = 10;
const MAX_CALL_MS = 3_600_000;
const BOOT_MS = 3_000;
const DRAIN_MS = 110_000;
/** A job request that takes longer is given up by LiveKit, and its caller hears nothing. */
const LIVEKIT_PATIENCE_MS = 3_000;
/** The worker that watches lists the others, and LiveKit sends the note to all of them. */
const LIST_MS = 400;
const NOTE_MS = 50;

/** What the fate of a call was. */
export interface SimulatedCall {
  at: number;
  /** The deployment that took it, and its task; undefined: nobody did. */
  deployment?: string;
  task?: string;
  unprotected: boolean;
  /** From the offer to the last answer, ms. */
  answeredMs: number;
  endsAt: number;
  cut: boolean;
}

export interface SimulationOptions {
  settings?: ServiceSettings;
  /** Another service with the same agent name and LiveKit server: callers come to the workers of both. */
  beside?: SimulatedService;
  /** Seconds between two reads of a task. Default 60. */
  checkS?: number;
  settleS?: number;
  /** Length of a call in seconds. Default 20 to 60. */
  callS?: [min: number, max: number];
  faults?: SimulatedEcsFaults;
  /** Without it a task does what it did before it could notice that it is superseded. Default true. */
  watch?: boolean;
  /** The workers tell each other which deployments take calls. Default true. */
  presence?: boolean;
}

interface Worker {
  task: EcsTask;
  registered: boolean;
  admission: JobAdmission;
  watch: DeploymentWatch;
  draining: boolean;
  calls: Map<string, SimulatedCall>;
  /** Requests to the ECS API. */
  reads: number[];
}

export const GOOD: TaskDefinition = {
  name: 'agent:1',
  stopTimeoutMs: 120_000,
  healthCheck: { intervalMs: 5_000, retries: 3, startPeriodMs: 60_000 },
};

/**
 * A service in virtual time: the scheduler of the stand-in, the admission, protection and deployment watch of the worker
 * as they are, and callers whom LiveKit's rules hand to a worker. A day takes seconds.
 */
export class SimulatedService {
  readonly clock: ManualClock;
  readonly scheduler: EcsScheduler;
  readonly calls: SimulatedCall[] = [];
  readonly workers = new Map<EcsTask, Worker>();
  /** Those of all services with the agent name. */
  readonly #pool: Set<Worker>;
  /** Task definitions that never register with LiveKit. */
  readonly broken = new Set<string>();
  readonly ecs: SimulatedEcs;
  readonly #options: SimulationOptions;
  readonly #random = seedrandom('simulated-service');
  #lastJob = 0;
  #arriving = false;

  constructor(options: SimulationOptions = {}) {
    this.#options = options;
    this.clock = options.beside?.clock ?? new ManualClock();
    this.#pool = options.beside ? options.beside.#pool : new Set();
    this.scheduler = new EcsScheduler(
      options.beside ? 'agents-beside' : 'agents',
      this.clock,
      {
        start: (task) => this.#start(task),
        stop: (task) => this.#terminate(task),
        kill: (task) => this.#end(task, 137),
        checkHealth: async (task) => this.workers.get(task)?.registered ?? false,
      },
      {
        earlySuccessPercent: 100,
        startMs: () => 20_000 + 20_000 * this.#random(),
        ...options.settings,
      },
    );
    this.ecs = new SimulatedEcs(this.scheduler, this.clock, options.faults);
    if (!options.beside && options.presence !== false) this.#share('[]');
  }

  /** What the workers tell each other. */
  #share(last: string): void {
    this.clock.after(LIST_MS, () => {
      const counts = new Map<string, ServingTasks>();
      for (const { registered, admission, watch } of this.#pool) {
        const task = registered ? watch.identity : undefined;
        if (!task) continue;
        const tasks = (counts.get(task.deployment)?.tasks ?? 0) + (admission.refusal ? 0 : 1);
        counts.set(task.deployment, { ...task, tasks });
      }
      const serving = [...counts.values()];
      const note = JSON.stringify(serving);
      if (note !== last)
        this.clock.after(NOTE_MS, () => {
          for (const { registered, watch } of this.#pool) if (registered) watch.hear(serving);
        });
      this.#share(note);
    });
  }

  /** Starts the service, and lets so many calls arrive that about this many are in progress. */
  async begin(desired: number, calls: number): Promise<void> {
    this.scheduler.update({ desired, definition: GOOD });
    await this.clock.pass(120_000);
    const [min, max] = this.#options.callS ?? [20, 60];
    const everyMs = (((min + max) / 2) * 1_000) / calls;
    this.#arriving = true;
    const next = () => {
      if (!this.#arriving) return;
      void this.#offer();
      // A random process with the given mean.
      this.clock.after(-Math.log(1 - this.#random()) * everyMs, next);
    };
    next();
    await this.clock.pass(2 * max * 1_000);
  }

  /** No more callers come. */
  endArrivals(): void {
    this.#arriving = false;
  }

  async pass(seconds: number): Promise<void> {
    await this.clock.pass(seconds * 1_000);
  }

  get refused(): SimulatedCall[] {
    return this.calls.filter(({ deployment }) => deployment === undefined);
  }

  get cut(): SimulatedCall[] {
    return this.calls.filter((call) => call.cut);
  }

  #start(task: EcsTask): void {
    const { checkS = 60, settleS = 120, watch: watches = true } = this.#options;
    const protection = new TaskProtection(this.ecs.agentOf(task), this.clock, {
      longestCallMs: MAX_CALL_MS,
      random: this.#random,
    });
    const answers = { unprotected: false };
    const admission = new JobAdmission(new CallSlots(SLOTS), protection, this.clock, {
      onAccepted: (job, unprotected) => {
        const call = worker.calls.get(job);
        if (call) call.unprotected = unprotected;
        answers.unprotected = unprotected;
      },
    });
    const setMode = () => {
      if (admission.refusal) protection.mode = 'leaving';
      else protection.mode = watches && watch.informed ? 'ahead' : 'on_demand';
    };
    const reads: number[] = [];
    const watch = new DeploymentWatch(async () => this.ecs.apiOf(task, reads), this.clock, {
      intervalMs: checkS * 1_000,
      settleMs: settleS * 1_000,
      random: this.#random,
      onStanding: (standing) => {
        admission.standing = standing;
        setMode();
      },
      onInformed: setMode,
    });
    const worker: Worker = {
      task,
      registered: false,
      admission,
      watch,
      draining: false,
      calls: new Map(),
      reads,
    };
    this.workers.set(task, worker);
    this.#pool.add(worker);
    if (this.broken.has(task.definition.name)) return;
    this.clock.after(BOOT_MS, () => {
      if (task.status !== 'RUNNING') return;
      worker.registered = true;
      setMode();
      if (watches) watch.start();
    });
  }

  /** SIGTERM. */
  #terminate(task: EcsTask): void {
    const worker = this.workers.get(task);
    if (!worker) return;
    worker.draining = true;
    worker.admission.drain();
    if (worker.calls.size === 0) this.#end(task, 0);
    else this.clock.after(DRAIN_MS, () => this.#end(task, 0));
  }

  #end(task: EcsTask, code: number): void {
    const worker = this.workers.get(task);
    if (!worker || task.status === 'STOPPED') return;
    worker.registered = false;
    worker.watch.stop();
    worker.admission.protection.stop();
    for (const call of worker.calls.values()) call.cut = true;
    worker.calls.clear();
    this.scheduler.exited(task, code);
  }

  /**
   * LiveKit offers a job to the workers in turn, by chance and weighed by their free load, until one takes it or its
   * patience is over (livekit-server 1.13.5, pkg/service/agentservice.go).
   */
  async #offer(): Promise<void> {
    const { callS: [min, max] = [20, 60] } = this.#options;
    this.#lastJob += 1;
    const job = `job-${this.#lastJob}`;
    const at = this.clock.now();
    const endsAt = at + (min + (max - min) * this.#random()) * 1_000;
    const call: SimulatedCall = { at, unprotected: false, answeredMs: 0, endsAt, cut: false };
    this.calls.push(call);
    const tried = new Set<Worker>();
    for (;;) {
      const worker = this.#choose(tried);
      if (!worker || this.clock.now() - at > LIVEKIT_PATIENCE_MS) return;
      tried.add(worker);
      worker.calls.set(job, call);
      const admitted = await worker.admission.admit(job);
      call.answeredMs = this.clock.now() - at;
      if (admitted && call.answeredMs <= LIVEKIT_PATIENCE_MS) {
        call.deployment = worker.task.deployment.id;
        call.task = worker.task.id;
        worker.admission.start(job);
        this.clock.after(endsAt - this.clock.now(), () => this.#hangUp(worker, job));
        return;
      }
      worker.calls.delete(job);
      if (admitted) worker.admission.release(job);
    }
  }

  #hangUp(worker: Worker, job: string): void {
    if (!worker.calls.delete(job)) return;
    worker.admission.release(job);
    if (worker.draining && worker.calls.size === 0) this.#end(worker.task, 0);
  }

  #choose(tried: Set<Worker>): Worker | undefined {
    const open = [...this.#pool].filter(
      ({ registered, admission, ...worker }) =>
        registered &&
        !admission.refusal &&
        admission.slots.free > 0 &&
        ![...tried].some(({ task }) => task === worker.task),
    );
    const weights = open.map(({ admission }) => 1 - admission.slots.utilization * 0.65);
    let at = this.#random() * weights.reduce((sum, weight) => sum + weight, 0);
    return open.find((_, i) => {
      at -= weights[i] ?? 0;
      return at < 0;
    });
  }
}
