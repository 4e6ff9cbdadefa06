// SPDX-License-Identifier: Apache-2.0

import { log, type RunningJobInfo } from '@livekit/agents';
import { pauseAfter } from '../growing-pause.js';
import { type Executor, type FrameworkPool, replaceFrameworkPool } from './framework-pool.js';
import type { JobProcesses } from './job-processes.js';
import { forResumption } from './resumed-job.js';

export interface WarmPoolOptions {
  /** How many processes should be warm or initializing now. */
  targetSize: () => number;
  /** How many are warm now. */
  warm: () => number;
  /** How many may initialize at once; each takes most of a second of one core. */
  concurrency: number;
  /** @param inARow failures since the last success */
  onInitializeFailure: (inARow: number) => void;
}

/**
 * A warm process for every free slot. The framework keeps a fixed number of idle processes and initializes them one
 * after the other: with as many as there are slots, a full task would hold twice the processes it needs and
 * initialize them while people are talking; with fewer, the later callers of a burst wait seconds. So its loop is
 * replaced by one that follows the free slots and initializes several at once. It also drops a warm process that
 * died, which the framework would give to the next call.
 */
export class WarmPool implements JobProcesses {
  readonly shared = false;
  readonly ready = Promise.resolve();
  readonly #options: WarmPoolOptions;
  #idle = 0;
  #failures = 0;
  /** Processes that have been warm, by their `unlock`. */
  readonly #initialized = new Set<() => void>();
  #wake: () => void = () => {};
  readonly #pools = new Set<FrameworkPool>();
  /** All jobs, until they are forgotten, and how to start one on another process. */
  readonly #jobs = new Map<string, { info: RunningJobInfo; start: FrameworkPool['launchJob'] }>();
  /** Jobs that were started again. */
  readonly #resumed = new Set<string>();

  constructor(options: WarmPoolOptions) {
    this.#options = options;
  }

  /** Failures to initialize since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** Calls that could start at once: one for each warm process. */
  get room(): number {
    return this.#options.warm();
  }

  /** Call it when the target size may have changed. */
  resize(): void {
    this.#wake();
  }

  resume(jobId: string): boolean {
    const job = this.#jobs.get(jobId);
    if (!job) return false;
    this.#resumed.add(jobId);
    void forResumption(job.info)
      .then((info) => job.start(info))
      .catch((error) => log().error({ error, call_id: jobId }, 'call could not be resumed'));
    return true;
  }

  forget(jobId: string): void {
    this.#jobs.delete(jobId);
    this.#resumed.delete(jobId);
  }

  /** A process for a single call is not used again anyway. */
  retire(): void {}

  /**
   * Kills the processes that are initializing: the framework's close() asks them to end and waits, but a process that
   * does not listen yet never gets the request.
   */
  killInitializing(): void {
    for (const pool of this.#pools) {
      const warm = new Set<Executor>(pool.warmedProcQueue.items.map(({ proc }) => proc));
      for (const executor of pool.processes) {
        if (!executor.runningJob && !warm.has(executor)) executor.proc?.kill('SIGKILL');
      }
    }
  }

  /**
   * Replaces the framework's loop in every pool created from now on.
   * @returns false for an unsupported version of the framework: then its own loop stays.
   */
  install(replace = replaceFrameworkPool): Promise<boolean> {
    return replace({ run: (pool, signal) => this.run(pool, signal) });
  }

  /** Keeps a pool warm until `signal` aborts; replaces the framework's loop. */
  async run(pool: FrameworkPool, signal: AbortSignal): Promise<void> {
    this.#pools.add(pool);
    this.#watchJobs(pool);
    pool.initMutex = new Semaphore(this.#options.concurrency);
    const queue = pool.warmedProcQueue;
    const put = queue.put.bind(queue);
    queue.put = (item) => {
      this.#initialized.add(item.unlock);
      this.#failures = 0;
      return put(item);
    };
    signal.addEventListener('abort', () => this.#wake());
    while (!signal.aborted && !pool.closed) {
      while (this.#idle < this.#options.targetSize()) this.#startProcess(pool);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      const pause = pauseAfter(this.#failures);
      if (pause) await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  /** Remembers each job, and hides from LiveKit those that were started again; HostPool.resume says why. */
  #watchJobs(pool: FrameworkPool): void {
    const start = pool.launchJob.bind(pool);
    pool.launchJob = (info) => {
      this.#jobs.set(info.job.id, { info, start });
      return start(info);
    };
    const find = pool.getByJobId.bind(pool);
    pool.getByJobId = (id) => (this.#resumed.has(id) ? null : find(id));
  }

  #startProcess(pool: FrameworkPool): void {
    this.#idle += 1;
    let counted = true;
    let ended = false;
    const unlock = () => {
      // The framework also unlocks one that was never warm: its failure is to be counted first.
      if (!counted || (!ended && !this.#initialized.has(unlock))) return;
      counted = false;
      this.#idle -= 1;
      this.#wake();
    };
    void pool
      .procWatchTask(unlock)
      .catch(() => {})
      .then(() => {
        ended = true;
        this.#dropDead(pool);
        if (!this.#initialized.delete(unlock) && !pool.closed) {
          this.#failures += 1;
          this.#options.onInitializeFailure(this.#failures);
        }
        unlock();
      });
  }

  #dropDead(pool: FrameworkPool): void {
    const { items } = pool.warmedProcQueue;
    for (let i = items.length - 1; i >= 0; i--) {
      const item = items[i];
      if (!item || item.proc.isAlive) continue;
      items.splice(i, 1);
      item.unlock();
    }
  }
}

/** Like the framework's lock, but for several holders at once. */
class Semaphore {
  #waiting: (() => void)[] = [];
  #free: number;

  constructor(size: number) {
    this.#free = size;
  }

  async lock(): Promise<() => void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    };
  }
}
