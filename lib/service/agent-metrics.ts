// SPDX-License-Identifier: Apache-2.0

import { Metric, type MetricOptions, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { FargateService } from 'aws-cdk-lib/aws-ecs';
import { Duration } from 'aws-cdk-lib/core';
import { METRICS } from '../../agent/src/telemetry/metric-definitions.js';

/** The CloudWatch namespace into which workers publish by default. */
export const DEFAULT_NAMESPACE = 'NovaSonicAgent';

export interface AgentMetricsProps {
  /**
   * CloudWatch namespace of the metrics.
   * @default 'NovaSonicAgent'
   */
  readonly namespace?: string;

  /** Value of the dimension `service`, which distinguishes services that share a namespace. */
  readonly serviceName: string;
}

/**
 * The metrics that the workers publish as EMF lines in their log.
 *
 * Alarms, dashboard and scaling take them from here. Names come from the definitions that the workers use, so nothing
 * can watch a metric that is not published.
 */
export class AgentMetrics {
  public readonly namespace: string;
  public readonly serviceName: string;

  constructor(props: AgentMetricsProps) {
    this.namespace = props.namespace ?? DEFAULT_NAMESPACE;
    this.serviceName = props.serviceName;
  }

  /** Calls of one task. The average is per task: multiply by the number of tasks for the total. */
  public activeCalls(options: MetricOptions = {}): Metric {
    return this.metric('ActiveCalls', options);
  }

  /** Percentage of a task's call slots in use, zeros included; published every few seconds. */
  public slotUtilization(options: MetricOptions = {}): Metric {
    return this.metric('SlotUtilization', options);
  }

  /** Call slots that callers need now; the sum is over all tasks, published every few seconds. */
  public callDemand(options: MetricOptions = {}): Metric {
    return this.metric('CallDemand', options);
  }

  /** Call slots that callers will need when a task that is started now takes calls. */
  public expectedCallDemand(options: MetricOptions = {}): Metric {
    return this.metric('ExpectedCallDemand', options);
  }

  /** Call slots of tasks that take calls. */
  public callCapacity(options: MetricOptions = {}): Metric {
    return this.metric('CallCapacity', options);
  }

  /** 1 while a task is registered with LiveKit, else 0. */
  public workersRegistered(options: MetricOptions = {}): Metric {
    return this.metric('WorkersRegistered', options);
  }

  public callsAccepted(options: MetricOptions = {}): Metric {
    return this.metric('CallsAccepted', options);
  }

  /** Calls that a task rejected; LiveKit offers them to another task. */
  public callsRejected(options: MetricOptions = {}): Metric {
    return this.metric('CallsRejected', options);
  }

  /** Callers of the whole service who have had no agent for 2 s or more. */
  public callersUnanswered(options: MetricOptions = {}): Metric {
    return this.metric('CallersUnanswered', options);
  }

  /** Callers without an agent for whom a task was found after all. */
  public callsRedispatched(options: MetricOptions = {}): Metric {
    return this.metric('CallsRedispatched', options);
  }

  /** Callers of the whole service who wait in the line, with words and music. */
  public callersWaiting(options: MetricOptions = {}): Metric {
    return this.metric('CallersWaiting', options);
  }

  /** Callers who hung up while they waited in the line. */
  public callersGaveUp(options: MetricOptions = {}): Metric {
    return this.metric('CallersGaveUp', options);
  }

  /** Callers who were told that nobody can answer, because the waiting line was full. */
  public callersTurnedAway(options: MetricOptions = {}): Metric {
    return this.metric('CallersTurnedAway', options);
  }

  /** How long callers of the waiting line waited until an agent took them over, in milliseconds. */
  public timeWaited(statistic: string, options: MetricOptions = {}): Metric {
    return this.metric('TimeWaited', { statistic, ...options });
  }

  /** How long calls had no Bedrock stream because every lane was full, in milliseconds. */
  public timeWaitedForStream(statistic: string, options: MetricOptions = {}): Metric {
    return this.metric('TimeWaitedForStream', { statistic, ...options });
  }

  /** From a caller's joining to the first sound of the agent, in milliseconds. */
  public timeToAnswer(statistic: string, options: MetricOptions = {}): Metric {
    return this.metric('TimeToAnswer', { statistic, ...options });
  }

  /** Length of the calls that ended, in seconds. */
  public callDuration(options: MetricOptions = {}): Metric {
    return this.metric('CallDuration', options);
  }

  /** Share of synthetic calls that the agent answered, 0 to 1. */
  public syntheticCallsAnswered(options: MetricOptions = {}): Metric {
    return this.metric('SyntheticCallsAnswered', options);
  }

  /** From the end of the question of a synthetic call to the first sound of the reply, in milliseconds. */
  public syntheticCallReplyTime(statistic: string, options: MetricOptions = {}): Metric {
    return this.metric('SyntheticCallReplyTime', { statistic, ...options });
  }

  /** Replies of the model. */
  public turns(options: MetricOptions = {}): Metric {
    return this.metric('Turns', options);
  }

  /** From the end of the caller's speech to the first audio of the reply, in milliseconds. */
  public timeToFirstAudio(statistic: string, options: MetricOptions = {}): Metric {
    return this.metric('TimeToFirstAudio', { statistic, ...options });
  }

  /** From the caller's interruption until the agent is silent, in milliseconds. */
  public interruptionLatency(statistic: string, options: MetricOptions = {}): Metric {
    return this.metric('InterruptionLatency', { statistic, ...options });
  }

  public streamRenewals(options: MetricOptions = {}): Metric {
    return this.metric('StreamRenewals', options);
  }

  public streamErrors(options: MetricOptions = {}): Metric {
    return this.metric('StreamErrors', options);
  }

  /** Streams that Bedrock rejected because of its stream quota. */
  public throttles(options: MetricOptions = {}): Metric {
    return this.metric('Throttles', options);
  }

  /** Calls that ended because Bedrock throttled them in every lane that they tried. */
  public callsWithoutRegion(options: MetricOptions = {}): Metric {
    return this.metric('CallsWithoutRegion', options);
  }

  /** Bedrock streams of one task in a lane: a Region, or a Region of another account. The average is per task: multiply by the number of tasks for the total. */
  public activeStreams(lane: string, options: MetricOptions = {}): Metric {
    return this.metric('ActiveStreams', { ...options, dimensionsMap: { lane } });
  }

  /** Streams that were opened after another one had failed, most in another lane. */
  public failovers(options: MetricOptions = {}): Metric {
    return this.metric('Failovers', options);
  }

  /** Requests for task protection that ECS did not grant. */
  public protectionFailures(options: MetricOptions = {}): Metric {
    return this.metric('ProtectionFailures', options);
  }

  /** Calls that were accepted while no confirmed protection lasted as long as the longest call. */
  public callsUnprotected(options: MetricOptions = {}): Metric {
    return this.metric('CallsUnprotected', options);
  }

  /** Requests to the ECS API about the deployments of the service that failed. */
  public deploymentReadFailures(options: MetricOptions = {}): Metric {
    return this.metric('DeploymentReadFailures', options);
  }

  /** Calls of a task whose protection ECS has not confirmed. */
  public unprotectedCalls(options: MetricOptions = {}): Metric {
    return this.metric('UnprotectedCalls', options);
  }

  /** Calls of a task that a newer deployment has superseded. */
  public supersededCalls(options: MetricOptions = {}): Metric {
    return this.metric('SupersededCalls', options);
  }

  /** Calls of a task that was superseded longer ago than the longest call may last. */
  public overdueCalls(options: MetricOptions = {}): Metric {
    return this.metric('OverdueCalls', options);
  }

  /** Calls whose process crashed or was killed, and idle processes that did. */
  public jobCrashes(options: MetricOptions = {}): Metric {
    return this.metric('JobCrashes', options);
  }

  /** Calls that another process took up after theirs had died. */
  public callsResumed(options: MetricOptions = {}): Metric {
    return this.metric('CallsResumed', options);
  }

  /** Time that a tool call took, in milliseconds. */
  public toolDuration(statistic: string, options: MetricOptions = {}): Metric {
    return this.metric('ToolDuration', { statistic, ...options });
  }

  public toolErrors(options: MetricOptions = {}): Metric {
    return this.metric('ToolErrors', options);
  }

  /** Tokens that Bedrock counted. */
  public tokens(
    kind: 'InputSpeech' | 'OutputSpeech' | 'InputText' | 'OutputText',
    options: MetricOptions = {},
  ): Metric {
    return this.metric(`${kind}Tokens`, options);
  }

  /** Cost of the tokens at the configured prices, in US dollars. */
  public estimatedCostUsd(options: MetricOptions = {}): Metric {
    return this.metric('EstimatedCostUsd', options);
  }

  private metric(metricName: keyof typeof METRICS, options: MetricOptions): Metric {
    return new Metric({
      namespace: this.namespace,
      metricName,
      statistic: METRICS[metricName].statistic,
      period: Duration.minutes(1),
      ...options,
      dimensionsMap: { service: this.serviceName, ...options.dimensionsMap },
    });
  }
}

/** Number of running tasks, without Container Insights: ECS reports one CPU sample per task and minute. */
export function runningTasks(service: FargateService, options: MetricOptions = {}): Metric {
  return service.metricCpuUtilization({
    statistic: Stats.SAMPLE_COUNT,
    period: Duration.minutes(1),
    ...options,
  });
}
