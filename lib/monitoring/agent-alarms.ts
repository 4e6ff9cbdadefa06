// SPDX-License-Identifier: Apache-2.0
// Long because every alarm of the service is listed here.

import {
  Alarm,
  ComparisonOperator,
  type IAlarmAction,
  type IMetric,
  MathExpression,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { FargateService } from 'aws-cdk-lib/aws-ecs';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Duration } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { NovaSonicLane } from '../access/nova-sonic-lanes.js';
import { warnRenamedProp } from '../deprecation.js';
import { type AgentMetrics, runningTasks } from '../service/agent-metrics.js';
import { demandAtMaximum } from './demand-at-maximum.js';
import {
  type AlarmName,
  type AlarmSeverity,
  type AlarmThresholds,
  DEFAULT_THRESHOLDS,
  RENAMED_THRESHOLDS,
  type ResolvedThresholds,
  RUNBOOKS,
  runbookPath,
} from './runbooks.js';
import type { ServiceLevel } from './service-level.js';

export interface AgentAlarmsProps {
  /** The service whose tasks are counted. */
  readonly service: FargateService;
  /** The metrics that its tasks publish. */
  readonly metrics: AgentMetrics;
  /** Number of tasks that stopped on their own, per period. */
  readonly taskCrashes: (period: Duration) => IMetric;
  /** Streams that may be open at once in one Region. */
  readonly streamQuotaPerRegion: number;
  /** Bedrock Regions that calls may use. */
  readonly regions: readonly string[];
  /**
   * Lanes of several accounts, with their stream quotas. The alarm is then about all of them together, since they fill up
   * together.
   * @default - a lane for each Region
   */
  readonly lanes?: readonly Pick<NovaSonicLane, 'name' | 'streams'>[];
  /**
   * The limits within which the service scales.
   * @default - no alarm for a service at its maximum of tasks
   */
  readonly scaling?: {
    /** Maximum number of tasks. */
    readonly maxTasks: number;
    /** Percentage of call slots in use that scaling aims for. */
    readonly targetSlotUtilization: number;
  };
  /**
   * Time between two synthetic calls.
   * @default - no alarm for synthetic calls
   */
  readonly syntheticCallInterval?: Duration;
  /**
   * What callers may expect.
   * @default - no alarms for error budgets
   */
  readonly serviceLevel?: ServiceLevel;
  /**
   * Receives a message when an alarm goes off and when it is over.
   * @default - none; the alarms are still in the console and on the dashboard
   */
  readonly topic?: ITopic;
  /**
   * What else happens when an alarm goes off and when it is over, by its severity: page somebody for the critical ones.
   * @default - nothing
   */
  readonly actions?: Partial<Record<AlarmSeverity, readonly IAlarmAction[]>>;
  /**
   * Alarms by name that are left out (false) or changed.
   * @default - all, as they are documented
   */
  readonly alarms?: Partial<Record<AlarmName, false | AlarmChange>>;
  /**
   * The values at which the alarms go off.
   * @default - see each threshold
   */
  readonly thresholds?: AlarmThresholds;
}

/** A change of one alarm; `thresholds` has the value at which it goes off. */
export interface AlarmChange {
  /**
   * Consecutive periods for which the value must be reached.
   * @default - the alarm's
   */
  readonly evaluationPeriods?: number;
  /**
   * More actions of this alarm.
   * @default - none
   */
  readonly actions?: readonly IAlarmAction[];
}

interface AlarmSpec {
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

/** One alarm for each problem that affects callers, each with the first thing to do in its description. */
export class AgentAlarms extends Construct {
  public readonly alarms: readonly Alarm[];
  /** The same alarms by name, without those that are left out. */
  public readonly byName: Readonly<Partial<Record<AlarmName, Alarm>>>;

  constructor(scope: Construct, id: string, props: AgentAlarmsProps) {
    super(scope, id);
    const thresholds = this.resolveThresholds(props.thresholds ?? {});
    const specs: Partial<Record<AlarmName, AlarmSpec>> = {
      ...capacityAlarms(props, thresholds),
      ...qualityAlarms(props, thresholds),
      ...healthAlarms(props, thresholds),
    };
    const topic = props.topic ? [new SnsAction(props.topic)] : [];
    const created = (Object.entries(specs) as [AlarmName, AlarmSpec][]).flatMap(([name, spec]) => {
      const change = props.alarms?.[name] ?? {};
      if (change === false) return [];
      const alarm = this.createAlarm(name, spec, {
        words: RUNBOOKS[name].condition(thresholds, {
          perRegion: props.streamQuotaPerRegion,
          ...(props.lanes && { ofLanes: streamsOf(props.lanes) }),
        }),
        ...change,
      });
      const bySeverity = props.actions?.[RUNBOOKS[name].severity] ?? [];
      for (const action of [...topic, ...bySeverity, ...(change.actions ?? [])]) {
        alarm.addAlarmAction(action);
        alarm.addOkAction(action);
      }
      return [[name, alarm] as const];
    });
    this.byName = Object.fromEntries(created);
    this.alarms = created.map(([, alarm]) => alarm);
  }

  private createAlarm(
    name: AlarmName,
    spec: AlarmSpec,
    { words, evaluationPeriods }: AlarmChange & { words: string },
  ): Alarm {
    // The words have the usual number of periods.
    const changed = evaluationPeriods ? ` (changed: for ${evaluationPeriods} periods)` : '';
    return new Alarm(this, name, {
      metric: spec.metric,
      threshold: spec.threshold,
      evaluationPeriods: evaluationPeriods ?? spec.periods ?? 1,
      comparisonOperator: spec.below
        ? ComparisonOperator.LESS_THAN_THRESHOLD
        : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: spec.missingIsBreaching
        ? TreatMissingData.BREACHING
        : TreatMissingData.NOT_BREACHING,
      // Read at night on a phone: what happens, what to do, where to read on.
      alarmDescription: `${words}${changed}: ${RUNBOOKS[name].firstAction} Runbook: ${runbookPath(name)}`,
    });
  }

  private resolveThresholds(given: AlarmThresholds): ResolvedThresholds {
    const resolved = { ...given };
    for (const [oldName, newName] of Object.entries(RENAMED_THRESHOLDS)) {
      const value = given[oldName as keyof typeof RENAMED_THRESHOLDS];
      if (value === undefined) continue;
      warnRenamedProp(this, oldName, newName);
      Object.assign(resolved, { [newName]: given[newName] ?? value });
    }
    const set = Object.entries(resolved).filter(([, value]) => value !== undefined);
    return { ...DEFAULT_THRESHOLDS, ...Object.fromEntries(set) };
  }
}

const streamsOf = (lanes: readonly Pick<NovaSonicLane, 'streams'>[]): number =>
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
  }) satisfies Record<string, AlarmSpec>;

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
  }) satisfies Record<string, AlarmSpec>;

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
  }) satisfies Record<string, AlarmSpec>;
