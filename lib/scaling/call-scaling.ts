// SPDX-License-Identifier: Apache-2.0

import {
  AdjustmentType,
  MetricAggregationType,
  Schedule,
} from 'aws-cdk-lib/aws-applicationautoscaling';
import type { FargateService, ScalableTaskCount } from 'aws-cdk-lib/aws-ecs';
import { Duration, TimeZone, Token } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { warnRenamedProp } from '../deprecation.js';
import type { AgentMetrics } from '../service/agent-metrics.js';
import { BURST_SLOT_UTILIZATION, RANGES, validateTaskCounts } from '../service-limits.js';
import { isCron } from './cron.js';

/** Minimum and maximum number of tasks from a time on, until the next schedule changes them. */
export interface TaskSchedule {
  /** When: minute, hour, day of month, month, day of week, as in `0 8 ? * MON-FRI`. */
  readonly cron: string;
  /**
   * IANA time zone of `cron`; it follows that zone's daylight saving.
   * @default 'UTC'
   */
  readonly timeZone?: string;
  /** Minimum number of tasks. Raise it before the first callers of the day arrive. */
  readonly minTasks: number;
  /** Maximum number of tasks. */
  readonly maxTasks: number;
}

export interface CallScalingProps {
  /** The service to scale. It must not set a desired count. */
  readonly service: FargateService;

  /** Metrics that its tasks publish. */
  readonly metrics: AgentMetrics;

  /**
   * Minimum number of tasks. They cost money when idle, and their free slots take the first callers of a burst.
   * @default 1
   */
  readonly minTasks?: number;

  /**
   * Maximum number of tasks; limits what a flood of calls can cost.
   * @default 2
   */
  readonly maxTasks?: number;

  /**
   * Percentage of call slots in use that scaling aims for. A lower value leaves more free slots for a burst and costs
   * more when idle; it must stay below the 85 percent at which the fast step-out starts.
   * @default 60
   */
  readonly targetSlotUtilization?: number;

  /** @deprecated Use `targetSlotUtilization`. */
  readonly targetSlotShare?: number;

  /**
   * Times at which the minimum and maximum change, such as business hours.
   * @default - none
   */
  readonly schedules?: readonly TaskSchedule[];
}

/**
 * Scales on call slots in use. CPU says little about calls that mostly wait for speech.
 *
 * Three policies: target tracking on slot utilization; a step-out that reacts to a burst within half a minute; and
 * scale-in, one task at a time, after 15 minutes below the target. A task with calls is protected from scale-in.
 */
export class CallScaling extends Construct {
  public readonly target: ScalableTaskCount;

  /** @throws Error with one sentence when a limit or the target is invalid */
  constructor(scope: Construct, id: string, props: CallScalingProps) {
    super(scope, id);
    const { minTasks = 1, maxTasks = 2 } = props;
    if (props.targetSlotShare !== undefined) {
      warnRenamedProp(this, 'targetSlotShare', 'targetSlotUtilization');
    }
    const targetSlotUtilization = props.targetSlotUtilization ?? props.targetSlotShare ?? 60;
    if (!Token.isUnresolved(minTasks) && !Token.isUnresolved(maxTasks)) {
      const problem = validateTaskCounts(minTasks, maxTasks);
      if (problem) throw new Error(problem);
    }
    const [min, max] = RANGES.targetSlotUtilization;
    if (
      !Token.isUnresolved(targetSlotUtilization) &&
      (targetSlotUtilization < min || targetSlotUtilization > max)
    ) {
      throw new Error(
        `"targetSlotUtilization" cannot be ${targetSlotUtilization}: it is a percentage from ${min} to ${max}.`,
      );
    }

    this.target = props.service.autoScaleTaskCount({
      minCapacity: minTasks,
      maxCapacity: maxTasks,
    });
    this.target.scaleToTrackCustomMetric('SlotUtilization', {
      metric: props.metrics.slotUtilization(),
      targetValue: targetSlotUtilization,
      scaleOutCooldown: Duration.seconds(60),
      // Application Auto Scaling also waits for 15 minutes below the target before it removes a task.
      scaleInCooldown: Duration.minutes(5),
    });
    this.target.scaleOnMetric('Burst', {
      // The metric is high-resolution: two ten-second periods above the limit start new tasks.
      metric: props.metrics.slotUtilization({ period: Duration.seconds(10) }),
      evaluationPeriods: 2,
      metricAggregationType: MetricAggregationType.AVERAGE,
      adjustmentType: AdjustmentType.PERCENT_CHANGE_IN_CAPACITY,
      minAdjustmentMagnitude: 1,
      cooldown: Duration.seconds(60),
      scalingSteps: [
        { lower: BURST_SLOT_UTILIZATION, change: 50 },
        { lower: 95, change: 100 },
      ],
    });
    for (const [index, schedule] of (props.schedules ?? []).entries()) {
      this.addSchedule(`Schedule${index + 1}`, schedule);
    }
  }

  /**
   * Changes minimum and maximum from a time on, until another schedule does.
   * @throws Error with one sentence when the schedule is invalid
   */
  public addSchedule(id: string, schedule: TaskSchedule): void {
    if (!isCron(schedule.cron)) {
      throw new Error(
        `"cron" cannot be "${schedule.cron}": it has five fields with a ? for the day of the month or of the week, as in "0 8 ? * MON-FRI".`,
      );
    }
    const problem = validateTaskCounts(schedule.minTasks, schedule.maxTasks);
    if (problem) throw new Error(`In the schedule "${schedule.cron}", ${problem}`);
    this.target.scaleOnSchedule(id, {
      schedule: Schedule.expression(`cron(${schedule.cron} *)`),
      timeZone: TimeZone.of(schedule.timeZone ?? 'Etc/UTC'),
      minCapacity: schedule.minTasks,
      maxCapacity: schedule.maxTasks,
    });
  }
}
