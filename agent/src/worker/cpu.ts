// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';

const SAMPLE_INTERVAL_MS = 2_500;
/** Share of a new sample in the smoothed value, for a time constant of a minute. */
const SMOOTHING = 1 - Math.exp(-SAMPLE_INTERVAL_MS / 60_000);

/**
 * The CPU use of this container, sampled in the background so that reading it takes no time. With a CPU quota
 * (cgroup v2) it is the share of the quota; without one the share of the machine, which on Fargate is the task's own.
 */
export class CpuMonitor {
  #utilization = 0;
  #smoothed = 0;
  #last = sample();
  readonly #timer = setInterval(() => {
    const now = sample();
    const elapsed = now.available - this.#last.available;
    // Time runs backwards between the two sources when a quota appears or disappears while we run.
    if (elapsed > 0) {
      this.#utilization = Math.min(1, Math.max(0, (now.busy - this.#last.busy) / elapsed));
    }
    this.#smoothed += (this.#utilization - this.#smoothed) * SMOOTHING;
    this.#last = now;
  }, SAMPLE_INTERVAL_MS).unref();

  /** 0 to 1, over the last 2.5 seconds. */
  get utilization(): number {
    return this.#utilization;
  }

  /** 0 to 1, over about a minute: a process that starts is no load that lasts. */
  get smoothed(): number {
    return this.#smoothed;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** CPU milliseconds used and available, since some moment in the past. */
function sample(): { busy: number; available: number } {
  const cores = quota();
  if (cores) {
    const used = /usage_usec (\d+)/.exec(read('/sys/fs/cgroup/cpu.stat'))?.[1];
    if (used) return { busy: Number(used) / 1000, available: performance.now() * cores };
  }
  let busy = 0;
  let available = 0;
  for (const { times } of cpus()) {
    const all = times.user + times.nice + times.sys + times.idle + times.irq;
    available += all;
    busy += all - times.idle;
  }
  return { busy, available };
}

/** Cores that the cgroup allows; undefined without a limit. */
function quota(): number | undefined {
  const [max, period] = read('/sys/fs/cgroup/cpu.max').trim().split(/\s+/).map(Number);
  return max && period ? max / period : undefined;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Whole cores that this process may use, at least 1. */
export function availableCores(): number {
  return Math.max(1, Math.floor(quota() ?? availableParallelism()));
}
