// SPDX-License-Identifier: Apache-2.0

import {
  AdjustmentType,
  CfnScalingPolicy,
  MetricAggregationType,
  Schedule,
  StepScalingAction,
} from 'aws-cdk-lib/aws-applicationautoscaling';
import {
  Alarm,
  ComparisonOperator,
  MathExpression,
  type Metric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { ApplicationScalingAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { FargateService, ScalableTaskCount } from 'aws-cdk-lib/aws-ecs';
import { Duration, Names, TimeZone, Token, Tokenization } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { warnRenamedProp } from '../deprecation.js';
import type { AgentMetrics } from '../service/agent-metrics.js';
import { RANGES, validateTaskCounts } from '../service-limits.js';
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
   * Percentage of call slots in use that scaling aims for. A lower value leaves more free slots for a burst, and tasks
   * cost more; they are 2 percent of the bill.
   * @default 45
   */
  readonly targetSlotUtilization?: number;

  /** @deprecated Use `targetSlotUtilization`. */
  readonly targetSlotShare?: number;

  /**
   * The steps of a rush: expected demand in percent of what the tasks are meant to carry, at which each begins; at most 20, above
   * 100 and ascending. Each adds what its own interval needs.
   * @default - 140, 160, 180, 200, 250, 300, 400, 500, 600, 800, 1000, 1200, 1600
   */
  readonly rushSteps?: readonly number[];

  /**
   * How long after a step only a larger one adds more tasks: as long as new tasks take to start and to show in the metrics.
   * @default Duration.seconds(120)
   */
  readonly rushCooldown?: Duration;

  /**
   * Times at which the minimum and maximum change, such as business hours.
   * @default - none
   */
  readonly schedules?: readonly TaskSchedule[];
}

/**
 * Expected demand in percent of what the tasks are meant to carry at which a rush starts, and the demand of each further
 * step. Each step asks for what its own interval needs, so that one step is enough.
 */
const RUSH_STEPS = [140, 160, 180, 200, 250, 300, 400, 500, 600, 800, 1000, 1200, 1600];

/** As long as new tasks take to start and to show in the metrics; until then only a larger step adds more. */
const RUSH_COOLDOWN = Duration.seconds(120);

/**
 * Scales on demand over capacity: the call slots that callers need, of those of tasks that take calls.
 *
 * Two policies. Target tracking follows the calls, and scales in after 15 minutes below the target; a task with calls is
 * protected from scale-in. The rush looks ahead: it adds what the growth of the last minute will need by the time that a
 * new task takes calls, in one step, within half a minute. `npm run simulate` shows what they do.
 */
export class CallScaling extends Construct {
  public readonly target: ScalableTaskCount;
  /** Maximum number of tasks; with schedules, the highest of theirs. */
  public readonly maxTasks: number;
  /** Percentage of call slots in use that scaling aims for. */
  public readonly targetSlotUtilization: number;

  /** @throws Error with one sentence when a limit or the target is invalid */
  constructor(scope: Construct, id: string, props: CallScalingProps) {
    super(scope, id);
    const { minTasks = 1, maxTasks = 2 } = props;
    if (props.targetSlotShare !== undefined) {
      warnRenamedProp(this, 'targetSlotShare', 'targetSlotUtilization');
    }
    const targetSlotUtilization = props.targetSlotUtilization ?? props.targetSlotShare ?? 45;
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

    const { schedules = [] } = props;
    this.maxTasks =
      schedules.length > 0 ? Math.max(...schedules.map((one) => one.maxTasks)) : maxTasks;
    this.targetSlotUtilization = targetSlotUtilization;
    this.target = props.service.autoScaleTaskCount({
      minCapacity: minTasks,
      maxCapacity: maxTasks,
    });
    this.followCalls(props.metrics, targetSlotUtilization);
    this.meetRush(props, targetSlotUtilization);
    for (const [index, schedule] of schedules.entries()) {
      this.addSchedule(`Schedule${index + 1}`, schedule);
    }
  }

  private followCalls(metrics: AgentMetrics, targetValue: number): void {
    const sum = (id: string, metric: Metric) => ({
      id,
      metricStat: {
        metric: {
          namespace: metric.namespace,
          metricName: metric.metricName,
          dimensions: [{ name: 'service', value: metrics.serviceName }],
        },
        stat: metric.statistic,
      },
      returnData: false,
    });
    // The L2 construct takes no metric math.
    new CfnScalingPolicy(this, 'Calls', {
      policyName: `${Names.uniqueId(this)}Calls`,
      policyType: 'TargetTrackingScaling',
      // The reference to a scalable target is its ID.
      scalingTargetId: this.target.scalableTargetRef.resourceId,
      targetTrackingScalingPolicyConfiguration: {
        targetValue,
        customizedMetricSpecification: {
          metrics: [
            { id: 'percent', expression: '100 * demand / capacity', returnData: true },
            sum('demand', metrics.callDemand()),
            sum('capacity', metrics.callCapacity()),
          ],
        },
        scaleOutCooldown: 60,
        // Application Auto Scaling also waits for 15 minutes below the target before it removes a task.
        scaleInCooldown: 300,
      },
    });
  }

  private meetRush(
    { metrics, rushSteps = RUSH_STEPS, rushCooldown = RUSH_COOLDOWN }: CallScalingProps,
    targetSlotUtilization: number,
  ): void {
    const [threshold = 0] = rushSteps;
    const ascend = rushSteps.every((from, index) => from > (rushSteps[index - 1] ?? 100));
    if (rushSteps.length < 1 || rushSteps.length > 20 || !ascend) {
      throw new Error(
        `"rushSteps" cannot be ${JSON.stringify(rushSteps)}: give 1 to 20 percentages above 100 in ascending order.`,
      );
    }
    // The metrics are high-resolution.
    const period = Duration.seconds(10);
    const target = Tokenization.stringifyNumber(targetSlotUtilization);
    const action = new StepScalingAction(this, 'Rush', {
      scalingTarget: this.target,
      adjustmentType: AdjustmentType.PERCENT_CHANGE_IN_CAPACITY,
      minAdjustmentMagnitude: 1,
      cooldown: rushCooldown,
      metricAggregationType: MetricAggregationType.AVERAGE,
    });
    for (const [index, from] of rushSteps.entries()) {
      const to = rushSteps[index + 1];
      action.addAdjustment({
        adjustment: Math.round(Math.sqrt(from * (to ?? from)) - 100),
        lowerBound: from - threshold,
        ...(to !== undefined && { upperBound: to - threshold }),
      });
    }
    const alarm = new Alarm(this, 'RushAlarm', {
      alarmDescription:
        'Starts tasks: more callers are expected than there are free slots. It needs no attention.',
      metric: new MathExpression({
        expression: `100 * 100 * expected / capacity / ${target}`,
        usingMetrics: {
          expected: metrics.expectedCallDemand({ period }),
          capacity: metrics.callCapacity({ period }),
        },
        label: 'Expected demand (percent of the target)',
        period,
      }),
      threshold,
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(new ApplicationScalingAction(action));
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
