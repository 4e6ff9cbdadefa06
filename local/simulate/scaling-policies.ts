// SPDX-License-Identifier: Apache-2.0

// Scaling policies of a CloudFormation template, with every expression resolved.

/** A metric of CloudWatch, or an expression over several of them. */
export interface ScalingMetric {
  /** Metric math over the identifiers of `inputs`. */
  readonly expression: string;
  readonly inputs: Readonly<Record<string, { name: string; statistic: 'Average' | 'Sum' }>>;
}

/** Steps out or in when an alarm goes off. */
export interface StepPolicy {
  readonly type: 'step';
  readonly name: string;
  readonly metric: ScalingMetric;
  readonly periodSeconds: number;
  readonly evaluationPeriods: number;
  readonly datapointsToAlarm: number;
  readonly threshold: number;
  readonly cooldownSeconds: number;
  /** Percentages of the capacity; otherwise numbers of tasks. */
  readonly percent: boolean;
  readonly minAdjustment: number;
  /** By how much the metric is above the threshold, and the change. */
  readonly steps: readonly { lower: number; upper: number; change: number }[];
}

/** Keeps a metric at a value. */
export interface TrackingPolicy {
  readonly type: 'tracking';
  readonly name: string;
  readonly metric: ScalingMetric;
  readonly targetValue: number;
  readonly scaleOutCooldownSeconds: number;
  readonly scaleInCooldownSeconds: number;
}

export type ScalingPolicy = StepPolicy | TrackingPolicy;

/** How a service scales. */
export interface ServiceScaling {
  readonly minTasks: number;
  readonly maxTasks: number;
  readonly policies: readonly ScalingPolicy[];
}

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
interface TemplateResource {
  Type: string;
  Properties?: Record<string, Json>;
}
/** The parts of a template that scaling is read from. */
export interface ScalingTemplate {
  readonly Parameters?: Record<string, { Default?: unknown }>;
  readonly Resources: Record<string, { Type: string; Properties?: unknown }>;
}

interface StepConfiguration {
  AdjustmentType: string;
  Cooldown?: number;
  MinAdjustmentMagnitude?: number;
  StepAdjustments: {
    MetricIntervalLowerBound?: number;
    MetricIntervalUpperBound?: number;
    ScalingAdjustment: number;
  }[];
}

interface MetricQuery {
  Id: string;
  Expression?: string;
  ReturnData?: boolean;
  MetricStat?: { Metric: { MetricName: string }; Stat: string; Period?: number };
}

interface TrackingConfiguration {
  TargetValue: number;
  ScaleOutCooldown?: number;
  ScaleInCooldown?: number;
  CustomizedMetricSpecification: {
    MetricName?: string;
    Statistic?: string;
    Metrics?: MetricQuery[];
  };
}

interface AlarmProperties {
  AlarmActions?: Json[];
  EvaluationPeriods: number;
  DatapointsToAlarm?: number;
  Threshold: number;
  ComparisonOperator: string;
  MetricName?: string;
  Statistic?: string;
  Period?: number;
  Metrics?: MetricQuery[];
}

/**
 * The policies of the one scalable target in a template.
 * @param values values of parameters; others have their defaults
 * @throws Error with one sentence when the template has something that the simulator does not know
 */
export function readScaling(
  template: ScalingTemplate,
  values: Readonly<Record<string, number>> = {},
): ServiceScaling {
  const parameters = Object.fromEntries(
    Object.entries(template.Parameters ?? {}).map(([name, { Default }]) => [
      name,
      values[name] ?? Default,
    ]),
  ) as Record<string, Json>;
  const resources = Object.entries(
    resolve(template.Resources as Json, parameters) as unknown as Record<string, TemplateResource>,
  );
  const ofType = (type: string) => resources.filter(([, { Type }]) => Type === type);
  const [target] = ofType('AWS::ApplicationAutoScaling::ScalableTarget');
  if (!target) throw new Error('The template has no scalable target.');
  const { MinCapacity, MaxCapacity } = target[1].Properties as {
    MinCapacity: number;
    MaxCapacity: number;
  };
  const alarms = ofType('AWS::CloudWatch::Alarm').map(
    ([, { Properties }]) => Properties as unknown as AlarmProperties,
  );
  const policies = ofType('AWS::ApplicationAutoScaling::ScalingPolicy').map(
    ([name, { Properties }]): ScalingPolicy => {
      if (Properties?.PolicyType === 'TargetTrackingScaling') {
        return tracking(
          name,
          Properties.TargetTrackingScalingPolicyConfiguration as unknown as TrackingConfiguration,
        );
      }
      const alarm = alarms.find(({ AlarmActions }) =>
        (AlarmActions ?? []).some((action) => JSON.stringify(action).includes(`"${name}"`)),
      );
      if (!alarm) throw new Error(`No alarm starts the scaling policy ${name}.`);
      return step(
        name,
        Properties?.StepScalingPolicyConfiguration as unknown as StepConfiguration,
        alarm,
      );
    },
  );
  return { minTasks: Number(MinCapacity), maxTasks: Number(MaxCapacity), policies };
}

function tracking(name: string, configuration: TrackingConfiguration): TrackingPolicy {
  const { TargetValue, ScaleOutCooldown, ScaleInCooldown, CustomizedMetricSpecification } =
    configuration;
  return {
    type: 'tracking',
    name,
    metric: scalingMetric(CustomizedMetricSpecification),
    targetValue: Number(TargetValue),
    // Defaults of Application Auto Scaling for ECS.
    scaleOutCooldownSeconds: ScaleOutCooldown ?? 300,
    scaleInCooldownSeconds: ScaleInCooldown ?? 300,
  };
}

function step(name: string, configuration: StepConfiguration, alarm: AlarmProperties): StepPolicy {
  if (alarm.ComparisonOperator !== 'GreaterThanOrEqualToThreshold') {
    throw new Error(`The simulator does not know the comparison ${alarm.ComparisonOperator}.`);
  }
  const queries = alarm.Metrics?.flatMap(({ MetricStat }) => MetricStat?.Period ?? []);
  const period = alarm.Period ?? queries?.[0];
  if (!period) throw new Error(`The alarm of the scaling policy ${name} has no period.`);
  return {
    type: 'step',
    name,
    metric: scalingMetric(alarm),
    periodSeconds: period,
    evaluationPeriods: alarm.EvaluationPeriods,
    datapointsToAlarm: alarm.DatapointsToAlarm ?? alarm.EvaluationPeriods,
    threshold: Number(alarm.Threshold),
    cooldownSeconds: configuration.Cooldown ?? 300,
    percent: configuration.AdjustmentType === 'PercentChangeInCapacity',
    minAdjustment: configuration.MinAdjustmentMagnitude ?? 1,
    steps: configuration.StepAdjustments.map((one) => ({
      lower: one.MetricIntervalLowerBound ?? Number.NEGATIVE_INFINITY,
      upper: one.MetricIntervalUpperBound ?? Number.POSITIVE_INFINITY,
      change: one.ScalingAdjustment,
    })),
  };
}

function scalingMetric(source: {
  MetricName?: string;
  Statistic?: string;
  Metrics?: MetricQuery[];
}): ScalingMetric {
  if (source.MetricName) {
    return {
      expression: 'm',
      inputs: { m: { name: source.MetricName, statistic: statistic(source.Statistic) } },
    };
  }
  const queries = source.Metrics ?? [];
  const expressions = queries.filter(({ Expression }) => Expression);
  const [only] = expressions;
  if (expressions.length !== 1 || !only?.Expression) {
    throw new Error('A scaling metric must be one metric, or one expression over metrics.');
  }
  const inputs = queries.flatMap(({ Id, MetricStat }) =>
    MetricStat
      ? [[Id, { name: MetricStat.Metric.MetricName, statistic: statistic(MetricStat.Stat) }]]
      : [],
  );
  return { expression: only.Expression, inputs: Object.fromEntries(inputs) };
}

function statistic(text: string | undefined): 'Average' | 'Sum' {
  if (text === 'Average' || text === 'Sum') return text;
  throw new Error(`The simulator does not know the statistic ${text}.`);
}

/** Replaces references to parameters, and joins what CloudFormation joins. */
function resolve(value: Json, parameters: Record<string, Json>): Json {
  if (Array.isArray(value)) return value.map((item) => resolve(item, parameters));
  if (typeof value !== 'object' || value === null) return value;
  const { Ref: ref, 'Fn::Join': join } = value;
  if (typeof ref === 'string' && parameters[ref] !== undefined) return parameters[ref];
  if (Array.isArray(join)) {
    const [delimiter, parts] = resolve(join, parameters) as [string, Json[]];
    if (parts.every((part) => typeof part !== 'object')) return parts.join(delimiter);
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, resolve(item, parameters)]),
  );
}

const EXPRESSION = /^[\w\s.+*/()-]+$/;

/** Compiles metric math: numbers, identifiers and the four operations. @returns undefined for a division by zero */
export function compileExpression(
  metric: ScalingMetric,
): (values: readonly number[]) => number | undefined {
  const { expression, inputs } = metric;
  if (!EXPRESSION.test(expression)) {
    throw new Error(`The simulator does not know the expression ${expression}.`);
  }
  const compute = new Function(...Object.keys(inputs), `return ${expression};`);
  return (values) => {
    const result: unknown = compute(...values);
    return typeof result === 'number' && Number.isFinite(result) ? result : undefined;
  };
}
