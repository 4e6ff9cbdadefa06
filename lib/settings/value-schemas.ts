// SPDX-License-Identifier: Apache-2.0

// The kinds of values that settings have. The description of each ends the sentence "it must be …" for an invalid value.

import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { z } from 'zod';

/** `-c name=5` arrives as text. */
export const number = (schema: z.ZodType<number, number>, description: string) =>
  z
    .union([
      z.number(),
      z
        .string()
        .trim()
        .regex(/^-?\d+(\.\d+)?$/)
        .transform(Number),
    ])
    .pipe(schema)
    .describe(description);

export const whole = ([least, most]: readonly [number, number], unit = '') =>
  number(z.number().int().min(least).max(most), `a whole number from ${least} to ${most}${unit}`);

export const usd = number(
  z.number().min(0).max(10_000),
  'a price in USD per million tokens, from 0 to 10000',
);

export const oneOf = (numbers: readonly number[], unit: string) =>
  number(
    z.number().refine((value) => numbers.includes(value)),
    `one of ${numbers.join(', ')}${unit}`,
  );

export const flag = z
  .union([z.boolean(), z.enum(['true', 'false']).transform((value) => value === 'true')])
  .describe('true or false');

export const text = (pattern: RegExp, description: string) =>
  z.string().trim().regex(pattern).describe(description);

export const choice = <T extends string>(values: readonly [T, ...T[]]) =>
  z.enum(values).describe(`one of ${values.join(', ')}`);

export const list = (item: RegExp, description: string) =>
  z
    .union([
      z.array(z.string()),
      z.string().transform((value) => value.split(',').map((part) => part.trim())),
    ])
    .pipe(z.array(z.string().regex(item)).min(1))
    .refine((items) => new Set(items).size === items.length)
    .describe(`${description}, as a list or separated by commas, each once`);

export const json = (value: unknown) => {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
};

/** CloudWatch Logs keeps a log for one of these numbers of days. */
export const RETENTION = Object.values(RetentionDays).filter(
  (days): days is RetentionDays => typeof days === 'number' && days < RetentionDays.INFINITE,
);

/** The value of an environment variable, as JSON has it. */
export const value = z.union([
  z.string(),
  z.number().transform(String),
  z.boolean().transform(String),
]);
