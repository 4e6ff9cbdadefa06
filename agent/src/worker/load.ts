// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';

export interface LoadInput {
  /** Slots in use, 0 to 1. */
  slotShare: number;
  draining: boolean;
  /** Free slots whose process is still booting, as a share of all slots. */
  coldShare: number;
  /** CPU in use, 0 to 1. */
  cpu: number;
  /** CPU use at which the task takes no more calls, 0 to 1; 0: CPU is not looked at. */
  cpuFullAt: number;
}

/**
 * The most that a task with a free slot reports. LiveKit weighs a server node by its workers' distance from
 * `agents.target_load`, 0.7 by default, and offers no job where that is nothing, however available the workers say
 * they are (livekit-server 1.13.5, JobRequestAffinity): a task that reported 0.7 would never be filled.
 */
const OPEN_MOST = 0.65;

/**
 * What LiveKit is told, 0 to 1, where 1 means "no more calls": the larger of slots in use and CPU. Slots whose
 * process still boots count as in use, so that a burst goes to tasks that are warm, but never make a task full.
 */
export function load(input: LoadInput): number {
  if (input.draining || input.slotShare >= 1) return 1;
  const slots = Math.min(0.99, input.slotShare + input.coldShare);
  const cpu = input.cpuFullAt > 0 ? Math.min(1, input.cpu / input.cpuFullAt) : 0;
  const used = Math.max(slots, cpu);
  return used >= 1 ? 1 : used * OPEN_MOST;
}

const CPU_INTERVAL_MS = 2_500;

/**
 * The CPU use of this container, measured in the background so that asking takes no time. With a CPU quota
 * (cgroup v2) it is the share of the quota; without one, of the machine, which on Fargate is the task's own.
 */
export class CpuMeter {
  #used = 0;
  #last = reading();
  readonly #timer = setInterval(() => {
    const now = reading();
    const elapsed = now.available - this.#last.available;
    // The two ways of measuring never mix within one process, but a cgroup may be moved while we run.
    if (elapsed > 0) this.#used = Math.min(1, Math.max(0, (now.busy - this.#last.busy) / elapsed));
    this.#last = now;
  }, CPU_INTERVAL_MS).unref();

  /** 0 to 1, over the last 2.5 seconds. */
  get used(): number {
    return this.#used;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** CPU milliseconds spent, and those that could have been spent, since some moment in the past. */
function reading(): { busy: number; available: number } {
  const cores = quota();
  if (cores) {
    const spent = /usage_usec (\d+)/.exec(read('/sys/fs/cgroup/cpu.stat'))?.[1];
    if (spent) return { busy: Number(spent) / 1000, available: performance.now() * cores };
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
export function cores(): number {
  return Math.max(1, Math.floor(quota() ?? availableParallelism()));
}
