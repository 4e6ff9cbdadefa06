// SPDX-License-Identifier: Apache-2.0

import type { EcsTask, ServiceSettings, TaskDefinition } from '../../local/fleet/ecs-model.js';
import { EcsScheduler } from '../../local/fleet/ecs-scheduler.js';
import { ManualClock } from './manual-clock.js';

/** A service whose tasks are only names: what it starts, stops and kills is in `log`. */
export function fakeService(settings: ServiceSettings = {}) {
  const clock = new ManualClock();
  const log: string[] = [];
  /** Tasks whose health check fails. */
  const sick = new Set<string>();
  const note = (what: string) => (task: EcsTask) => log.push(`${what} ${shortId(task)}`);
  const scheduler = new EcsScheduler(
    'agents',
    clock,
    {
      start: note('start'),
      stop: note('stop'),
      kill: (task) => {
        note('kill')(task);
        scheduler.exited(task, 137);
      },
      checkHealth: async (task) => !sick.has(shortId(task)) && !sick.has(task.definition.name),
    },
    settings,
  );
  return { clock, log, scheduler, sick };
}

export const shortId = (task: EcsTask) => `t${Number(task.id.slice(0, 8))}`;

export const definition = (name: string, more: Partial<TaskDefinition> = {}): TaskDefinition => ({
  name,
  stopTimeoutMs: 120_000,
  healthCheck: { intervalMs: 1_000, retries: 3, startPeriodMs: 5_000 },
  ...more,
});

/** A service with one task that runs. */
export function runningService(settings: ServiceSettings = {}) {
  const service = fakeService(settings);
  service.scheduler.update({ desired: 1, definition: definition('agent:1') });
  const [task] = service.scheduler.tasks as [EcsTask];
  task.status = 'RUNNING';
  return { ...service, task };
}
