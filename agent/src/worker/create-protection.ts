// SPDX-License-Identifier: Apache-2.0

import { log } from '@livekit/agents';
import type { WorkerConfig } from '../config.js';
import { TaskProtection } from '../ecs/task-protection.js';
import type { WorkerMetrics } from '../telemetry/metrics.js';
import type { WorkerPeers } from './worker-peers.js';

/** The protection of a worker's task, which logs and counts what ECS makes of it; outside ECS it is always confirmed. */
export function createProtection(
  { ecsAgentUri, maxCallMs, protection }: WorkerConfig,
  metrics: Pick<WorkerMetrics, 'add'>,
  { clock, ecsAgent, random }: Pick<WorkerPeers, 'clock' | 'ecsAgent' | 'random'>,
): TaskProtection {
  if (!ecsAgentUri) log().info('not on ECS: task protection is off');
  let reported = '';
  return new TaskProtection(ecsAgentUri ? ecsAgent(ecsAgentUri) : undefined, clock, {
    ...protection,
    longestCallMs: maxCallMs,
    random,
    onChange: (confirmed) => {
      reported = '';
      log().info({ confirmed }, 'task protection changed');
    },
    onFailure: (what, reason) => {
      metrics.add('ProtectionFailures');
      // Once: while a deployment is in progress ECS may refuse for as long as the longest call.
      const level = reported === reason ? 'debug' : 'warn';
      reported = reason;
      log()[level]({ what, reason }, 'ECS did not confirm the task protection');
    },
  });
}
