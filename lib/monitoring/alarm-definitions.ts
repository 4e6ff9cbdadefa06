// SPDX-License-Identifier: Apache-2.0

// What each alarm watches. When it goes off by default is in alarm-thresholds.ts, what it means in runbooks.ts.

import { type IMetric, MathExpression, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { Duration } from 'aws-cdk-lib/core';
import type { NovaSonicLane } from '../access/nova-sonic-lanes.js';
import { runningTasks } from '../service/agent-metrics.js';
import type { AgentAlarmsProps } from './agent-alarms-props.js';
import type { ResolvedThresholds } from './alarm-thresholds.js';
import { demandAtMaximum } from './demand-at-maximum.js';
import type { AlarmName } from './runbooks.js';

/** An alarm as CloudWatch needs it. */
export interface AlarmDefinition {
  readonly metric: IMetric;
  readonly threshold: number;
  /** Consecutive breaching periods. Default: one. */
  readonly periods?: number;
  /** Whether values below the threshold breach. Default: values at or above it. */
  readonly below?: boolean;
  /** Whether missing data breaches. */
  readonly missingIsBreaching?: boolean;
}

const FIVE_MINUTES = Duration.minutes(5);
const ONE_MINUTE = Duration.minutes(1);

/** Every alarm that the props ask for, by the ID of its construct. */
export const alarmDefinitions = (
  props: AgentAlarmsProps,
  thresholds: ResolvedThresholds,
): Partial<Record<AlarmName, AlarmDefinition>> => ({
  ...capacityAlarms(props, thresholds),
  ...qualityAlarms(props, thresholds),
  ...healthAlarms(props, thresholds),
});

/** Streams of all lanes together. */
export const streamsOf = (lanes: readonly Pick<NovaSonicLane, 'streams'>[]): number =>
  lanes.reduce((sum, { streams }) => sum + streams, 0);

/** Percentage of all streams in use, by the calls, since an alarm may have ten metrics. */
function fillingOfAllLanes(
  { metrics, service }: AgentAlarmsProps,
  lanes: NonNullable<AgentAlarmsProps['lanes']>,
): IMetric {
  return new MathExpression({
    expression: `100 * calls * tasks / ${streamsOf(lanes)}`,
    usingMetrics: { tasks: runningTasks(service), calls: metrics.activeCalls() },
    label: 'Bedrock streams in use in all lanes (percent of their quotas)',
    period: ONE_MINUTE,
  });
}

/** Percentage of the quota in use in the Region with the most room: the first ones of the list fill up before it. */
function fillingOfEmptiestRegion(props: AgentAlarmsProps): IMetric {
  const { metrics, regions, service, streamQuotaPerRegion } = props;
  const streams = Object.fromEntries(
    regions.map((region, index) => [`region${index + 1}`, metrics.activeStreams(region)]),
  );
  const ids = Object.keys(streams);
  const least = ids.length === 1 ? ids[0] : `MIN([${ids.join(', ')}])`;
  return new MathExpression({
    expression: `100 * ${least} * tasks / ${streamQuotaPerRegion}`,
    usingMetrics: { tasks: runningTasks(service), ...streams },
    label: 'Bedrock streams in use in the emptiest Region (percent of the quota)',
    period: ONE_MINUTE,
  });
}

/** Is there room for the next call? */
const capacityAlarms = (props: AgentAlarmsProps, thresholds: ResolvedThresholds) =>
  ({
    SlotUtilizationHigh: {
      metric: props.metrics.slotUtilization(),
      threshold: thresholds.slotUtilizationPercent,
      // New tasks relieve the others within two or three minutes, unless none may or can start.
      periods: 5,
    },
    CallersUnanswered: {
      metric: props.metrics.callersUnanswered(),
      threshold: 1,
      // A burst waits for its first new tasks, which may take two minutes.
      periods: 3,
    },
    CallersTurnedAway: {
      metric: props.metrics.callersTurnedAway({ period: FIVE_MINUTES }),
      threshold: thresholds.callersTurnedAway,
    },
    CallsRejected: {
      metric: props.metrics.callsRejected({ period: FIVE_MINUTES }),
      threshold: thresholds.callsRejected,
    },
    StreamQuotaUtilizationHigh: {
      metric: props.lanes ? fillingOfAllLanes(props, props.lanes) : fillingOfEmptiestRegion(props),
      threshold: thresholds.streamQuotaPercent,
      periods: 2,
    },
    ...(props.scaling && {
      TasksAtMaximum: {
        metric: demandAtMaximum(props, props.scaling),
        threshold: 1,
        // A deployment runs twice the tasks, with room for all calls.
        periods: 10,
      },
    }),
  }) satisfies Record<string, AlarmDefinition>;

/** Are calls good? */
const qualityAlarms = (
  { metrics, serviceLevel }: AgentAlarmsProps,
  thresholds: ResolvedThresholds,
) =>
  ({
    ...(serviceLevel && {
      AnswerBudgetBurning: {
        metric: serviceLevel.answerBurnRate(),
        threshold: thresholds.errorBudgetBurnRate,
      },
      ReplyBudgetBurning: {
        metric: serviceLevel.replyBurnRate(),
        threshold: thresholds.errorBudgetBurnRate,
      },
    }),
    TimeToAnswerHigh: {
      metric: metrics.timeToAnswer(Stats.p(95), { period: FIVE_MINUTES }),
      threshold: thresholds.timeToAnswerP95Ms,
      periods: 3,
    },
    ReplyLatencyHigh: {
      metric: metrics.timeToFirstAudio(Stats.p(90), { period: FIVE_MINUTES }),
      threshold: thresholds.timeToFirstAudioP90Ms,
      periods: 3,
    },
    StreamErrors: {
      metric: metrics.streamErrors({ period: FIVE_MINUTES }),
      threshold: thresholds.streamErrors,
    },
    Throttles: {
      // With several Regions, throttles are how calls come to the next one.
      metric: metrics.callsWithoutRegion({ period: FIVE_MINUTES }),
      threshold: thresholds.throttles,
    },
    JobCrashes: { metric: metrics.jobCrashes({ period: FIVE_MINUTES }), threshold: 1 },
  }) satisfies Record<string, AlarmDefinition>;

/** Does the service itself work? */
const healthAlarms = (props: AgentAlarmsProps, thresholds: ResolvedThresholds) =>
  ({
    NoTaskRunning: {
      metric: runningTasks(props.service),
      threshold: 1,
      periods: 3,
      below: true,
      missingIsBreaching: true,
    },
    NoTaskRegistered: {
      metric: props.metrics.workersRegistered(),
      threshold: 1,
      periods: 3,
      below: true,
      // Missing data has its own alarm, MetricsMissing.
    },
    ...(props.syntheticCallInterval && {
      SyntheticCallsFailing: {
        metric: props.metrics.syntheticCallsAnswered({
          period: props.syntheticCallInterval,
          statistic: Stats.SUM,
        }),
        threshold: 1,
        // A task that starts late leaves one period empty.
        periods: 2,
        below: true,
        missingIsBreaching: true,
      },
    }),
    MetricsMissing: {
      metric: props.metrics.slotUtilization({ statistic: Stats.SAMPLE_COUNT }),
      threshold: 1,
      periods: 5,
      below: true,
      missingIsBreaching: true,
    },
    ProtectionFailures: {
      metric: props.metrics.protectionFailures({ period: FIVE_MINUTES }),
      threshold: thresholds.protectionFailures,
      periods: 2,
    },
    UnprotectedCalls: {
      metric: props.metrics.unprotectedCalls(),
      threshold: 1,
      // ECS protects no task of a busy deployment until the old ones have left, call by call.
      periods: 30,
    },
    OverdueCalls: { metric: props.metrics.overdueCalls(), threshold: 1, periods: 2 },
    CrashLoop: {
      metric: props.taskCrashes(Duration.minutes(15)),
      threshold: thresholds.taskCrashes,
    },
  }) satisfies Record<string, AlarmDefinition>;
