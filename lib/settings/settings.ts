// SPDX-License-Identifier: Apache-2.0

import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { distance } from 'fastest-levenshtein';
import { z } from 'zod';
import { DEFAULT_SECRET, secretMistake } from '../access/livekit-credentials.js';
import {
  DEFAULT_MODEL,
  DEFAULT_REGIONS,
  DEFAULT_STREAM_QUOTA,
  modelMistakes,
  VOICES,
} from '../access/nova-sonic-models.js';
import { RANGES, stopTimeoutMistake, taskCountMistake } from '../limits.js';
import { isCron } from '../scaling/cron.js';
import { environmentMistakes } from '../service/container-environment.js';
import { CPU_UNITS, callsMistake, sizeMistake } from '../service/task-size.js';

// Each schema's description is what its value must be; it ends the sentence that a wrong one gets.

/** `-c name=5` arrives as text. */
const number = (schema: z.ZodType<number, number>, description: string) =>
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

const whole = ([least, most]: readonly [number, number], unit = '') =>
  number(z.number().int().min(least).max(most), `a whole number from ${least} to ${most}${unit}`);

const usd = number(
  z.number().min(0).max(10_000),
  'a price in USD per million tokens, from 0 to 10000',
);

const oneOf = (numbers: readonly number[], unit: string) =>
  number(
    z.number().refine((value) => numbers.includes(value)),
    `one of ${numbers.join(', ')}${unit}`,
  );

const flag = z
  .union([z.boolean(), z.enum(['true', 'false']).transform((value) => value === 'true')])
  .describe('true or false');

const text = (pattern: RegExp, description: string) =>
  z.string().trim().regex(pattern).describe(description);

const choice = <T extends string>(values: readonly [T, ...T[]]) =>
  z.enum(values).describe(`one of ${values.join(', ')}`);

const list = (item: RegExp, description: string) =>
  z
    .union([
      z.array(z.string()),
      z.string().transform((value) => value.split(',').map((part) => part.trim())),
    ])
    .pipe(z.array(z.string().regex(item)).min(1))
    .refine((items) => new Set(items).size === items.length)
    .describe(`${description}, as a list or separated by commas, each once`);

const json = (value: unknown) => {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
};

/** CloudWatch Logs keeps a log for one of these numbers of days. */
const RETENTION = Object.values(RetentionDays).filter(
  (days): days is RetentionDays => typeof days === 'number' && days < RetentionDays.INFINITE,
);

/** The value of an environment variable, as JSON has it. */
const value = z.union([z.string(), z.number().transform(String), z.boolean().transform(String)]);

const KMS_KEY = /^arn:[\w-]+:kms:[\w-]+:\d{12}:key\/[\w-]+$/;
const REGION = /^[a-z]{2}(-[a-z]+)+-\d$/;

const schedule = z.strictObject({
  cron: z.string().refine(isCron),
  timeZone: z
    .string()
    .refine((zone) => Intl.supportedValuesOf('timeZone').includes(zone) || zone === 'UTC')
    .optional(),
  minTasks: z.number().int(),
  maxTasks: z.number().int(),
});

const schema = z.strictObject({
  name: text(
    /^[A-Za-z][A-Za-z0-9-]{0,49}$/,
    'letters, digits and hyphens, a letter first, at most 50',
  ).default('voice-agent'),
  agentName: text(
    /^[\w.-]{1,100}$/,
    'letters, digits, dots, hyphens and underscores, at most 100',
  ).optional(),

  model: text(/^[\w.:-]+$/, 'the ID of a Nova Sonic model').default(DEFAULT_MODEL),
  bedrockRegions: list(REGION, 'AWS Regions in the order of their use').default([
    ...DEFAULT_REGIONS,
  ]),
  streamQuotaPerRegion: whole([1, 100_000], ' streams').default(DEFAULT_STREAM_QUOTA),
  forceModel: flag.default(false),
  voice: choice(VOICES as [string, ...string[]]).optional(),
  renewAfterSeconds: whole(RANGES.renewAfterSeconds, ' seconds').optional(),
  maxCallSeconds: whole(RANGES.maxCallSeconds, ' seconds').default(3600),

  secret: z.string().trim().describe('the name or ARN of a secret').default(DEFAULT_SECRET),
  secretKmsKey: text(KMS_KEY, 'the ARN of a KMS key').optional(),

  vpcId: text(/^vpc-[0-9a-f]{8,17}$/, 'the ID of a VPC').optional(),
  subnetIds: list(/^subnet-[0-9a-f]{8,17}$/, 'IDs of subnets').optional(),
  publicIp: flag.optional(),
  natGateways: whole(RANGES.natGateways).default(0),
  vpcEndpoints: flag.default(false),

  architecture: choice(['arm64', 'x86_64']).default('arm64'),
  cpu: oneOf(CPU_UNITS, ' CPU units').default(2048),
  memory: whole([512, 122_880], ' MiB').default(4096),
  baseImage: text(
    /^(?!.*(alpine|musl))\S+$/,
    'the name of a container image with glibc',
  ).optional(),
  spot: flag.default(false),
  stopTimeoutSeconds: number(z.number().int(), 'a whole number of seconds, at most 120').default(
    120,
  ),

  minTasks: whole(RANGES.minTasks).default(1),
  maxTasks: whole(RANGES.maxTasks).default(2),
  callsPerTask: whole(RANGES.callsPerTask).default(10),
  targetSlotShare: whole(RANGES.targetSlotShare, ' percent').default(60),
  schedules: z
    .preprocess(json, z.array(schedule))
    .describe(
      'a list like [{"cron": "0 8 ? * MON-FRI", "timeZone": "Europe/Berlin", "minTasks": 4, "maxTasks": 20}], where cron has five fields with a ? for the day of the month or of the week',
    )
    .default([]),

  alarmEmail: z.email().describe('an e-mail address').optional(),
  logRetentionDays: oneOf(RETENTION, ' days').default(30),
  logKmsKey: text(KMS_KEY, 'the ARN of a KMS key').optional(),
  logLevel: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),
  containerInsights: choice(['off', 'on', 'enhanced']).default('off'),
  environment: z
    .preprocess(json, z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), value))
    .describe(
      'an object like {"END_CALL_TIMEOUT_S": "20"} with names in capitals and one value each',
    )
    .default({}),
  metricsNamespace: text(/^[\w./#-]{1,100}$/, 'letters, digits and ./#-_, at most 100')
    .refine((namespace) => !namespace.startsWith('AWS/'))
    .default('NovaSonicAgent'),
  priceAudioInPerM: usd.default(3),
  priceAudioOutPerM: usd.default(12),
  priceTextInPerM: usd.default(0.33),
  priceTextOutPerM: usd.default(2.75),
});

/** All settings, checked. docs/operations/configuration.md says what each does. */
export type Settings = z.output<typeof schema>;

export const SETTING_NAMES = Object.keys(schema.shape) as (keyof Settings)[];

/** Settings that are wrong: one sentence a line. */
export class SettingsError extends Error {
  override name = 'SettingsError';
}

/**
 * Reads the settings from the CDK's context: cdk.json, cdk.context.json, and `-c name=value`, which wins.
 * @throws SettingsError with one sentence for each value that is wrong, and for each that does not fit another.
 */
export function readSettings(context: Readonly<Record<string, unknown>>): Settings {
  // The CDK keeps its own entries in the context too; theirs all have a colon, a slash or a hyphen.
  const given = Object.fromEntries(
    Object.entries(context).filter(
      ([name, value]) => (/^\w+$/.test(name) || isHyphenated(name)) && value !== undefined,
    ),
  );
  const parsed = schema.safeParse(given);
  const mistakes = parsed.success
    ? combinations(parsed.data)
    : [...new Set(parsed.error.issues.flatMap((issue) => sentences(issue, given)))];
  if (mistakes.length > 0) throw new SettingsError(mistakes.join('\n'));
  return parsed.data as Settings;
}

/** `max-tasks`: the spelling of most command lines, which would else be passed over in silence. */
function isHyphenated(name: string): boolean {
  const letters = name.replaceAll('-', '').toLowerCase();
  return SETTING_NAMES.some((known) => known.toLowerCase() === letters);
}

function sentences(issue: z.core.$ZodIssue, given: Record<string, unknown>): string[] {
  if (issue.code === 'unrecognized_keys' && issue.path.length === 0) return issue.keys.map(unknown);
  const name = String(issue.path[0]) as keyof Settings;
  const field = schema.shape[name];
  return [
    `The setting "${name}" cannot be ${JSON.stringify(given[name])}: it must be ${describe(field)}.`,
  ];
}

/** The description of a schema, which `default` and `optional` wrap. */
function describe(field: z.ZodType): string {
  const inner = (field.def as { innerType?: z.ZodType }).innerType;
  return field.description ?? (inner ? describe(inner) : 'another value');
}

function unknown(name: string): string {
  const edits = (known: string) => distance(name.toLowerCase(), known.toLowerCase());
  const [closest] = SETTING_NAMES.toSorted((a, b) => edits(a) - edits(b));
  const hint =
    closest && edits(closest) <= Math.min(4, name.length / 2)
      ? `did you mean "${closest}"?`
      : 'docs/operations/configuration.md lists all settings.';
  return `The setting "${name}" is not known: ${hint}`;
}

/** A secret is encrypted with a key of its own Region. */
function keyRegionMistake({ secret, secretKmsKey }: Settings): string | undefined {
  const regionOf = (arn: string) => arn.split(':')[3];
  if (!secretKmsKey || !secret.startsWith('arn:')) return undefined;
  if (regionOf(secret) === regionOf(secretKmsKey)) return undefined;
  return `"secretKmsKey" is in ${regionOf(secretKmsKey)} and "secret" in ${regionOf(secret)}: a secret is encrypted with a key of its own Region.`;
}

/** What is wrong with values that are fine each by itself. */
function combinations(settings: Settings): string[] {
  const { cpu, memory, callsPerTask, minTasks, maxTasks, vpcId, natGateways } = settings;
  const size = sizeMistake(cpu, memory);
  const mistakes = [
    ...(settings.forceModel ? [] : modelMistakes(settings.model, settings.bedrockRegions)),
    size ?? callsMistake(callsPerTask, memory),
    stopTimeoutMistake(settings.stopTimeoutSeconds),
    taskCountMistake(minTasks, maxTasks),
    secretMistake(settings.secret),
    ...settings.schedules.map((entry) => {
      const mistake = taskCountMistake(entry.minTasks, entry.maxTasks);
      return mistake && `In the schedule "${entry.cron}", ${mistake}`;
    }),
    ...environmentMistakes(settings.environment),
    keyRegionMistake(settings),
    settings.subnetIds && !vpcId && '"subnetIds" needs "vpcId": subnets belong to a VPC.',
    vpcId &&
      natGateways > 0 &&
      '"natGateways" is for an own VPC and cannot be given with "vpcId": that VPC has its own way out.',
    !vpcId &&
      natGateways === 0 &&
      settings.publicIp === false &&
      '"publicIp" cannot be false with 0 "natGateways": the tasks could not reach LiveKit.',
    !vpcId &&
      natGateways > 0 &&
      settings.publicIp === true &&
      '"publicIp" cannot be true with "natGateways": the tasks are then in private subnets.',
  ];
  return mistakes.filter((mistake): mistake is string => Boolean(mistake));
}
