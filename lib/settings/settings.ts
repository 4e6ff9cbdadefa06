// SPDX-License-Identifier: Apache-2.0

// Long because each setting stands here once, with its values, its default and its documentation.
// All settings of the CDK app: what each may be, its default, what it means and what a change does. The tables in
// docs/operations are generated from here (npm run docs:generate).

import {
  DEFAULT_MODEL,
  DEFAULT_STREAM_QUOTA,
  DEFAULT_TOKEN_PRICES,
  NOVA_SONIC_2_VOICES,
} from 'livekit-plugin-nova-sonic/models';
import { z } from 'zod';
import { DEFAULT_SECRET } from '../access/livekit-credentials.js';
import { ROLE_ARN } from '../access/nova-sonic-lanes.js';
import { DEFAULT_REGIONS } from '../access/nova-sonic-models.js';
import { isCron } from '../scaling/cron.js';
import { DEFAULT_NAMESPACE } from '../service/agent-metrics.js';
import { CPU_UNITS } from '../service/task-size.js';
import { RANGES } from '../service-limits.js';
import {
  choice,
  flag,
  json,
  list,
  number,
  oneOf,
  RETENTION,
  text,
  usd,
  value,
  whole,
} from './value-schemas.js';

/** What deploying a changed value does to a running service, in the words of the documentation. */
export const CHANGES = {
  inPlace: 'In place; tasks keep running',
  replacesTasks: 'Replaces tasks; live calls finish on the old ones',
  replacesService: 'Replaces the service; **ends live calls**',
  firstDeploy: 'First deployment only; later, use `--parameters`',
  synthOnly: 'Nothing; checked at synth only',
  newStack: 'Creates a second stack',
  movesNetwork: "Replaces tasks; **ends live calls** if the old network is the stack's own",
  newNetworkOnly: 'When the stack makes its VPC; later, use a second stack',
} as const;

/** What the documentation says about a setting. */
export interface SettingDetails {
  /** What it is for, as Markdown. */
  readonly meaning: string;
  /** What a change does. */
  readonly change: keyof typeof CHANGES;
  /** What holds when it is not set, for a setting without a default value. */
  readonly unset?: string;
}

const details = z.registry<SettingDetails>();

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

const lane = z.strictObject({
  region: z.string().regex(REGION),
  role: z.string().regex(ROLE_ARN).optional(),
  streams: z.number().int().min(1).max(100_000).optional(),
  name: z
    .string()
    .regex(/^[\w./-]{1,100}$/)
    .optional(),
});

/** A secret for a variable of the container. */
interface ToolSecret {
  /** Its name or complete ARN. */
  readonly secret: string;
  /** The JSON key of the value; without it, the whole secret. */
  readonly key?: string | undefined;
  /** ARN of the customer-managed key that encrypts it. */
  readonly kmsKey?: string | undefined;
}

/** The name or ARN alone, or an object with more. */
const toolSecret = z.union([
  z.string().transform((secret): ToolSecret => ({ secret })),
  z.strictObject({
    secret: z.string(),
    key: z
      .string()
      .regex(/^[^:]+$/)
      .optional(),
    kmsKey: z.string().regex(KMS_KEY).optional(),
  }),
]);

export const settingsSchema = z.strictObject({
  name: text(
    /^[A-Za-z][A-Za-z0-9-]{0,49}$/,
    'letters, digits and hyphens, a letter first, at most 50',
  )
    .default('voice-agent')
    .register(details, {
      meaning: 'Name of the stack, and of the service in metrics and logs.',
      change: 'newStack',
    }),
  agentName: text(/^[\w.-]{1,100}$/, 'letters, digits, dots, hyphens and underscores, at most 100')
    .optional()
    .register(details, {
      meaning:
        'LiveKit agent name. With a name, the agent joins only rooms that dispatch to it explicitly; without one, it joins every new room.',
      change: 'replacesTasks',
      unset: 'none',
    }),

  model: text(/^[\w.:-]+$/, 'the ID of a Nova Sonic model')
    .default(DEFAULT_MODEL)
    .register(details, {
      meaning:
        'Model ID, or an inference profile like `us.amazon.nova-2-sonic-v1:0`. Also updates the IAM permission.',
      change: 'replacesTasks',
    }),
  bedrockRegions: list(REGION, 'AWS Regions in the order of their use')
    .default([...DEFAULT_REGIONS])
    .register(details, {
      meaning:
        "Bedrock Regions, in order: a call uses the next one when one throttles or fails. Callers' speech is processed there. Also updates the IAM permission, the quota alarm and the dashboard.",
      change: 'replacesTasks',
    }),
  lanes: z
    .preprocess(json, z.array(lane).min(1))
    .describe(
      'a list like [{"region": "us-east-1"}, {"region": "us-east-1", "role": "arn:aws:iam::111122223333:role/voice-lane", "streams": 20}], each lane once',
    )
    .optional()
    .register(details, {
      meaning:
        'Bedrock Regions of several accounts, as JSON, instead of `bedrockRegions`: each has its own stream quota. `role` is assumed in another account ([several accounts](scaling.md#several-accounts)), `streams` is the quota (else `streamQuotaPerRegion`), `name` is for logs and metrics. Grants `sts:AssumeRole` on exactly these roles.',
      change: 'replacesTasks',
      unset: 'one for each of `bedrockRegions`',
    }),
  streamQuotaPerRegion: whole([1, 100_000], ' streams')
    .default(DEFAULT_STREAM_QUOTA)
    .register(details, {
      meaning:
        'Concurrent streams that AWS grants your account in one Region; used by the warning at synth, the quota alarm and the dashboard.',
      change: 'inPlace',
    }),
  forceModel: flag.default(false).register(details, {
    meaning: 'Accept a model or Region that is unknown to this version, or past its end of life.',
    change: 'synthOnly',
  }),
  voice: choice(Object.keys(NOVA_SONIC_2_VOICES) as [string, ...string[]])
    .optional()
    .register(details, {
      meaning: 'Voice for all calls; overrides `assistant.ts`.',
      change: 'replacesTasks',
      unset: 'the one in `assistant.ts`',
    }),
  renewAfterSeconds: whole(RANGES.renewAfterSeconds, ' seconds').optional().register(details, {
    meaning: 'Age at which a Bedrock stream is renewed. Bedrock ends a stream at 480 s.',
    change: 'replacesTasks',
    unset: "the plugin's",
  }),
  maxCallSeconds: whole(RANGES.maxCallSeconds, ' seconds').default(3600).register(details, {
    meaning: 'Longest call. When it is reached, the agent says goodbye and ends the call.',
    change: 'replacesTasks',
  }),

  liveKitSecret: z
    .string()
    .trim()
    .describe('the name or ARN of a secret')
    .default(DEFAULT_SECRET)
    .register(details, {
      meaning:
        'Secret with the address and keys of the LiveKit server: its name, or its ARN, which is the default of the parameter `LiveKitSecretArn`. A name must not end in a hyphen and six characters.',
      change: 'replacesTasks',
    }),
  secretKmsKey: text(KMS_KEY, 'the ARN of a KMS key').optional().register(details, {
    meaning:
      'Customer-managed key that encrypts `liveKitSecret`; grants the permission to decrypt with it.',
    change: 'inPlace',
    unset: 'the AWS-managed key',
  }),
  secrets: z
    .preprocess(json, z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), toolSecret))
    .describe(
      'an object like {"WEATHER_API_KEY": "weather/api-key", "CRM_TOKEN": {"secret": "crm", "key": "token"}} with names in capitals, and for each the name or ARN of a secret, with the JSON key and the ARN of its KMS key if it has them',
    )
    .default({})
    .register(details, {
      meaning:
        'Secrets of your tools, as environment variables. ECS reads them when a task starts, so that the values are not in the template; grants the permission for each. To rotate one, store the new value and restart the tasks.',
      change: 'replacesTasks',
    }),

  vpcId: text(/^vpc-[0-9a-f]{8,17}$/, 'the ID of a VPC')
    .optional()
    .register(details, {
      meaning:
        'Existing VPC to use. On a stack with a VPC of its own, the routes of that one go as soon as the new tasks are healthy, and with them the calls of the old tasks.',
      change: 'movesNetwork',
      unset: 'a new VPC',
    }),
  subnetIds: list(/^subnet-[0-9a-f]{8,17}$/, 'IDs of subnets')
    .optional()
    .register(details, {
      meaning:
        'Subnets of `vpcId`. Without them, synth looks up the private subnets (public ones with `publicIp`), which needs AWS credentials.',
      change: 'replacesTasks',
      unset: 'looked up',
    }),
  publicIp: flag.optional().register(details, {
    meaning:
      'Public IP addresses for tasks. Set `true` when `subnetIds` are public. No inbound port is open in either case.',
    change: 'replacesTasks',
    unset: '`true` in a new VPC without NAT gateways, else `false`',
  }),
  natGateways: whole(RANGES.natGateways).default(0).register(details, {
    meaning:
      'NAT gateways of a new VPC, one per Availability Zone. With any, tasks run in private subnets. Each costs about 33 USD a month, and media may need a relay behind its symmetric NAT. **Back to 0 ends live calls**: the gateways go as soon as the new tasks are healthy.',
    change: 'replacesTasks',
  }),
  availabilityZones: list(
    /^[a-z]{2}(-[a-z]+)+-\d[a-z]$/,
    'two or more Availability Zones of the Region',
  )
    .refine((zones) => zones.length >= 2)
    .optional()
    .register(details, {
      meaning:
        'Availability Zones of a new VPC, for Regions with a zone without Fargate. CloudFormation cannot move subnets to other zones: the new ones would have the addresses of the old ones.',
      change: 'newNetworkOnly',
      unset: 'the first two',
    }),
  vpcEndpoints: flag.default(false).register(details, {
    meaning:
      'Interface endpoints for ECR, Logs, Secrets Manager and Bedrock, each about 7 USD a month and zone. LiveKit is still reached over the internet.',
    change: 'inPlace',
  }),

  architecture: choice(['arm64', 'x86_64']).default('arm64').register(details, {
    meaning: 'Processor of the tasks and of the image. `x86_64` costs about a quarter more.',
    change: 'replacesTasks',
  }),
  cpu: oneOf(CPU_UNITS, ' CPU units').default(2048).register(details, {
    meaning: 'CPU units per task; 1024 are one virtual CPU.',
    change: 'replacesTasks',
  }),
  memory: whole([512, 122_880], ' MiB').default(4096).register(details, {
    meaning:
      'MiB of memory per task. It limits `CallsPerTask`: a call takes 40 MiB, each process that calls share 150, the task itself 300, and half is for a process that grows.',
    change: 'replacesTasks',
  }),
  image: text(
    /^[\w.:/-]+@sha256:[0-9a-f]{64}$/,
    'a container image with its digest, like registry/name@sha256:…',
  )
    .optional()
    .register(details, {
      meaning:
        'Image to run instead of building one, for a build that is promoted from one account to the next. It is for the processor of `architecture`. Grants the permission to pull from a repository of ECR.',
      change: 'replacesTasks',
      unset: 'built from `agent/`',
    }),
  baseImage: text(/^(?!.*(alpine|musl))\S+$/, 'the name of a container image with glibc')
    .optional()
    .register(details, {
      meaning: 'Base image: glibc, Node 24, a user with ID 1000.',
      change: 'replacesTasks',
      unset: 'the one in `agent/Dockerfile`',
    }),
  spot: flag.default(false).register(details, {
    meaning:
      "Run on Fargate Spot. **Cuts calls** with two minutes' notice, regardless of task protection.",
    change: 'replacesService',
  }),
  stopTimeoutSeconds: number(z.number().int(), 'a whole number of seconds, at most 120')
    .default(120)
    .register(details, {
      meaning:
        'Seconds between SIGTERM and SIGKILL, 20 to 120. The worker drains until 10 s before.',
      change: 'replacesTasks',
    }),

  minTasks: whole(RANGES.minTasks).default(1).register(details, {
    meaning: 'Minimum number of tasks: default of the parameter `MinTasks`.',
    change: 'firstDeploy',
  }),
  maxTasks: whole(RANGES.maxTasks).default(2).register(details, {
    meaning: 'Maximum number of tasks: default of the parameter `MaxTasks`.',
    change: 'firstDeploy',
  }),
  callsPerTask: whole(RANGES.callsPerTask).default(10).register(details, {
    meaning: 'Call slots per task: default of the parameter `CallsPerTask`.',
    change: 'firstDeploy',
  }),
  callsPerProcess: whole(RANGES.callsPerProcess).default(10).register(details, {
    meaning:
      'Most calls of one process of a task. 1 gives each call a process of its own, for tools that block or crash, at several times the memory and twice the CPU.',
    change: 'replacesTasks',
  }),
  targetSlotUtilization: whole(RANGES.targetSlotUtilization, ' percent')
    .default(45)
    .register(details, {
      meaning:
        'Target percentage of call slots in use: default of the parameter `TargetSlotUtilization`.',
      change: 'firstDeploy',
    }),
  schedules: z
    .preprocess(json, z.array(schedule))
    .describe(
      'a list like [{"cron": "0 8 ? * MON-FRI", "timeZone": "Europe/Berlin", "minTasks": 4, "maxTasks": 20}], where cron has five fields with a ? for the day of the month or of the week',
    )
    .default([])
    .register(details, {
      meaning: 'Other task limits at certain times, such as business hours.',
      change: 'inPlace',
    }),

  ecsExec: flag.default(false).register(details, {
    meaning:
      'ECS Exec: a shell in a running task, with `aws ecs execute-command`. Gives the tasks the permission to talk to Systems Manager, and writable folders for its agent.',
    change: 'replacesTasks',
  }),
  terminationProtection: flag.default(false).register(details, {
    meaning: 'Refuse to delete the stack until this is `false` again.',
    change: 'inPlace',
  }),

  bakeMinutes: whole(RANGES.bakeMinutes, ' minutes').default(10).register(details, {
    meaning:
      'Minutes for which ECS watches a deployment whose new tasks are healthy, and rolls it back when streams fail, calls crash, or replies are slow or missing. `cdk deploy` takes as much longer. 0 turns it off.',
    change: 'inPlace',
  }),
  syntheticCallMinutes: whole(RANGES.syntheticCallMinutes, ' minutes')
    .optional()
    .register(details, {
      meaning:
        'Call the agent at this interval, expect an answer, and alarm when two calls in a row got none. [Cost](../cost.md#synthetic-calls): every 15 minutes about 8 USD a month.',
      change: 'inPlace',
      unset: 'no calls',
    }),
  traces: text(/^(xray|https?:\/\/\S+)$/, 'xray, or the address of an OpenTelemetry endpoint')
    .optional()
    .register(details, {
      meaning:
        'Traces of calls: `xray` for AWS X-Ray, or an OpenTelemetry endpoint (OTLP over HTTP) like `https://otlp.example.com`, whose key is the variable `OTEL_EXPORTER_OTLP_HEADERS` in `secrets`. [What they show](monitoring.md#one-call).',
      change: 'replacesTasks',
      unset: 'none',
    }),
  tracePercent: whole(RANGES.tracePercent, ' percent').default(100).register(details, {
    meaning: 'Percentage of calls that are traced, each whole or not at all.',
    change: 'replacesTasks',
  }),
  tenantMetadataKey: text(/^[\w.-]{1,64}$/, 'a key of JSON: letters, digits, dots and hyphens')
    .optional()
    .register(details, {
      meaning:
        'Key of the dispatch metadata (JSON) that names the tenant of a call, for [cost and minutes by tenant](monitoring.md#tenants).',
      change: 'replacesTasks',
      unset: 'calls have no tenant',
    }),
  serviceLevelPercent: number(z.number().min(50).max(99.99), 'a percentage from 50 to 99.99')
    .optional()
    .register(details, {
      meaning:
        'Percentage of callers who shall hear the agent within 3 s, and of replies whose first audio shall come within 2 s: on the dashboard, with two alarms when the [error budget](monitoring.md#service-level) is used up too fast.',
      change: 'inPlace',
      unset: 'no service level',
    }),
  monthlyBudgetUsd: number(z.number().min(1).max(10_000_000), 'US dollars from 1 to 10000000')
    .optional()
    .register(details, {
      meaning:
        "AWS Budgets tells `alarmEmail` when the account's cost of a month reaches 80 or 100 percent of this, or is forecast to. It stops nothing. For one budget of an account, set it in one stack.",
      change: 'inPlace',
      unset: 'none',
    }),
  alarmEmail: z.email().describe('an e-mail address').optional().register(details, {
    meaning: 'Address that receives alarms. AWS asks it to confirm once.',
    change: 'inPlace',
    unset: 'none',
  }),
  logRetentionDays: oneOf(RETENTION, ' days').default(30).register(details, {
    meaning: 'Days for which all logs of the stack are kept.',
    change: 'inPlace',
  }),
  logKmsKey: text(KMS_KEY, 'the ARN of a KMS key').optional().register(details, {
    meaning: "Key for the workers' log; its policy must let CloudWatch Logs of the Region use it.",
    change: 'inPlace',
    unset: 'none',
  }),
  logLevel: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
    .default('info')
    .register(details, { meaning: 'Lowest level that is logged.', change: 'replacesTasks' }),
  containerInsights: choice(['off', 'on', 'enhanced']).default('off').register(details, {
    meaning: 'CloudWatch Container Insights. Billed per metric; nothing here depends on it.',
    change: 'inPlace',
  }),
  environment: z
    .preprocess(json, z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), value))
    .describe(
      'an object like {"END_CALL_TIMEOUT_S": "20"} with names in capitals and one value each',
    )
    .default({})
    .register(details, {
      meaning: 'More environment variables for the container, as JSON.',
      change: 'replacesTasks',
    }),
  metricsNamespace: text(/^[\w./#-]{1,100}$/, 'letters, digits and ./#-_, at most 100')
    .refine((namespace) => !namespace.startsWith('AWS/'))
    .default(DEFAULT_NAMESPACE)
    .register(details, {
      meaning: 'CloudWatch namespace. Alarms, scaling and the dashboard follow.',
      change: 'replacesTasks',
    }),
  priceAudioInPerM: usd.default(DEFAULT_TOKEN_PRICES.audioIn).register(details, {
    meaning: 'USD per million input speech tokens, for the metric `EstimatedCostUsd`.',
    change: 'replacesTasks',
  }),
  priceAudioOutPerM: usd.default(DEFAULT_TOKEN_PRICES.audioOut).register(details, {
    meaning: 'USD per million output speech tokens.',
    change: 'replacesTasks',
  }),
  priceTextInPerM: usd.default(DEFAULT_TOKEN_PRICES.textIn).register(details, {
    meaning: 'USD per million input text tokens.',
    change: 'replacesTasks',
  }),
  priceTextOutPerM: usd.default(DEFAULT_TOKEN_PRICES.textOut).register(details, {
    meaning: 'USD per million output text tokens.',
    change: 'replacesTasks',
  }),
});

/** All settings, validated. */
export type Settings = z.output<typeof settingsSchema>;

export const SETTING_NAMES = Object.keys(settingsSchema.shape) as (keyof Settings)[];

/** What a value of a setting must be; it ends the sentence about an invalid one. */
export const allowedValues = (name: keyof Settings): string =>
  descriptionOf(settingsSchema.shape[name]);

/** The description of a schema, which `default` and `optional` wrap. */
function descriptionOf(field: z.ZodType): string {
  const inner = (field.def as { innerType?: z.ZodType }).innerType;
  return field.description ?? (inner ? descriptionOf(inner) : 'another value');
}

/** What the documentation says about a setting. */
export function settingDetails(name: keyof Settings): SettingDetails {
  const found = details.get(settingsSchema.shape[name]);
  if (!found) throw new Error(`The setting "${name}" has no details.`);
  return found;
}
