// SPDX-License-Identifier: Apache-2.0

import { type IMetric, MathExpression } from 'aws-cdk-lib/aws-cloudwatch';
import type { FargateService } from 'aws-cdk-lib/aws-ecs';
import { Duration, Tokenization } from 'aws-cdk-lib/core';
import { type AgentMetrics, runningTasks } from '../service/agent-metrics.js';

interface ScalingLimits {
  readonly maxTasks: number;
  readonly targetSlotUtilization: number;
}

/** 1 while all tasks that are allowed run, and calls need more of them than scaling aims for. */
export function demandAtMaximum(
  { metrics, service }: { readonly metrics: AgentMetrics; readonly service: FargateService },
  { maxTasks, targetSlotUtilization }: ScalingLimits,
): IMetric {
  const [most, target] = [maxTasks, targetSlotUtilization].map((value) =>
    Tokenization.stringifyNumber(value),
  );
  return new MathExpression({
    expression: `IF(tasks >= ${most} AND 100 * demand / capacity > ${target}, 1, 0)`,
    usingMetrics: {
      tasks: runningTasks(service),
      demand: metrics.callDemand(),
      capacity: metrics.callCapacity(),
    },
    label: 'At the maximum of tasks, with more calls than it aims for',
    period: Duration.minutes(1),
  });
}
