// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../../agent/src/clock.js';
import type { EcsEndpoint, EcsFaults } from './ecs-endpoint.js';
import type { EcsTask, ServiceSettings, TaskDefinition } from './ecs-model.js';
import { EcsScheduler } from './ecs-scheduler.js';
import { TaskHandle } from './task-handle.js';
import type { WorkerProcess } from './worker-process.js';

/** A task definition of workers. */
export interface WorkerDefinition extends TaskDefinition {
  /** Environment variables of the container. */
  env?: NodeJS.ProcessEnv;
  /** Faults of the agent endpoint of its tasks. */
  ecs?: EcsFaults;
}

/** Milliseconds since the epoch, so that what ECS and the workers note can be compared. */
class WallClock implements MonotonicClock {
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopped = false;

  now(): number {
    return Date.now();
  }

  after(ms: number, fn: () => void): () => void {
    if (this.#stopped) return () => {};
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      fn();
    }, ms).unref();
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
      clearTimeout(timer);
    };
  }

  /** Nothing that was planned happens any more. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}

/** A service of ECS on this machine: the scheduler, with a worker process for each task. */
export class EcsService {
  readonly scheduler: EcsScheduler;
  /** The workers of all tasks that ever were, in the order of their start. */
  readonly workers: WorkerProcess[] = [];
  readonly #workerOf = new Map<EcsTask, WorkerProcess>();
  readonly #wasReady = new Set<EcsTask>();
  readonly #clock = new WallClock();
  #stopping = false;

  /** @param launch starts the worker of a task */
  constructor(
    name: string,
    endpoint: EcsEndpoint,
    launch: (
      definition: WorkerDefinition,
      ecs: { env: Record<string, string>; handle: TaskHandle },
    ) => WorkerProcess,
    settings: ServiceSettings = {},
  ) {
    this.scheduler = new EcsScheduler(
      name,
      this.#clock,
      {
        start: (task) => {
          const definition = task.definition as WorkerDefinition;
          const { env, requests } = endpoint.addTask(this.scheduler, task, definition.ecs);
          const worker = launch(definition, { env, handle: new TaskHandle(task, requests) });
          this.workers.push(worker);
          this.#workerOf.set(task, worker);
          void worker.exited.then(({ code }) => {
            if (!this.#stopping) this.scheduler.exited(task, code);
          });
        },
        stop: (task) => this.worker(task)?.terminate(),
        kill: (task) => void this.worker(task)?.kill(),
        checkHealth: (task) => this.#checkHealth(task),
      },
      settings,
    );
    endpoint.addService(this.scheduler);
  }

  /** The worker of a task; undefined before it started. */
  worker(task: EcsTask): WorkerProcess | undefined {
    return this.#workerOf.get(task);
  }

  /** Waits until something holds of the service. */
  async waitUntil(what: string, holds: (scheduler: EcsScheduler) => boolean, ms: number) {
    const end = Date.now() + ms;
    while (!holds(this.scheduler)) {
      if (Date.now() > end) {
        const events = this.scheduler.events.map(({ at, text }) => `${at} ${text}`);
        throw new Error(`${what}: not within ${ms} ms:\n${events.join('\n')}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Kills every worker, and starts no other. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#clock.stop();
    await Promise.all(this.workers.map((worker) => worker.kill()));
  }

  /** The health check of the template (lib/service/health-check.ts): ready once, live from then on. */
  async #checkHealth(task: EcsTask): Promise<boolean> {
    const path = this.#wasReady.has(task) ? 'live' : 'ready';
    const status = await this.worker(task)
      ?.health(path)
      .then((health) => health.status)
      .catch(() => 0);
    if (status !== 200) return false;
    this.#wasReady.add(task);
    return true;
  }
}
