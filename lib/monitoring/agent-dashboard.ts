// SPDX-License-Identifier: Apache-2.0

import {
  type Alarm,
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type GraphWidgetProps,
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
import type { NovaSonicLane } from '../access/nova-sonic-lanes.js';
import { type AgentMetrics, runningTasks } from '../service/agent-metrics.js';
import { ERRORS } from './logs-insights-queries.js';
import type { ServiceLevel } from './service-level.js';

export interface AgentDashboardProps {
  /** The service whose tasks, CPU and memory are shown. */
  readonly service: FargateService;
  /** The metrics that its tasks publish. */
  readonly metrics: AgentMetrics;
  /** The log whose last errors are shown. */
  readonly logGroup: ILogGroup;
  /** Alarms whose states are shown first. */
  readonly alarms: readonly Alarm[];
  /** Streams that may be open at once in all Regions together, drawn as a line. */
  readonly streamQuota: number;
  /** Bedrock Regions, for the streams and throttles of each. */
  readonly regions: readonly string[];
  /**
   * Lanes of several accounts, for the same, with their stream quotas.
   * @default - a lane for each Region
   */
  readonly lanes?: readonly Pick<NovaSonicLane, 'name' | 'streams'>[];
  /**
   * What callers may expect.
   * @default - not shown
   */
  readonly serviceLevel?: ServiceLevel;
}

const WIDTH = 24;
const HEIGHT = 6;
const MINUTE = Duration.minutes(1);
const HOUR = Duration.hours(1);

/** Answers from top to bottom: are calls answered, how fast, how many, what fails, what does it cost. */
export class AgentDashboard extends Construct {
  public readonly dashboard: Dashboard;

  constructor(scope: Construct, id: string, props: AgentDashboardProps) {
    super(scope, id);
    this.dashboard = new Dashboard(this, 'Dashboard', {
      defaultInterval: Duration.hours(3),
      widgets: [
        [heading('Are calls answered?')],
        answered(props),
        unanswered(props.metrics),
        waitingLine(props.metrics),
        [heading('How fast?')],
        speed(props.metrics),
        ...(props.serviceLevel
          ? [[heading('Is that what callers may expect?')], expected(props.serviceLevel)]
          : []),
        [heading('How many?')],
        volume(props),
        [heading('What fails?')],
        failures(props),
        [heading('What does it cost?')],
        cost(props),
      ],
    });
  }

  /** Address of the dashboard in the console. */
  public get url(): string {
    const stack = Stack.of(this);
    return `https://${stack.region}.console.aws.amazon.com/cloudwatch/home?region=${stack.region}#dashboards/dashboard/${this.dashboard.dashboardName}`;
  }
}

function answered(props: AgentDashboardProps): IWidget[] {
  const { alarms, metrics, service } = props;
  return [
    new AlarmStatusWidget({ title: 'Alarms', alarms: [...alarms], width: 9, height: HEIGHT }),
    new SingleValueWidget({
      title: 'Now',
      width: 6,
      height: HEIGHT,
      metrics: [
        liveCalls(props, 'Live calls'),
        // By an expression: CDK shows a metric that another expression uses only once, and without its label.
        new MathExpression({
          expression: 'running',
          usingMetrics: { running: runningTasks(service) },
          label: 'Running tasks',
          period: MINUTE,
        }),
        metrics.slotUtilization({ label: 'Slot utilization (%)' }),
      ],
    }),
    graph('Calls accepted and rejected', 9, [
      metrics.callsAccepted({ label: 'accepted' }),
      metrics.callsRejected({ label: 'rejected (offered elsewhere)' }),
    ]),
  ];
}

function unanswered(metrics: AgentMetrics): IWidget[] {
  return [
    graph('Callers without an agent', 12, [
      metrics.callersUnanswered({ label: 'callers without an agent' }),
      metrics.callsRedispatched({ label: 'found an agent after all' }),
    ]),
    graph(
      'Time to answer (ms)',
      12,
      ['p50', 'p95'].map((p) => metrics.timeToAnswer(p, { label: p })),
    ),
  ];
}

function waitingLine(metrics: AgentMetrics): IWidget[] {
  return [
    graph('Waiting line', 8, [
      metrics.callersWaiting({ label: 'callers who wait' }),
      metrics.callersGaveUp({ label: 'hung up while waiting' }),
      metrics.callersTurnedAway({ label: 'turned away: the line was full' }),
    ]),
    graph(
      'Time in the waiting line until an agent (ms)',
      8,
      ['p50', 'p95'].map((p) => metrics.timeWaited(p, { label: p })),
    ),
    graph(
      'Time without a Bedrock stream, every lane full (ms)',
      8,
      ['p50', 'p95'].map((p) => metrics.timeWaitedForStream(p, { label: p })),
    ),
  ];
}

function speed(metrics: AgentMetrics): IWidget[] {
  return [
    graph(
      'Time to first audio of a reply (ms)',
      12,
      percentiles((p) => metrics.timeToFirstAudio(p, { label: p })),
    ),
    graph(
      'Interruption latency (ms)',
      6,
      percentiles((p) => metrics.interruptionLatency(p, { label: p })),
    ),
    graph(
      'Tool duration (ms)',
      6,
      percentiles((p) => metrics.toolDuration(p, { label: p })),
    ),
  ];
}

function expected(level: ServiceLevel): IWidget[] {
  const rates = () => [level.answered(), level.repliedInTime()];
  return [
    new SingleValueWidget({
      title: `Service level, goal ${level.goalPercent} %, over the range above`,
      width: 12,
      height: HEIGHT,
      setPeriodToTimeRange: true,
      metrics: [...rates(), ...level.budgetsLeft()],
    }),
    graph('Service level by the hour (%)', 12, rates(), {
      leftAnnotations: [{ value: level.goalPercent, label: 'goal' }],
    }),
  ];
}

function volume(props: AgentDashboardProps): IWidget[] {
  const { lanes, metrics, regions, service, streamQuota } = props;
  return [
    graph('Live calls', 6, [liveCalls(props, 'calls')], {
      leftAnnotations: [{ value: streamQuota, label: 'Bedrock stream quota' }],
    }),
    lanes
      ? graph(
          'Bedrock streams by lane (% of its quota)',
          6,
          lanes.map(({ name, streams }, index) => streamsOf(props, name, index, streams)),
          { leftAnnotations: [{ value: 100, label: 'full' }] },
        )
      : graph(
          'Bedrock streams by Region',
          6,
          regions.map((region, index) => streamsOf(props, region, index)),
          {
            leftAnnotations: [{ value: streamQuota / regions.length, label: 'quota of a Region' }],
          },
        ),
    graph('Slot utilization (%)', 6, [
      metrics.slotUtilization({ label: 'average of all tasks' }),
      metrics.slotUtilization({ label: 'fullest task', statistic: Stats.MAXIMUM }),
      new MathExpression({
        expression: '100 * expected / capacity',
        usingMetrics: {
          expected: metrics.expectedCallDemand(),
          capacity: metrics.callCapacity(),
        },
        label: 'expected in 90 s',
        period: MINUTE,
      }),
    ]),
    graph('Tasks, CPU and memory', 6, [runningTasks(service, { label: 'running tasks' })], {
      right: [
        service.metricCpuUtilization({ label: 'CPU (%)' }),
        service.metricMemoryUtilization({ label: 'memory (%)' }),
      ],
      rightYAxis: { min: 0, max: 100 },
    }),
  ];
}

/** Names of the lanes. */
const laneNames = ({ lanes, regions }: AgentDashboardProps): readonly string[] =>
  lanes?.map(({ name }) => name) ?? regions;

function failures(props: AgentDashboardProps): IWidget[] {
  const { metrics, logGroup } = props;
  return [
    graph('Streams', 8, [
      metrics.streamErrors({ label: 'errors' }),
      metrics.failovers({ label: 'failovers' }),
      metrics.streamRenewals({ label: 'renewals (normal)' }),
      ...laneNames(props).map((lane) =>
        metrics.throttles({ label: `throttles ${lane}`, dimensionsMap: { lane } }),
      ),
    ]),
    graph('Calls rejected by reason', 8, [byDimension(metrics, 'CallsRejected', 'reason')]),
    graph('Tasks and tools', 8, [
      metrics.jobCrashes({ label: 'job crashes' }),
      metrics.callsResumed({ label: 'calls resumed after one' }),
      metrics.protectionFailures({ label: 'protection not granted' }),
      metrics.toolErrors({ label: 'tools failed' }),
    ]),
    new LogQueryWidget({
      title: 'Last errors',
      width: WIDTH,
      height: HEIGHT,
      logGroupNames: [logGroup.logGroupName],
      queryLines: [
        'fields @timestamp, msg, call_id, kind, lane',
        `filter ${ERRORS}`,
        'sort @timestamp desc',
        'limit 20',
      ],
    }),
  ];
}

function cost(props: AgentDashboardProps): IWidget[] {
  const { lanes = [], metrics } = props;
  const kinds = ['InputSpeech', 'OutputSpeech', 'InputText', 'OutputText'] as const;
  const usd = (label?: string) =>
    metrics.estimatedCostUsd({ period: HOUR, ...(label && { label }) });
  return [
    graph('Bedrock (USD per hour)', 8, [
      usd('USD'),
      ...lanes.map(({ name }) =>
        metrics.estimatedCostUsd({ period: HOUR, label: name, dimensionsMap: { lane: name } }),
      ),
    ]),
    graph('Bedrock (USD per call minute)', 8, [
      new MathExpression({
        expression: '60 * usd / seconds',
        usingMetrics: { usd: usd(), seconds: metrics.callDuration({ period: HOUR }) },
        label: 'USD per call minute',
        period: HOUR,
      }),
    ]),
    graph(
      'Tokens per hour',
      8,
      kinds.map((kind) => metrics.tokens(kind, { label: kind, period: HOUR })),
    ),
  ];
}

/** Calls of all tasks together: the mean of a task times the tasks. */
function liveCalls({ metrics, service }: AgentDashboardProps, label: string): IMetric {
  return new MathExpression({
    expression: 'calls * tasks',
    usingMetrics: { calls: metrics.activeCalls(), tasks: runningTasks(service) },
    label,
    period: MINUTE,
  });
}

/** Streams of all tasks in a lane: the mean of a task times the tasks; in percent of `quota` if there is one. */
function streamsOf(
  { metrics, service }: AgentDashboardProps,
  lane: string,
  index: number,
  quota?: number,
): IMetric {
  const id = `lane${index + 1}`;
  return new MathExpression({
    expression: quota ? `100 * ${id} * tasks / ${quota}` : `${id} * tasks`,
    usingMetrics: { [id]: metrics.activeStreams(lane), tasks: runningTasks(service) },
    label: lane,
    period: MINUTE,
  });
}

/** A metric by the values of a dimension, which are not known in advance. */
function byDimension(metrics: AgentMetrics, metric: string, dimension: string): IMetric {
  return new MathExpression({
    expression: `SEARCH('{${metrics.namespace},service,${dimension}} MetricName="${metric}" service="${metrics.serviceName}"', 'Sum', 60)`,
    usingMetrics: {},
    label: '',
    period: MINUTE,
  });
}

function percentiles(metric: (statistic: string) => IMetric): IMetric[] {
  return [Stats.p(50), Stats.p(90), Stats.p(99)].map(metric);
}

function graph(
  title: string,
  width: number,
  left: IMetric[],
  more: GraphWidgetProps = {},
): GraphWidget {
  return new GraphWidget({ title, width, height: HEIGHT, left, leftYAxis: { min: 0 }, ...more });
}

function heading(text: string): TextWidget {
  return new TextWidget({ markdown: `## ${text}`, width: WIDTH, height: 1 });
}
