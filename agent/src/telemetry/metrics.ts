// SPDX-License-Identifier: Apache-2.0

import { MetricResolution, Metrics } from '@aws-lambda-powertools/metrics';
import { type Counter, GAUGES, METRICS } from './metric-definitions.js';

/** The state of the task at the moment of publishing. */
export interface Gauges {
  activeCalls: number;
  /** Slots in use, 0 to 1. */
  slotUtilization: number;
  registered: boolean;
  /** Streams in use by lane, of all lanes that the task may use. */
  activeStreams: Readonly<Record<string, number>>;
  /** What callers need, now and soon, and slots for them; see the metrics of these names. */
  callDemand: number;
  expectedCallDemand: number;
  callCapacity: number;
  /** See CallersUnanswered. */
  callersUnanswered: number;
  /** See CallersWaiting. */
  callersWaiting: number;
  /** A draining task would lower the average while new tasks are needed, so it does not publish its utilization. */
  draining: boolean;
  /** What ECS does not know about the calls of this task; undefined outside ECS. */
  deployment?: {
    /** See the metric UnprotectedCalls. */
    unprotectedCalls: number;
    /** See SupersededCalls. */
    supersededCalls: number;
    /** See OverdueCalls. */
    overdueCalls: number;
  };
}

/** EMF allows 100 values in one metric of one line, and Powertools publishes by itself when they are reached. */
const MAX_VALUES = 99;

export interface MetricsOptions {
  /** METRICS_NAMESPACE */
  namespace: string;
  /** SERVICE_NAME, the value of the one dimension `service`. */
  service: string;
  /** Where lines go. Default: standard output. */
  write?: (line: string) => void;
}

/**
 * Metrics as CloudWatch's embedded metric format: one JSON line on standard output becomes metrics when the log
 * driver delivers it, without an API call or a permission. Values are buffered until `flush`; Powertools writes the
 * lines.
 */
export class WorkerMetrics {
  readonly #options: Required<MetricsOptions>;
  /** By the value of the extra dimension; '' for metrics that have none. */
  readonly #buffered = new Map<
    string,
    { dimension?: [string, string]; values: Map<Counter, number[]> }
  >();

  constructor(options: MetricsOptions) {
    this.#options = { write: (line) => process.stdout.write(`${line}\n`), ...options };
  }

  /**
   * Adds a value to a metric. `split` is the value of its extra dimension, for the metrics that have one: the
   * total is published as well.
   */
  add(name: Counter, value = 1, split?: string): void {
    if (!Number.isFinite(value)) return;
    const by = METRICS[name].dimension;
    const dimension: [string, string] | undefined = by
      ? [by, split?.trim() || 'unknown']
      : undefined;
    const key = dimension?.join('=') ?? '';
    const group = this.#buffered.get(key) ?? { ...(dimension && { dimension }), values: new Map() };
    this.#buffered.set(key, group);
    const values = group.values.get(name) ?? [];
    group.values.set(name, values);
    values.push(value);
    if (values.length >= MAX_VALUES) this.flush();
  }

  /** Publishes the values added since the last flush. */
  flush(): void {
    for (const { dimension, values } of this.#buffered.values()) {
      const line = this.#line();
      if (dimension) line.addDimensions({}).addDimensions({ [dimension[0]]: dimension[1] });
      for (const [name, list] of values) {
        for (const value of list) line.addMetric(name, METRICS[name].unit, value);
      }
      this.#write(line);
    }
    this.#buffered.clear();
  }

  /** Publishes the state of the task; zeros too, since scale-in needs them. */
  gauges(now: Gauges): void {
    const line = this.#line();
    line.addMetric('ActiveCalls', GAUGES.ActiveCalls.unit, now.activeCalls);
    line.addMetric('CallersUnanswered', GAUGES.CallersUnanswered.unit, now.callersUnanswered);
    line.addMetric('CallersWaiting', GAUGES.CallersWaiting.unit, now.callersWaiting);
    line.addMetric('WorkersRegistered', GAUGES.WorkersRegistered.unit, now.registered ? 1 : 0);
    if (now.deployment) {
      const { unprotectedCalls, supersededCalls, overdueCalls } = now.deployment;
      line.addMetric('UnprotectedCalls', GAUGES.UnprotectedCalls.unit, unprotectedCalls);
      line.addMetric('SupersededCalls', GAUGES.SupersededCalls.unit, supersededCalls);
      line.addMetric('OverdueCalls', GAUGES.OverdueCalls.unit, overdueCalls);
    }
    for (const [name, value] of [
      ['CallDemand', now.callDemand],
      ['ExpectedCallDemand', now.expectedCallDemand],
      ['CallCapacity', now.callCapacity],
    ] as const) {
      line.addMetric(name, GAUGES[name].unit, value, MetricResolution.High);
    }
    if (!now.draining) {
      line.addMetric(
        'SlotUtilization',
        GAUGES.SlotUtilization.unit,
        now.slotUtilization * 100,
        MetricResolution.High,
      );
    }
    this.#write(line);
    for (const [lane, streams] of Object.entries(now.activeStreams)) {
      const ofLane = this.#line().addDimensions({}).addDimensions({ lane });
      ofLane.addMetric('ActiveStreams', GAUGES.ActiveStreams.unit, streams);
      this.#write(ofLane);
    }
  }

  #line(): Metrics {
    const { namespace, service } = this.#options;
    return new Metrics({ namespace, serviceName: service });
  }

  #write(line: Metrics): void {
    this.#options.write(JSON.stringify(line.serializeMetrics()));
  }
}
