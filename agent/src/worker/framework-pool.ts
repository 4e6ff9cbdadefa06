// SPDX-License-Identifier: Apache-2.0

// The one file that knows how @livekit/agents (1.9.0) keeps the processes of its jobs.

import type { RunningJobInfo } from '@livekit/agents';

/** The public members of the framework's ProcPool (dist/ipc/proc_pool.js) that we use. */
export interface FrameworkPool {
  closed: boolean;
  executors: Executor[];
  processes: Executor[];
  initMutex: { lock(): Promise<() => void> };
  warmedProcQueue: { items: WarmProcess[]; put(item: WarmProcess): Promise<void> };
  procWatchTask(unlock: () => void): Promise<void>;
  launchJob(info: RunningJobInfo): Promise<void>;
  getByJobId(id: string): Executor | null;
}

/** What the framework asks of whatever runs a job: which one it runs, when it ends, and to end it. */
export interface Executor {
  runningJob?: unknown;
  proc?: { kill(signal: 'SIGKILL'): unknown };
}

/** A process that waits for a call; `unlock` is called when it no longer does. */
export interface WarmProcess {
  proc: Executor & { isAlive: boolean };
  unlock: () => void;
}

interface FrameworkPoolPrototype extends FrameworkPool {
  run(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** What may take the place of the framework's own methods, in every pool that it creates from then on. */
export interface FrameworkPoolReplacement {
  /** Keeps processes warm until `signal` aborts. */
  run?(pool: FrameworkPool, signal: AbortSignal): Promise<void>;
  /** Starts a job on a process of our own. */
  launchJob?(info: RunningJobInfo): Promise<Executor & { join(): Promise<void> }>;
  /** Ends the jobs that `launchJob` started. */
  close?(): Promise<void>;
}

/**
 * Replaces methods of the framework's pool.
 * @returns false for a version of the framework that has another pool: then nothing is replaced.
 */
export async function replaceFrameworkPool(
  replacement: FrameworkPoolReplacement,
  loadPool = loadFrameworkPool,
): Promise<boolean> {
  const prototype = await poolPrototype(loadPool);
  if (!prototype) return false;
  const { run, launchJob, close } = replacement;
  if (run) {
    prototype.run = function (signal) {
      return run(this, signal);
    };
  }
  if (launchJob) {
    prototype.launchJob = async function (info) {
      const job = await launchJob(info);
      // From here the framework counts its running jobs, and finds the one that LiveKit wants ended.
      this.executors.push(job);
      void job.join().then(() => {
        this.executors = this.executors.filter((executor) => executor !== job);
      });
    };
  }
  if (close) {
    prototype.close = function () {
      this.closed = true;
      return close();
    };
  }
  return true;
}

/** The module that holds the framework's pool, which is not among its exports. */
async function loadFrameworkPool(): Promise<{ ProcPool?: { prototype: unknown } }> {
  const url = new URL('./ipc/proc_pool.js', import.meta.resolve('@livekit/agents'));
  return import(url.href);
}

async function poolPrototype(
  loadPool: typeof loadFrameworkPool,
): Promise<FrameworkPoolPrototype | undefined> {
  try {
    const { ProcPool } = await loadPool();
    const prototype = ProcPool?.prototype as FrameworkPoolPrototype | undefined;
    const known = (['run', 'procWatchTask', 'launchJob', 'close'] as const).every(
      (name) => typeof prototype?.[name] === 'function',
    );
    return known ? prototype : undefined;
  } catch {
    return undefined;
  }
}
