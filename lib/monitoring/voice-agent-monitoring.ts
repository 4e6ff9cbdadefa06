// SPDX-License-Identifier: Apache-2.0

import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { CallScaling } from '../scaling/call-scaling.js';
import type { VoiceAgentService } from '../service/voice-agent-service.js';
import { AgentAlarms } from './agent-alarms.js';
import type { AgentAlarmsProps } from './agent-alarms-props.js';
import { AgentDashboard } from './agent-dashboard.js';
import type { AlarmThresholds } from './alarm-thresholds.js';
import { LogsInsightsQueries } from './logs-insights-queries.js';
import { ServiceLevel, type ServiceLevelProps } from './service-level.js';
import type { SyntheticCall } from './synthetic-call.js';
import { TaskCrashLog } from './task-crash-log.js';

export interface VoiceAgentMonitoringProps {
  /** The agent to watch. */
  readonly agent: VoiceAgentService;

  /**
   * Address that receives alarms. AWS asks it to confirm once; until then nothing arrives.
   * @default - none
   */
  readonly alarmEmail?: string;

  /**
   * An existing topic for the alarms; `alarmEmail` is subscribed to it.
   * @default - a new topic when `alarmEmail` is set
   */
  readonly alarmTopic?: ITopic;

  /**
   * What else happens when an alarm goes off and when it is over, by its severity.
   * @default - nothing
   */
  readonly alarmActions?: AgentAlarmsProps['actions'];

  /**
   * Alarms by name that are left out (false) or changed.
   * @default - all, as they are documented
   */
  readonly alarmChanges?: AgentAlarmsProps['alarms'];

  /**
   * The values at which alarms go off.
   * @default - see AlarmThresholds
   */
  readonly thresholds?: AlarmThresholds;

  /**
   * How the agent scales, for the alarm TasksAtMaximum.
   * @default - without that alarm
   */
  readonly scaling?: CallScaling;

  /**
   * The synthetic call, for the alarm SyntheticCallsFailing.
   * @default - without that alarm
   */
  readonly syntheticCall?: SyntheticCall;

  /**
   * What callers may expect: shown on the dashboard, with alarms when an error budget is used up too fast.
   * @default - none
   */
  readonly serviceLevel?: ServiceLevelProps;

  /**
   * How long the events of crashed tasks are kept.
   * @default RetentionDays.ONE_MONTH
   */
  readonly logRetention?: RetentionDays;
}

/** Dashboard, alarms, saved queries and the log of crashed tasks of one voice agent. */
export class VoiceAgentMonitoring extends Construct {
  public readonly dashboard: AgentDashboard;
  public readonly alarms: AgentAlarms;
  public readonly crashLog: TaskCrashLog;
  public readonly alarmTopic?: ITopic;

  constructor(scope: Construct, id: string, props: VoiceAgentMonitoringProps) {
    super(scope, id);
    const { service, metrics, logGroup, novaSonic } = props.agent;
    const topic = props.alarmTopic ?? (props.alarmEmail ? this.createTopic() : undefined);
    if (topic) {
      this.alarmTopic = topic;
      if (props.alarmEmail) topic.addSubscription(new EmailSubscription(props.alarmEmail));
    }
    const crashLog = new TaskCrashLog(this, 'TaskCrashes', {
      service,
      retention: props.logRetention ?? RetentionDays.ONE_MONTH,
    });
    this.crashLog = crashLog;
    const serviceLevel = props.serviceLevel && new ServiceLevel(metrics, props.serviceLevel);
    // Before the first task can fail, and until the last one has stopped.
    service.node.addDependency(crashLog);
    const lanes = novaSonic.hasOwnLanes && { lanes: novaSonic.lanes };
    this.alarms = new AgentAlarms(this, 'Alarms', {
      service,
      metrics,
      taskCrashes: (period) => crashLog.metricCrashes({ period }),
      streamQuotaPerRegion: novaSonic.streamQuotaPerRegion,
      regions: novaSonic.regions,
      ...lanes,
      ...(props.scaling && { scaling: props.scaling }),
      ...(props.syntheticCall && { syntheticCallInterval: props.syntheticCall.interval }),
      ...(serviceLevel && { serviceLevel }),
      topic,
      actions: props.alarmActions,
      alarms: props.alarmChanges,
      thresholds: props.thresholds,
    });
    this.dashboard = new AgentDashboard(this, 'Dashboard', {
      service,
      metrics,
      logGroup,
      alarms: this.alarms.alarms,
      streamQuota: novaSonic.streamQuota,
      regions: novaSonic.regions,
      ...lanes,
      ...(serviceLevel && { serviceLevel }),
    });
    new LogsInsightsQueries(this, 'Queries', { logGroup, serviceName: metrics.serviceName });
  }

  private createTopic(): Topic {
    const stack = Stack.of(this);
    const topic = new Topic(this, 'AlarmTopic', {
      displayName: 'Voice agent alarms',
      enforceSSL: true,
    });
    // The policy that enforces TLS replaces the default one, which lets alarms of the account publish.
    topic.grantPublish(
      new ServicePrincipal('cloudwatch.amazonaws.com', {
        conditions: {
          StringEquals: { 'aws:SourceAccount': stack.account },
          ArnLike: {
            'aws:SourceArn': stack.formatArn({ service: 'cloudwatch', resource: 'alarm:*' }),
          },
        },
      }),
    );
    return topic;
  }
}
