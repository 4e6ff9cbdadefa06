// SPDX-License-Identifier: Apache-2.0

import {
  Alarm,
  ComparisonOperator,
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
import { type AgentMetrics, runningTasks } from '../service/agent-metrics.js';

/** From which value on an alarm goes off. */
export interface AlarmThresholds {
  /**
   * Share of all slots in percent, for longer than it takes to start a task.
   * @default 90
   */
  readonly slotUtilizationPercent?: number;
  /**
   * Refused calls in five minutes.
   * @default 5
   */
  readonly callsRejected?: number;
  /**
   * Milliseconds to the first sound of a reply that one caller in ten waits longer than.
   * @default 2500
   */
  readonly timeToFirstAudioP90Ms?: number;
  /**
   * Failed Bedrock streams in five minutes.
   * @default 5
   */
  readonly streamErrors?: number;
  /**
   * Throttled Bedrock streams in five minutes.
   * @default 1
   */
  readonly throttles?: number;
  /**
   * Share of the stream quota of all Regions in percent.
   * @default 80
   */
  readonly streamQuotaPercent?: number;
  /**
   * Refused requests for task protection in five minutes.
   * @default 1
   */
  readonly protectionFailures?: number;
  /**
   * Tasks that ended on their own in fifteen minutes.
   * @default 3
   */
  readonly taskCrashes?: number;
}

export interface AgentAlarmsProps {
  /** The service whose tasks are counted. */
  readonly service: FargateService;
  /** What its tasks publish. */
  readonly metrics: AgentMetrics;
  /** Number of tasks that ended on their own, for a period. */
  readonly taskCrashes: (period: Duration) => IMetric;
  /** Streams that may be open at once in all Regions together. */
  readonly streamQuota: number;
  /**
   * Who is told when an alarm goes off and when it is over.
   * @default - nobody; the alarms are still in the console and on the dashboard
   */
  readonly topic?: ITopic;
  /**
   * From which values on the alarms go off.
   * @default - see each threshold
   */
  readonly thresholds?: AlarmThresholds;
}

interface AlarmSpec {
  readonly metric: IMetric;
  readonly threshold: number;
  /** Periods in a row that must be bad. Default: one. */
  readonly periods?: number;
  /** Default: at or above the threshold is bad. */
  readonly below?: boolean;
  /** Whether no data at all is bad. */
  readonly missingIsBreaching?: boolean;
  /** What it means and what to do first: the alarm's description, read at night on a phone. */
  readonly runbook: string;
}

const FIVE_MINUTES = Duration.minutes(5);
const ONE_MINUTE = Duration.minutes(1);

/** One alarm for each way in which callers can be hurt, each with the first thing to do in its description. */
export class AgentAlarms extends Construct {
  public readonly alarms: readonly Alarm[];

  constructor(scope: Construct, id: string, props: AgentAlarmsProps) {
    super(scope, id);
    const specs = { ...this.capacity(props), ...this.quality(props), ...this.soundness(props) };
    const action = props.topic && new SnsAction(props.topic);
    this.alarms = Object.entries(specs).map(([name, spec]) => {
      const alarm = new Alarm(this, name, {
        metric: spec.metric,
        threshold: spec.threshold,
        evaluationPeriods: spec.periods ?? 1,
        comparisonOperator: spec.below
          ? ComparisonOperator.LESS_THAN_THRESHOLD
          : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treatMissingData: spec.missingIsBreaching
          ? TreatMissingData.BREACHING
          : TreatMissingData.NOT_BREACHING,
        alarmDescription: spec.runbook,
      });
      if (action) {
        alarm.addAlarmAction(action);
        alarm.addOkAction(action);
      }
      return alarm;
    });
  }

  /** Is there room for the next call? */
  private capacity(props: AgentAlarmsProps): Record<string, AlarmSpec> {
    const { metrics, service, streamQuota } = props;
    const {
      slotUtilizationPercent = 90,
      callsRejected: callsRefused = 5,
      streamQuotaPercent = 80,
    } = props.thresholds ?? {};
    return {
      SlotUtilizationHigh: {
        metric: metrics.slotUtilization(),
        threshold: slotUtilizationPercent,
        // New tasks relieve the others within two or three minutes, unless they may not or do not start.
        periods: 5,
        runbook: `For five minutes ${slotUtilizationPercent} percent of the slots were taken and no new task has helped: if the service is at its maximum of tasks, raise it (cdk deploy --parameters MaxTasks=..., or maxTasks of the schedule) and mind the stream quota; if not, read the service events in the ECS console.`,
      },
      CallsRejected: {
        metric: metrics.callsRejected({ period: FIVE_MINUTES }),
        threshold: callsRefused,
        runbook:
          'Tasks refuse calls: see "Calls refused by reason" on the dashboard; "full" wants more MinTasks or a lower TargetSlotUtilization, "protection" is an ECS matter, "draining" is normal during a deploy.',
      },
      StreamQuotaUtilizationHigh: {
        metric: new MathExpression({
          expression: `100 * calls * tasks / ${streamQuota}`,
          usingMetrics: { tasks: runningTasks(service), calls: metrics.activeCalls() },
          label: 'Bedrock streams in use (percent of the quota)',
          period: ONE_MINUTE,
        }),
        threshold: streamQuotaPercent,
        periods: 2,
        runbook: `Calls use ${streamQuotaPercent} percent of the ${streamQuota} streams that Bedrock allows in all Regions: add a Region to bedrockRegions and deploy, before calls fail.`,
      },
    };
  }

  /** Are calls good? */
  private quality(props: AgentAlarmsProps): Record<string, AlarmSpec> {
    const { metrics } = props;
    const {
      timeToFirstAudioP90Ms: firstAudioP90Ms = 2500,
      streamErrors = 5,
      throttles = 1,
    } = props.thresholds ?? {};
    return {
      ReplyLatencyHigh: {
        metric: metrics.timeToFirstAudio(Stats.p(90), { period: FIVE_MINUTES }),
        threshold: firstAudioP90Ms,
        periods: 3,
        runbook: `One reply in ten takes longer than ${firstAudioP90Ms} ms to its first sound: compare CPU on the dashboard (near 100 percent: fewer calls per task) with the saved query "slowest replies" (one Region only: put another first).`,
      },
      StreamErrors: {
        metric: metrics.streamErrors({ period: FIVE_MINUTES }),
        threshold: streamErrors,
        runbook:
          'Bedrock streams fail: run the saved query "errors by kind"; access errors mean model access or IAM, validation errors mean a prompt, tool or voice in assistant.ts.',
      },
      Throttles: {
        metric: metrics.throttles({ period: FIVE_MINUTES }),
        threshold: throttles,
        runbook:
          'Bedrock turned streams away because the quota of a Region is used up: add a Region to bedrockRegions, or ask AWS for more streams.',
      },
      JobCrashes: {
        metric: metrics.jobCrashes({ period: FIVE_MINUTES }),
        threshold: 1,
        runbook:
          'A call ended because its process died: search the log for "job" errors of that minute; out of memory wants fewer calls per task or more memory.',
      },
    };
  }

  /** Does the service itself work? */
  private soundness(props: AgentAlarmsProps): Record<string, AlarmSpec> {
    const { metrics, service } = props;
    const { protectionFailures = 1, taskCrashes = 3 } = props.thresholds ?? {};
    return {
      NoTaskRunning: {
        metric: runningTasks(service),
        threshold: 1,
        periods: 3,
        below: true,
        missingIsBreaching: true,
        runbook:
          'No task runs, so no call is answered: read the service events in the ECS console and the task crash log; a missing secret or image is the usual reason after a deploy.',
      },
      NoTaskRegistered: {
        metric: metrics.workersRegistered(),
        threshold: 1,
        periods: 3,
        below: true,
        // Silence has its own alarm.
        runbook:
          'Tasks run but none is registered with LiveKit, so no call is answered: check that the LiveKit server is up and that the secret has its address and keys; after a change of the secret start new tasks.',
      },
      MetricsMissing: {
        metric: metrics.slotUtilization({ statistic: Stats.SAMPLE_COUNT }),
        threshold: 1,
        periods: 5,
        below: true,
        missingIsBreaching: true,
        runbook:
          'The tasks publish nothing, so scaling is blind: if tasks run, see whether their log still gets lines (rights on the log group, log driver) and restart them.',
      },
      ProtectionFailures: {
        metric: metrics.protectionFailures({ period: FIVE_MINUTES }),
        threshold: protectionFailures,
        periods: 2,
        runbook:
          'ECS does not grant task protection, so tasks refuse calls: during a deploy wait a few minutes; else check the role for ecs:UpdateTaskProtection and the ECS status page.',
      },
      CrashLoop: {
        metric: props.taskCrashes(Duration.minutes(15)),
        threshold: taskCrashes,
        runbook:
          'Tasks keep ending on their own: read stoppedReason and exitCode in the task crash log; after a deploy, roll back to the last good commit.',
      },
    };
  }
}
