// SPDX-License-Identifier: Apache-2.0

import { Metric, type MetricOptions, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { FargateService } from 'aws-cdk-lib/aws-ecs';
import { Duration } from 'aws-cdk-lib/core';

/** The CloudWatch namespace into which workers publish by default. */
export const DEFAULT_NAMESPACE = 'NovaSonicAgent';

export interface AgentMetricsProps {
  /**
   * CloudWatch namespace of the metrics.
   * @default 'NovaSonicAgent'
   */
  readonly namespace?: string;

  /** Value of the dimension `service`, by which several services share one namespace. */
  readonly serviceName: string;
}

/**
 * The metrics that the workers print as EMF lines: their names and how each is to be added up, in one place.
 *
 * Alarms, dashboard and scaling take them from here, so that none of them watches a metric that nobody publishes.
 */
export class AgentMetrics {
  public readonly namespace: string;
  public readonly serviceName: string;

  constructor(props: AgentMetricsProps) {
    this.namespace = props.namespace ?? DEFAULT_NAMESPACE;
    this.serviceName = props.serviceName;
  }

  /** Calls of one task, at any moment. The average is per task: multiply by the tasks for the total. */
  public activeCalls(options: MetricOptions = {}): Metric {
    return this.metric('ActiveCalls', Stats.AVERAGE, options);
  }

  /** Share of a task's call slots in use, 0 to 100 percent, zeros included; published every few seconds. */
  public slotUtilization(options: MetricOptions = {}): Metric {
    return this.metric('SlotUtilization', Stats.AVERAGE, options);
  }

  /** 1 while a task is registered with LiveKit, else 0. */
  public workersRegistered(options: MetricOptions = {}): Metric {
    return this.metric('WorkersRegistered', Stats.MAXIMUM, options);
  }

  public callsAccepted(options: MetricOptions = {}): Metric {
    return this.count('CallsAccepted', options);
  }

  /** Calls that a task turned down; LiveKit then offers them to another task. */
  public callsRejected(options: MetricOptions = {}): Metric {
    return this.count('CallsRejected', options);
  }

  /** Length of the calls that ended. */
  public callDuration(options: MetricOptions = {}): Metric {
    return this.metric('CallDuration', Stats.SUM, options);
  }

  /** From the end of the caller's speech to the first sound of the reply. */
  public timeToFirstAudio(statistic: string, options: MetricOptions = {}): Metric {
    return this.metric('TimeToFirstAudio', statistic, options);
  }

  /** From the caller's interruption to silence. */
  public interruptionLatency(statistic: string, options: MetricOptions = {}): Metric {
    return this.metric('InterruptionLatency', statistic, options);
  }

  public streamRenewals(options: MetricOptions = {}): Metric {
    return this.count('StreamRenewals', options);
  }

  public streamErrors(options: MetricOptions = {}): Metric {
    return this.count('StreamErrors', options);
  }

  /** Streams that Bedrock refused because of its quota. */
  public throttles(options: MetricOptions = {}): Metric {
    return this.count('Throttles', options);
  }

  /** Streams that had to be opened in another Region than the first. */
  public failovers(options: MetricOptions = {}): Metric {
    return this.count('Failovers', options);
  }

  /** Requests for task protection that ECS did not grant. */
  public protectionFailures(options: MetricOptions = {}): Metric {
    return this.count('ProtectionFailures', options);
  }

  /** Job processes that died; each took one call with it. */
  public jobCrashes(options: MetricOptions = {}): Metric {
    return this.count('JobCrashes', options);
  }

  public toolDuration(statistic: string, options: MetricOptions = {}): Metric {
    return this.metric('ToolDuration', statistic, options);
  }

  public toolErrors(options: MetricOptions = {}): Metric {
    return this.count('ToolErrors', options);
  }

  /** Tokens that Bedrock counted. */
  public tokens(
    kind: 'InputSpeech' | 'OutputSpeech' | 'InputText' | 'OutputText',
    options: MetricOptions = {},
  ): Metric {
    return this.count(`${kind}Tokens`, options);
  }

  /** Bedrock's part of the bill: tokens by the prices that the worker was given. */
  public estimatedCostUsd(options: MetricOptions = {}): Metric {
    return this.metric('EstimatedCostUsd', Stats.SUM, options);
  }

  private count(metricName: string, options: MetricOptions): Metric {
    return this.metric(metricName, Stats.SUM, options);
  }

  private metric(metricName: string, statistic: string, options: MetricOptions): Metric {
    return new Metric({
      namespace: this.namespace,
      metricName,
      statistic,
      period: Duration.minutes(1),
      ...options,
      dimensionsMap: { service: this.serviceName, ...options.dimensionsMap },
    });
  }
}

/** ECS reports one sample per task and minute: their number is that of running tasks, without Container Insights. */
export function runningTasks(service: FargateService, options: MetricOptions = {}): Metric {
  return service.metricCpuUtilization({
    statistic: Stats.SAMPLE_COUNT,
    period: Duration.minutes(1),
    ...options,
  });
}
