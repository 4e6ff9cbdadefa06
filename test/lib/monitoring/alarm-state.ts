// SPDX-License-Identifier: Apache-2.0

/** An alarm of a template. */
export interface AlarmResource {
  MetricName?: string;
  Metrics?: {
    Id: string;
    Expression?: string;
    MetricStat?: {
      Metric: { MetricName: string; Dimensions?: { Name: string; Value: unknown }[] };
    };
  }[];
  Threshold: number;
  EvaluationPeriods: number;
  ComparisonOperator: string;
  TreatMissingData: string;
}

/** Values of a metric, one for each period; undefined where nothing was published. */
export type Series = readonly (number | undefined)[];

/** The name of a metric, with its lane if it has one: `ActiveStreams us-east-1`. */
const nameOf = (metric: {
  MetricName: string;
  Dimensions?: { Name: string; Value: unknown }[];
}) => {
  const lane = metric.Dimensions?.find(({ Name }) => Name === 'lane')?.Value;
  return lane ? `${metric.MetricName} ${lane}` : metric.MetricName;
};

/** Metric math as JavaScript: the operators and functions that alarms here use. */
const translate = (expression: string) =>
  expression
    .replace(/\bAND\b/g, '&&')
    .replace(/\bMIN\(\[(.*?)\]\)/g, 'Math.min($1)')
    .replace(/\bIF\((.*), (\d+), (\d+)\)$/, '($1) ? $2 : $3');

/** Whether CloudWatch would have set the alarm off at any time of these series. */
export function goesOff(alarm: AlarmResource, series: Readonly<Record<string, Series>>): boolean {
  const periods = Math.max(...Object.values(series).map(({ length }) => length));
  let breaching = 0;
  for (let at = 0; at < periods; at++) {
    breaching = breaches(alarm, valueAt(alarm, series, at)) ? breaching + 1 : 0;
    if (breaching >= alarm.EvaluationPeriods) return true;
  }
  return false;
}

function valueAt(
  { MetricName, Metrics = [] }: AlarmResource,
  series: Readonly<Record<string, Series>>,
  at: number,
): number | undefined {
  const read = (name: string) => {
    const values = series[name];
    if (!values) throw new Error(`The alarm reads ${name}, which the test does not give.`);
    return values[at];
  };
  if (MetricName) return read(MetricName);
  const inputs = Metrics.flatMap(({ Id, MetricStat }) =>
    MetricStat ? [[Id, read(nameOf(MetricStat.Metric))] as const] : [],
  );
  if (inputs.some(([, value]) => value === undefined)) return undefined;
  const [{ Expression = '' } = {}] = Metrics.filter((one) => one.Expression);
  const compute = new Function(...inputs.map(([id]) => id), `return ${translate(Expression)};`);
  const value: unknown = compute(...inputs.map(([, input]) => input));
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function breaches(alarm: AlarmResource, value: number | undefined): boolean {
  if (value === undefined) return alarm.TreatMissingData === 'breaching';
  return alarm.ComparisonOperator === 'LessThanThreshold'
    ? value < alarm.Threshold
    : value >= alarm.Threshold;
}
