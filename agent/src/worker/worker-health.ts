// SPDX-License-Identifier: Apache-2.0

import type { HealthState } from './health-server.js';
import type { JobAdmission } from './job-admission.js';
import type { JobProcesses } from './job-processes.js';

/** Failed starts of job processes in a row after which a task without calls is not live. */
const MAX_START_FAILURES = 5;

/** What the worker knows about itself; see HealthState for who asks. */
export interface WorkerHealthSources {
  admission: JobAdmission;
  processes: JobProcesses;
  /** Whether the worker is registered with LiveKit now. */
  registered(): boolean;
}

/** The health of a worker: ready to take calls, live as long as killing it would do more harm than good. */
export class WorkerHealth implements HealthState {
  readonly #sources: WorkerHealthSources;
  #fatalReason: string | undefined;

  constructor(sources: WorkerHealthSources) {
    this.#sources = sources;
  }

  /** Why the worker cannot go on; undefined while it can. */
  get fatalReason(): string | undefined {
    return this.#fatalReason;
  }

  /** Marks the worker as failed; the first reason counts. */
  fail(reason: string): void {
    this.#fatalReason ??= reason;
  }

  /** A task with calls is live: whatever its problem, killing it would end them. */
  livenessProblem(): string | undefined {
    const { admission, processes } = this.#sources;
    if (admission.slots.used > 0) return undefined;
    if (this.#fatalReason) return this.#fatalReason;
    return processes.failures >= MAX_START_FAILURES ? 'job processes do not start' : undefined;
  }

  readinessProblem(): string | undefined {
    const { admission, registered } = this.#sources;
    if (admission.refusal) return admission.refusal;
    if (!registered()) return 'not registered with LiveKit';
    return this.livenessProblem();
  }

  details(): Record<string, unknown> {
    const { admission, processes, registered } = this.#sources;
    return {
      calls: admission.slots.used,
      slots: admission.slots.total,
      warm: processes.room,
      registered: registered(),
      draining: admission.draining,
      accepting: !admission.refusal,
      protected: admission.protection.confirmed,
    };
  }
}
