// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../../agent/src/clock.js';
import type { EcsTask } from './ecs-model.js';

const HEALTHY_AFTER_MS = 40_000;

/**
 * A health check that fails in the start period does not count; after `retries` in a row the task is UNHEALTHY, and
 * the scheduler replaces it. A task without a health check counts as healthy 40 s after it runs.
 * (APIReference/API_HealthCheck.html, API_DeploymentConfiguration.html)
 */
export class HealthWatch {
  readonly #failedChecks = new Map<EcsTask, number>();

  constructor(
    private readonly clock: MonotonicClock,
    /** Runs the health check of the container. */
    private readonly check: (task: EcsTask) => Promise<boolean>,
    private readonly on: { healthy(task: EcsTask): void; unhealthy(task: EcsTask): void },
  ) {}

  /** Watches a task from when it runs to its end. */
  watch(task: EcsTask): void {
    const settings = task.definition.healthCheck;
    if (!settings) {
      this.clock.after(HEALTHY_AFTER_MS, () => this.on.healthy(task));
      return;
    }
    const { intervalMs, retries, startPeriodMs } = settings;
    const startedAt = this.clock.now();
    const probe = () =>
      this.clock.after(intervalMs, () => {
        if (task.status !== 'RUNNING') return;
        void this.check(task).then((healthy) => {
          if (task.status !== 'RUNNING') return;
          const counts = task.health === 'HEALTHY' || this.clock.now() - startedAt > startPeriodMs;
          const failed = healthy ? 0 : (this.#failedChecks.get(task) ?? 0) + (counts ? 1 : 0);
          this.#failedChecks.set(task, failed);
          if (healthy) this.on.healthy(task);
          else if (failed >= retries) this.on.unhealthy(task);
          probe();
        });
      });
    probe();
  }
}
