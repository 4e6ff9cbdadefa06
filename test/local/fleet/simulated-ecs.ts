// SPDX-License-Identifier: Apache-2.0

import type { ServiceApi } from '../../../agent/src/ecs/service-api.js';
import type { EcsAgent } from '../../../agent/src/ecs/task-protection-endpoint.js';
import type { EcsTask } from '../../../local/fleet/ecs-model.js';
import type { EcsScheduler } from '../../../local/fleet/ecs-scheduler.js';
import type { ManualClock } from '../../support/manual-clock.js';

/** Answers of the agent endpoint and of the ECS API, before the rules apply. */
export interface SimulatedEcsFaults {
  delayMs?: number;
  answer?: 'hang' | 'error';
}

/** From a request for protection until it is given up. */
const PROTECTION_TIMEOUT_MS = 4_000;
const API_TIMEOUT_MS = 10_000;

/** What a task reaches of ECS, answered by the scheduler of the stand-in in virtual time. */
export class SimulatedEcs {
  constructor(
    readonly scheduler: EcsScheduler,
    readonly clock: ManualClock,
    public faults: SimulatedEcsFaults = {},
  ) {}

  /** The endpoint for task protection. */
  agentOf(task: EcsTask): EcsAgent {
    return {
      setProtection: async (enabled, minutes) => {
        const fault = await this.#fault(PROTECTION_TIMEOUT_MS);
        if (fault) return { ok: false, reason: fault, rejected: false };
        const outcome = this.scheduler.protect(task, enabled, minutes);
        return 'failure' in outcome
          ? { ok: false, reason: outcome.failure, rejected: true }
          : { ok: true };
      },
    };
  }

  /** @param reads takes the time of each request */
  apiOf(task: EcsTask, reads: number[]): ServiceApi {
    const answer = async <T>(value: () => T): Promise<T> => {
      reads.push(this.clock.now());
      if (await this.#fault(API_TIMEOUT_MS)) throw new Error('ECS does not answer');
      return value();
    };
    const { scheduler } = this;
    const running = (tasks: EcsTask[]) => tasks.filter(({ status }) => status === 'RUNNING');
    return {
      taskArn: task.id,
      describeOwnTask: () =>
        answer(() => ({ service: scheduler.name, deployment: task.deployment.id })),
      describeService: () =>
        answer(() => ({
          desired: scheduler.desired,
          deployments: scheduler.deployments.map((deployment) => ({
            id: deployment.id,
            primary: deployment === scheduler.primary,
            rolloutState: deployment.rolloutState,
            desired: deployment === scheduler.primary ? scheduler.desired : 0,
            running: running(scheduler.live(deployment)).length,
            failed: deployment.failedTasks,
            createdAt: deployment.createdAt,
          })),
        })),
      listTasks: (id) =>
        answer(() => ({
          arns: running(scheduler.live())
            .filter(({ deployment }) => deployment.id === id)
            .map((other) => other.id),
          complete: true,
        })),
    };
  }

  async #fault(timeoutMs: number): Promise<string | undefined> {
    const { answer, delayMs = 0 } = this.faults;
    const ms = answer === 'hang' ? timeoutMs : delayMs;
    if (ms > 0) await new Promise<void>((resolve) => this.clock.after(ms, resolve));
    return answer;
  }
}
