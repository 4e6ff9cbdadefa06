// SPDX-License-Identifier: Apache-2.0

import type { ProtectionRequest } from './ecs-endpoint.js';
import type { EcsTask, ProtectionChange } from './ecs-model.js';

/** What ECS knows about the protection of a task. */
export class TaskHandle {
  constructor(
    readonly task: EcsTask,
    /** Every valid request to change the protection, oldest first. */
    readonly requests: ProtectionRequest[],
  ) {}

  get protected(): boolean {
    return this.task.protected;
  }

  /** Every change of the protection, oldest first; ms since the epoch. */
  get changes(): readonly ProtectionChange[] {
    return this.task.protectionChanges;
  }

  /** Whether the task was protected at a past time, in milliseconds since the epoch. */
  protectedAt(at: number): boolean {
    return this.changes.findLast((change) => change.at <= at)?.protected ?? false;
  }

  /** Waits until the task is protected, or is not; rejects after `ms`. */
  async waitUntilProtected(wanted: boolean, ms: number): Promise<void> {
    const end = Date.now() + ms;
    while (this.protected !== wanted) {
      if (Date.now() > end) throw new Error(`protection is not ${wanted} within ${ms} ms`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
