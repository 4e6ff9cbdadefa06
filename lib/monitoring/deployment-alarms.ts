// SPDX-License-Identifier: Apache-2.0

import {
  Alarm,
  ComparisonOperator,
  MathExpression,
  type Metric,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Duration } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { VoiceAgentService } from '../service/voice-agent-service.js';
import { RANGES, validateRange } from '../service-limits.js';

/** The values at which a deployment is rolled back. */
export interface DeploymentAlarmThresholds {
  /**
   * Failed Bedrock streams in a minute.
   * @default 3
   */
  readonly streamErrors?: number;
  /**
   * Calls in a minute that ended with their process.
   * @default 1
   */
  readonly jobCrashes?: number;
  /**
   * Milliseconds to the first audio of a reply, 90th percentile of a minute with five replies or more; in three minutes of
   * the bake time.
   * @default 4000
   */
  readonly timeToFirstAudioP90Ms?: number;
  /**
   * Calls accepted within five minutes in which the model did not reply once.
   * @default 3
   */
  readonly callsWithoutReply?: number;
}

export interface DeploymentAlarmsProps {
  /** The service whose deployments are watched. */
  readonly agent: VoiceAgentService;

  /**
   * How long ECS watches the alarms once the new tasks are healthy, 1 to 180 minutes. ECS computes this from the alarms, each of
   * which looks back for so long. The old tasks stay meanwhile, and leave new calls to the new ones after two minutes.
   * @default Duration.minutes(10)
   */
  readonly bakeTime?: Duration;

  /**
   * The values at which a deployment is rolled back.
   * @default - see each threshold
   */
  readonly thresholds?: DeploymentAlarmThresholds;
}

const MINUTE = Duration.minutes(1);
const FIVE_MINUTES = Duration.minutes(5);
/** Fewer replies make no percentile. */
const ENOUGH_REPLIES = 5;

/**
 * Alarms that roll a deployment back: the streams of the new version fail, its calls crash, or its replies are slow or
 * missing. ECS does not watch an alarm that is in the state ALARM when a deployment starts (by the manual of AWS Copilot, it
 * then watches none), so a fix can be deployed at once.
 */
export class DeploymentAlarms extends Construct {
  public readonly alarms: readonly Alarm[];

  /** @throws Error with one sentence when the bake time is out of range */
  constructor(scope: Construct, id: string, props: DeploymentAlarmsProps) {
    super(scope, id);
    const bake = props.bakeTime ?? Duration.minutes(10);
    const problem = validateRange(
      'bakeTime',
      bake.toMinutes(),
      [1, RANGES.bakeMinutes[1]],
      ' minutes',
    );
    if (problem) throw new Error(problem);
    const { metrics } = props.agent;
    const {
      streamErrors = 3,
      jobCrashes = 1,
      timeToFirstAudioP90Ms = 4000,
      callsWithoutReply = 3,
    } = props.thresholds ?? {};

    const add = (
      name: string,
      metric: Metric | MathExpression,
      threshold: number,
      what: string,
      datapoints = 1,
    ) => {
      const periods = Math.ceil(bake.toSeconds() / metric.period.toSeconds());
      return new Alarm(this, name, {
        metric,
        threshold,
        evaluationPeriods: periods,
        datapointsToAlarm: Math.min(datapoints, periods),
        comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treatMissingData: TreatMissingData.NOT_BREACHING,
        alarmDescription: `Rolls a deployment back that is in progress: ${what}. Runbook: docs/operations/deploy.md#roll-back`,
      });
    };
    this.alarms = [
      add(
        'StreamErrors',
        metrics.streamErrors({ period: MINUTE }),
        streamErrors,
        'Bedrock streams fail',
      ),
      add(
        'JobCrashes',
        metrics.jobCrashes({ period: MINUTE }),
        jobCrashes,
        'calls end with their process',
      ),
      add(
        'ReplyLatency',
        new MathExpression({
          expression: `IF(replies >= ${ENOUGH_REPLIES}, latency, 0)`,
          usingMetrics: {
            latency: metrics.timeToFirstAudio(Stats.p(90), { period: MINUTE }),
            replies: metrics.timeToFirstAudio(Stats.SAMPLE_COUNT, { period: MINUTE }),
          },
          label: 'Time to first audio (ms)',
          period: MINUTE,
        }),
        timeToFirstAudioP90Ms,
        'replies are slow',
        3,
      ),
      add(
        'RepliesMissing',
        new MathExpression({
          expression: 'IF(FILL(turns, 0) > 0, 0, accepted)',
          usingMetrics: {
            turns: metrics.turns({ period: FIVE_MINUTES }),
            accepted: metrics.callsAccepted({ period: FIVE_MINUTES }),
          },
          label: 'Calls without a reply',
          period: FIVE_MINUTES,
        }),
        callsWithoutReply,
        'calls are accepted, and the model never replies',
      ),
    ];
    props.agent.addDeploymentAlarms(this.alarms);
  }
}
