// SPDX-License-Identifier: Apache-2.0

import {
  AdjustmentType,
  MetricAggregationType,
  Schedule,
} from 'aws-cdk-lib/aws-applicationautoscaling';
import type { FargateService, ScalableTaskCount } from 'aws-cdk-lib/aws-ecs';
import { Duration, TimeZone, Token } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { BURST_SLOT_SHARE, RANGES, taskCountMistake } from '../limits.js';
import type { AgentMetrics } from '../service/agent-metrics.js';
import { isCron } from './cron.js';

/** Bounds of the number of tasks from a time on, until the next schedule changes them. */
export interface TaskSchedule {
  /** When: minute, hour, day of month, month, day of week, as in `0 8 ? * MON-FRI`. */
  readonly cron: string;
  /**
   * IANA time zone of `cron`; it follows that zone's daylight saving.
   * @default 'UTC'
   */
  readonly timeZone?: string;
  /** Least tasks from then on. Raise it before the first callers of the day come. */
  readonly minTasks: number;
  /** Most tasks from then on. */
  readonly maxTasks: number;
}

export interface SessionScalingProps {
  /** The service to scale. It must have no desired count of its own. */
  readonly service: FargateService;

  /** Metrics that its tasks publish. */
  readonly metrics: AgentMetrics;

  /**
   * Least tasks. They are paid for idle, and their free slots take the first callers of a burst.
   * @default 1
   */
  readonly minTasks?: number;

  /**
   * Most tasks: the bound of what a flood of calls can cost.
   * @default 2
   */
  readonly maxTasks?: number;

  /**
   * Share of call slots in percent at which the number of tasks is held. Lower leaves more free slots for a burst and
   * costs more idle; must stay below the 85 percent at which the fast step-out starts.
   * @default 60
   */
  readonly targetSlotShare?: number;

  /**
   * Times at which the bounds change, such as business hours.
   * @default - none
   */
  readonly schedules?: readonly TaskSchedule[];
}

/**
 * Scales on the one thing that fills up: call slots. CPU says little about calls that mostly wait for speech.
 *
 * Three policies: target tracking on the share of slots in use; a step-out that acts within half a minute on a burst;
 * and scale-in one task at a time, after 15 quiet minutes. A task with calls on it is protected from scale-in.
 */
export class SessionScaling extends Construct {
  public readonly target: ScalableTaskCount;

  /** @throws Error with one sentence when the bounds or the target cannot be. */
  constructor(scope: Construct, id: string, props: SessionScalingProps) {
    super(scope, id);
    const { minTasks = 1, maxTasks = 2, targetSlotShare = 60 } = props;
    if (!Token.isUnresolved(minTasks) && !Token.isUnresolved(maxTasks)) {
      const mistake = taskCountMistake(minTasks, maxTasks);
      if (mistake) throw new Error(mistake);
    }
    const [least, most] = RANGES.targetSlotShare;
    if (
      !Token.isUnresolved(targetSlotShare) &&
      (targetSlotShare < least || targetSlotShare > most)
    ) {
      throw new Error(
        `"targetSlotShare" cannot be ${targetSlotShare}: it is a percentage from ${least} to ${most}.`,
      );
    }

    this.target = props.service.autoScaleTaskCount({
      minCapacity: minTasks,
      maxCapacity: maxTasks,
    });
    this.target.scaleToTrackCustomMetric('SlotShare', {
      metric: props.metrics.slotShare(),
      targetValue: targetSlotShare,
      scaleOutCooldown: Duration.seconds(60),
      // Application Auto Scaling also waits for 15 minutes below the target before it takes a task away.
      scaleInCooldown: Duration.minutes(5),
    });
    this.target.scaleOnMetric('Burst', {
      // Ten-second periods, which the tasks' high-resolution metric allows: two of them, then tasks start.
      metric: props.metrics.slotShare({ period: Duration.seconds(10) }),
      evaluationPeriods: 2,
      metricAggregationType: MetricAggregationType.AVERAGE,
      adjustmentType: AdjustmentType.PERCENT_CHANGE_IN_CAPACITY,
      minAdjustmentMagnitude: 1,
      cooldown: Duration.seconds(60),
      scalingSteps: [
        { lower: BURST_SLOT_SHARE, change: 50 },
        { lower: 95, change: 100 },
      ],
    });
    for (const [index, schedule] of (props.schedules ?? []).entries()) {
      this.addSchedule(`Schedule${index + 1}`, schedule);
    }
  }

  /**
   * Changes the bounds from a time on, until another schedule does.
   * @throws Error with one sentence when the bounds cannot be.
   */
  public addSchedule(id: string, schedule: TaskSchedule): void {
    if (!isCron(schedule.cron)) {
      throw new Error(
        `"cron" cannot be "${schedule.cron}": it has five fields with a ? for the day of the month or of the week, as in "0 8 ? * MON-FRI".`,
      );
    }
    const mistake = taskCountMistake(schedule.minTasks, schedule.maxTasks);
    if (mistake) throw new Error(`In the schedule "${schedule.cron}", ${mistake}`);
    this.target.scaleOnSchedule(id, {
      schedule: Schedule.expression(`cron(${schedule.cron} *)`),
      timeZone: TimeZone.of(schedule.timeZone ?? 'Etc/UTC'),
      minCapacity: schedule.minTasks,
      maxCapacity: schedule.maxTasks,
    });
  }
}
