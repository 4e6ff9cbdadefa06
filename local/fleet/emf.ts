// SPDX-License-Identifier: Apache-2.0

/** A log line in CloudWatch's embedded metric format (EMF). */
export interface EmfLine {
  _aws: {
    Timestamp: number;
    CloudWatchMetrics: {
      Namespace: string;
      Dimensions: string[][];
      Metrics: { Name: string; Unit?: string; StorageResolution?: number }[];
    }[];
  };
  [member: string]: unknown;
}

/** The EMF lines of a parsed log. */
export function emfLines(log: object[]): EmfLine[] {
  return log.filter((line) => '_aws' in line) as EmfLine[];
}

/** Sums of all values as CloudWatch computes them, by metric name; with dimensions, by `metric{dimension=value}`. */
export function emfSums(lines: EmfLine[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const line of lines) {
    for (const { Dimensions, Metrics } of line._aws.CloudWatchMetrics) {
      for (const set of Dimensions) {
        const extra = set.filter((key) => key !== 'service');
        const suffix = extra.length ? `{${extra.map((key) => `${key}=${line[key]}`)}}` : '';
        for (const { Name } of Metrics) {
          const values = [line[Name]].flat() as number[];
          const key = `${Name}${suffix}`;
          sums[key] = values.reduce((sum, value) => sum + value, sums[key] ?? 0);
        }
      }
    }
  }
  return sums;
}
