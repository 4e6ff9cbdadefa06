// SPDX-License-Identifier: Apache-2.0

import type { IAlarmAction, IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import type { FargateService } from 'aws-cdk-lib/aws-ecs';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Duration } from 'aws-cdk-lib/core';
import type { NovaSonicLane } from '../access/nova-sonic-lanes.js';
import type { AgentMetrics } from '../service/agent-metrics.js';
import type { AlarmThresholds } from './alarm-thresholds.js';
import type { AlarmName, AlarmSeverity } from './runbooks.js';
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
