// SPDX-License-Identifier: Apache-2.0

import {
  type Alarm,
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
  LogQueryWidget,
  MathExpression,
  SingleValueWidget,
  Stats,
  TextWidget,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { FargateService } from 'aws-cdk-lib/aws-ecs';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { Duration, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { runningTasks } from './agent-alarms.js';
import type { AgentMetrics } from './agent-metrics.js';

export interface AgentDashboardProps {
  /** The service whose tasks, CPU and memory are shown. */
  readonly service: FargateService;
  /** What its tasks publish. */
  readonly metrics: AgentMetrics;
  /** The log whose last errors are shown. */
  readonly logGroup: ILogGroup;
  /** Alarms whose states are shown first. */
  readonly alarms: readonly Alarm[];
  /** Streams that may be open at once in all Regions together, drawn as a line. */
  readonly streamQuota: number;
  /** Bedrock Regions, for the throttles of each. */
  readonly regions: readonly string[];
}

const WIDTH = 24;
const HOUR = Duration.hours(1);

/** Answers, top down: are calls answered, how fast, how many, what fails, what does it cost. */
export class AgentDashboard extends Construct {
  public readonly dashboard: Dashboard;

  constructor(scope: Construct, id: string, props: AgentDashboardProps) {
    super(scope, id);
    this.dashboard = new Dashboard(this, 'Dashboard', {
      defaultInterval: Duration.hours(3),
      widgets: [
        [title('Are calls answered?')],
        answered(props),
        [title('How fast?')],
        speed(props.metrics),
        [title('How many?')],
        volume(props),
        [title('What fails?')],
        failures(props),
        [title('What does it cost?')],
        cost(props.metrics),
      ],
    });
  }

  /** Where it is seen in the console. */
  public get url(): string {
    const stack = Stack.of(this);
    return `https://${stack.region}.console.aws.amazon.com/cloudwatch/home?region=${stack.region}#dashboards/dashboard/${this.dashboard.dashboardName}`;
  }
}

function answered({ alarms, metrics, service }: AgentDashboardProps): IWidget[] {
  return [
    new AlarmStatusWidget({ title: 'Alarms', alarms: [...alarms], width: 9, height: 6 }),
    new SingleValueWidget({
      title: 'Now',
      width: 6,
      height: 6,
      metrics: [
        new MathExpression({
          expression: 'calls * tasks',
          usingMetrics: { calls: metrics.activeCalls(), tasks: runningTasks(service) },
          label: 'Live calls',
          period: Duration.minutes(1),
        }),
        labelled(runningTasks(service), 'Running tasks'),
        metrics.slotShare({ label: 'Slots in use (%)' }),
      ],
    }),
    graph('Calls accepted and refused', 9, [
      metrics.callsAccepted({ label: 'accepted' }),
      metrics.callsRefused({ label: 'refused (offered elsewhere)' }),
    ]),
  ];
}

function speed(metrics: AgentMetrics): IWidget[] {
  return [
    graph(
      'First sound of a reply (ms)',
      12,
      percentiles((p) => metrics.firstAudioMs(p, { label: p })),
    ),
    graph(
      'Silence after an interruption (ms)',
      6,
      percentiles((p) => metrics.bargeInMs(p, { label: p })),
    ),
    graph(
      'Tools (ms)',
      6,
      percentiles((p) => metrics.toolMs(p, { label: p })),
    ),
  ];
}

function volume({ metrics, service, streamQuota }: AgentDashboardProps): IWidget[] {
  return [
    new GraphWidget({
      title: 'Live calls',
      width: 8,
      height: 6,
      left: [
        new MathExpression({
          expression: 'calls * tasks',
          usingMetrics: { calls: metrics.activeCalls(), tasks: runningTasks(service) },
          label: 'calls',
          period: Duration.minutes(1),
        }),
      ],
      leftAnnotations: [{ value: streamQuota, label: 'Bedrock stream quota' }],
      leftYAxis: { min: 0 },
    }),
    graph('Slots in use (%)', 8, [
      metrics.slotShare({ label: 'mean of the tasks' }),
      metrics.slotShare({ label: 'fullest task', statistic: Stats.MAXIMUM }),
    ]),
    new GraphWidget({
      title: 'Tasks, CPU and memory',
      width: 8,
      height: 6,
      left: [labelled(runningTasks(service), 'running tasks')],
      right: [
        service.metricCpuUtilization({ label: 'CPU (%)' }),
        service.metricMemoryUtilization({ label: 'memory (%)' }),
      ],
      leftYAxis: { min: 0 },
      rightYAxis: { min: 0, max: 100 },
    }),
  ];
}

function failures({ metrics, logGroup, regions }: AgentDashboardProps): IWidget[] {
  return [
    graph('Streams', 8, [
      metrics.streamErrors({ label: 'errors' }),
      metrics.failOvers({ label: 'fail-overs to another Region' }),
      metrics.streamRenewals({ label: 'renewals (normal)' }),
      ...regions.map((region) =>
        metrics.throttles({ label: `throttles ${region}`, dimensionsMap: { region } }),
      ),
    ]),
    new GraphWidget({
      title: 'Calls refused by reason',
      width: 8,
      height: 6,
      left: [byDimension(metrics, 'CallsRefused', 'reason')],
      leftYAxis: { min: 0 },
    }),
    graph('Tasks and tools', 8, [
      metrics.jobCrashes({ label: 'calls crashed' }),
      metrics.protectionFailures({ label: 'protection refused' }),
      metrics.toolErrors({ label: 'tools failed' }),
    ]),
    new LogQueryWidget({
      title: 'Last errors',
      width: WIDTH,
      height: 6,
      logGroupNames: [logGroup.logGroupName],
      queryLines: [
        'fields @timestamp, msg, call_id, kind, region',
        'filter level >= 50',
        'sort @timestamp desc',
        'limit 20',
      ],
    }),
  ];
}

function cost(metrics: AgentMetrics): IWidget[] {
  const kinds = ['InputSpeech', 'OutputSpeech', 'InputText', 'OutputText'] as const;
  return [
    graph('Bedrock (USD an hour)', 8, [metrics.costUsd({ label: 'USD', period: HOUR })]),
    new GraphWidget({
      title: 'Bedrock (USD a call-minute)',
      width: 8,
      height: 6,
      left: [
        new MathExpression({
          expression: '60 * usd / seconds',
          usingMetrics: {
            usd: metrics.costUsd({ period: HOUR }),
            seconds: metrics.callSeconds({ period: HOUR }),
          },
          label: 'USD a call-minute',
          period: HOUR,
        }),
      ],
      leftYAxis: { min: 0 },
    }),
    graph(
      'Tokens an hour',
      8,
      kinds.map((kind) => metrics.tokens(kind, { label: kind, period: HOUR })),
    ),
  ];
}

/** All values of a dimension that a metric has, whatever they turn out to be. */
function byDimension(metrics: AgentMetrics, metric: string, dimension: string): IMetric {
  return new MathExpression({
    expression: `SEARCH('{${metrics.namespace},service,${dimension}} MetricName="${metric}" service="${metrics.serviceName}"', 'Sum', 60)`,
    usingMetrics: {},
    label: '',
    period: Duration.minutes(1),
  });
}

function percentiles(metric: (statistic: string) => IMetric): IMetric[] {
  return [Stats.p(50), Stats.p(90), Stats.p(99)].map(metric);
}

function graph(name: string, width: number, left: IMetric[]): GraphWidget {
  return new GraphWidget({ title: name, width, height: 6, left, leftYAxis: { min: 0 } });
}

function labelled(metric: IMetric, label: string): IMetric {
  return new MathExpression({
    expression: 'value',
    usingMetrics: { value: metric },
    label,
    period: Duration.minutes(1),
  });
}

function title(text: string): TextWidget {
  return new TextWidget({ markdown: `## ${text}`, width: WIDTH, height: 1 });
}
