// SPDX-License-Identifier: Apache-2.0

import { Ajv } from 'ajv';
import type { EmfLine } from '../../../local/fleet/emf.js';

const name = (maxLength: number) => ({ type: 'string', minLength: 1, maxLength });
const units =
  '^(Seconds|Microseconds|Milliseconds|Bytes|Kilobytes|Megabytes|Gigabytes|Terabytes|Bits|Kilobits|Megabits|Gigabits|Terabits|Percent|Count|Bytes/Second|Kilobytes/Second|Megabytes/Second|Gigabytes/Second|Terabytes/Second|Bits/Second|Kilobits/Second|Megabits/Second|Gigabits/Second|Terabits/Second|Count/Second|None)$';

/**
 * The JSON schema of CloudWatch's embedded metric format, after AWS's specification:
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
const schema = {
  type: 'object',
  required: ['_aws'],
  properties: {
    _aws: {
      type: 'object',
      required: ['Timestamp', 'CloudWatchMetrics'],
      properties: {
        Timestamp: { type: 'integer' },
        CloudWatchMetrics: {
          type: 'array',
          items: {
            type: 'object',
            required: ['Namespace', 'Dimensions', 'Metrics'],
            properties: {
              Namespace: name(1024),
              Dimensions: {
                type: 'array',
                minItems: 1,
                items: { type: 'array', minItems: 0, maxItems: 30, items: name(250) },
              },
              Metrics: {
                type: 'array',
                items: {
                  type: 'object',
                  required: ['Name'],
                  properties: {
                    Name: name(1024),
                    Unit: { type: 'string', pattern: units },
                    StorageResolution: { type: 'integer', enum: [1, 60] },
                  },
                },
              },
            },
          },
        },
      },
    },
  },
};
const validate = new Ajv().compile(schema);

/**
 * What is wrong with a line, '' when nothing: the schema, and what the specification says in words (each
 * dimension refers to a string, each metric to a number or up to 100 of them, at most 100 metrics a line).
 */
export function emfProblem(line: EmfLine): string {
  if (!validate(line)) return JSON.stringify(validate.errors);
  for (const { Dimensions, Metrics } of line._aws.CloudWatchMetrics) {
    const lost = Dimensions.flat().find((key) => typeof line[key] !== 'string' || line[key] === '');
    if (lost) return `dimension ${lost} has no text`;
    if (Metrics.length > 100) return 'more than 100 metrics';
    for (const { Name } of Metrics) {
      const values = [line[Name]].flat();
      if (values.length === 0 || values.length > 100) return `${Name} has ${values.length} values`;
      if (!values.every((value) => typeof value === 'number')) return `${Name} is not a number`;
    }
  }
  return '';
}
