// SPDX-License-Identifier: Apache-2.0
import type {
  BedrockRuntimeClient,
  BedrockRuntimeClientConfig,
} from '@aws-sdk/client-bedrock-runtime';
import type { llm } from '@livekit/agents';
import { z } from 'zod';
import { type Clock, systemClock } from './clock.js';
import type { RetryOptions } from './continuation/retry-policy.js';
import type { HistoryLimits } from './history/chat-context.js';
import {
  DEFAULT_MODEL,
  DEFAULT_REGION,
  DEFAULT_VOICE,
  isFirstGeneration,
  NOVA_SONIC_1,
  NOVA_SONIC_2,
  NOVA_SONIC_2_5,
  NOVA_SONIC_MODEL_DETAILS,
  NOVA_SONIC_MODELS,
  NOVA_SONIC_REGIONS,
  voicesOf,
} from './protocol/models.js';

/** How sure the model must be that the caller has finished: HIGH answers after about 1.5 s of pause, LOW after 2 s. */
export type TurnDetection = 'HIGH' | 'MEDIUM' | 'LOW';

/** `mixed`: speech and text in; `audio`: only speech, as the first Nova Sonic (`generateReply` is refused). */
export type Modalities = 'audio' | 'mixed';

/** What the AWS SDK takes as credentials: an identity, or a function that provides one. */
export type Credentials = NonNullable<BedrockRuntimeClientConfig['credentials']>;

/** Everything about a model that an application may choose. All optional. */
export interface RealtimeModelOptions {
  /** Model id, inference profile or ARN. @default 'amazon.nova-2-sonic-v1:0' */
  model?: string;
  /** Voice, in lower case, one of the model's. @default 'tiffany' */
  voice?: string;
  /**
   * AWS Region, or a list in order of preference: when a Region throttles, denies or does not answer at the connect,
   * the next one is tried at once. @default AWS_REGION, AWS_DEFAULT_REGION, else 'us-east-1'
   */
  region?: string | readonly string[];
  /** Credentials, or a provider of them; fixed for the life of a stream. @default the SDK's own chain */
  credentials?: Credentials;
  /**
   * Another endpoint, for all Regions or for each.
   * @default the SDK's: AWS_ENDPOINT_URL_BEDROCK_RUNTIME, the profile, else the Region's
   */
  endpoint?: string | ((region: string) => string);
  /** A client of your own, for all Regions or for each; it is never destroyed by us. */
  client?: BedrockRuntimeClient | ((region: string) => BedrockRuntimeClient);
  /** @default 'MEDIUM' */
  turnDetection?: TurnDetection;
  /** 0 to 1. @default 0.7, and 1 when there are tools (as AWS recommends for tool use) */
  temperature?: number;
  /** 0 to 1. @default 0.9, and 1 when there are tools */
  topP?: number;
  /** 1 to 10,000 tokens in a reply. @default 1024 */
  maxTokens?: number;
  /** `'none'` leaves the tools out. @default the service's own, `auto` */
  toolChoice?: llm.ToolChoice;
  /** @default 'mixed', and 'audio' for the first Nova Sonic */
  modalities?: Modalities;
  /** Rate at which audio is sent, in Hz. Give the room the same rate and no resampler is needed. @default 16000 */
  inputSampleRate?: 8_000 | 16_000 | 24_000;
  /** Rate of the model's speech, in Hz. @default 24000 */
  outputSampleRate?: 8_000 | 16_000 | 24_000;
  /** Length of one piece of audio that is sent, in ms, 10 to 200. Longer costs less CPU and answers later. @default 20 */
  inputChunkMs?: number;
  /** How long `generateReply` waits for the reply to begin, in ms. @default 10000 */
  generateReplyTimeout?: number;
  /** Limits of the history that opens a stream. @default 40,000 bytes in all, 1,000 bytes a textInput */
  history?: Partial<HistoryLimits>;
  /** How often and how fast a call tries to get a stream again. */
  retry?: Partial<RetryOptions>;
  /** Age of a stream, in seconds, at which it is replaced at the next quiet moment; at most 470. @default 360 */
  renewAfter?: number;
  /** How much of the caller's audio is kept for a stream that has to be replaced, in seconds. @default 30 */
  carryOver?: number;
  /** What happens to an edited past (`updateChatCtx`): told to the next stream, or to a new one at the next quiet moment. @default 'next-stream' */
  contextEdits?: 'next-stream' | 'renew';
  /** Watchdogs, in ms. */
  timeouts?: {
    /** The service's first event. @default 10000 */
    firstEvent?: number;
    /** An answer that is owed, without any event. @default 10000 */
    progress?: number;
    /** An orderly close. @default 1000 */
    close?: number;
  };
  /** Logs every event of the service at debug level, without audio. Anything said is under `lk.pii.*`. @default false */
  logEvents?: boolean;
  /** Skips the checks of model, voice and Region, for what this version does not know yet. @default false */
  force?: boolean;
  /** Another clock, for tests. @default the machine's */
  clock?: Clock;
}

/** The options with every default in place. */
export interface ResolvedOptions {
  readonly model: string;
  readonly voice: string;
  readonly regions: readonly string[];
  readonly credentials?: Credentials;
  readonly endpoint?: string | ((region: string) => string);
  readonly client?: BedrockRuntimeClient | ((region: string) => BedrockRuntimeClient);
  readonly turnDetection: TurnDetection;
  readonly temperature?: number;
  readonly topP?: number;
  readonly maxTokens: number;
  readonly toolChoice?: llm.ToolChoice;
  readonly modalities: Modalities;
  readonly inputSampleRate: number;
  readonly outputSampleRate: number;
  readonly inputChunkMs: number;
  readonly generateReplyTimeout: number;
  readonly history: HistoryLimits;
  readonly retry: RetryOptions;
  readonly renewAfterMs: number;
  readonly audioBufferMs: number;
  readonly chatCtxUpdates: 'next-stream' | 'renew';
  readonly timeouts: {
    readonly firstEvent: number;
    readonly progress: number;
    readonly close: number;
  };
  readonly logEvents: boolean;
  readonly clock: Clock;
}

const rate = z.literal([8_000, 16_000, 24_000], 'must be 8000, 16000 or 24000');
const between = (min: number, max: number) =>
  z
    .number('must be a number')
    .min(min, `must be from ${min} to ${max}`)
    .max(max, `must be from ${min} to ${max}`);
const integer = (min: number, max: number) => between(min, max).int('must be a whole number');
const name = z.string('must be a string').min(1, 'must not be empty');
const objectOrFunction = (message: string) =>
  z.custom<never>((v) => typeof v === 'object' || typeof v === 'function', message);

const schema = z.strictObject({
  model: name.optional(),
  voice: name.optional(),
  region: z
    .union(
      [name, z.array(name).min(1, 'must name at least one Region')],
      'must be a Region or a list of Regions',
    )
    .optional(),
  credentials: objectOrFunction('must be credentials or a provider of them').optional(),
  endpoint: z
    .custom<string>(
      (v) => typeof v === 'function' || (typeof v === 'string' && URL.canParse(v)),
      'must be a URL, or a function from a Region to one',
    )
    .optional(),
  client: objectOrFunction('must be a BedrockRuntimeClient, or a function from a Region to one').optional(),
  turnDetection: z.enum(['HIGH', 'MEDIUM', 'LOW'], 'must be HIGH, MEDIUM or LOW').optional(),
  temperature: between(0, 1).optional(),
  topP: between(0, 1).optional(),
  maxTokens: integer(1, 10_000).optional(),
  toolChoice: z
    .union(
      [
        z.enum(['auto', 'required', 'none']),
        z.object({ type: z.literal('function'), function: z.object({ name }) }),
      ],
      'must be auto, required, none, or { type: "function", function: { name } }',
    )
    .optional(),
  modalities: z.enum(['audio', 'mixed'], 'must be audio or mixed').optional(),
  inputSampleRate: rate.optional(),
  outputSampleRate: rate.optional(),
  inputChunkMs: integer(10, 200).optional(),
  generateReplyTimeout: between(1, 600_000).optional(),
  history: z
    .strictObject({
      maxBytes: integer(1_000, 1_000_000).optional(),
      maxTextBytes: integer(100, 51_200).optional(),
    })
    .optional(),
  retry: z
    .strictObject({
      maxAttempts: integer(1, 1_000).optional(),
      maxOutageMs: between(0, 3_600_000).optional(),
      budget: integer(1, 10_000).optional(),
      baseDelayMs: between(1, 60_000).optional(),
      maxDelayMs: between(1, 600_000).optional(),
      restsUntil: z
        .custom<RetryOptions['cooldownUntil']>(
          (v) => typeof v === 'function',
          'must be a function from a Region to a time',
        )
        .optional(),
    })
    .optional(),
  renewAfter: between(0.1, 470).optional(),
  carryOver: between(1, 120).optional(),
  contextEdits: z.enum(['next-stream', 'renew'], 'must be next-stream or renew').optional(),
  timeouts: z
    .strictObject({
      firstEvent: between(1, 120_000).optional(),
      progress: between(1, 120_000).optional(),
      close: between(1, 60_000).optional(),
    })
    .optional(),
  logEvents: z.boolean('must be true or false').optional(),
  force: z.boolean('must be true or false').optional(),
  clock: objectOrFunction('must be a clock').optional(),
});

const display = (value: unknown): string => {
  if (typeof value === 'function') return 'a function';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
};

/** One sentence for the first mistake: the option, the value, and what is allowed. */
function describeIssue(options: Record<string, unknown>, issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') {
    const path = [...issue.path, issue.keys[0] as string].join('.');
    return `RealtimeModel has no option ${path}; it has ${Object.keys(schema.shape).join(', ')}.`;
  }
  const path = issue.path.join('.');
  // Never print a secret.
  if (issue.path[0] === 'credentials') return `RealtimeModel option credentials ${issue.message}.`;
  let value: unknown = options;
  for (const key of issue.path) value = (value as Record<PropertyKey, unknown> | undefined)?.[key];
  return `RealtimeModel option ${path} is ${display(value)}; it ${issue.message}.`;
}

const optionError = (option: string, value: string, rest: string): Error =>
  new Error(`RealtimeModel option ${option} is ${display(value)}; ${rest}`);

const knownModel = (model: string): boolean =>
  NOVA_SONIC_MODELS.some((id) => model === id || model.endsWith(`.${id}`)) ||
  model.startsWith('arn:');

/**
 * Checks each option by itself.
 * @throws Error of one sentence that names the option, its value and what is allowed
 */
export function checkOptions(given: Record<string, unknown>): void {
  const { success, error } = schema.safeParse(given);
  if (!success) throw new Error(describeIssue(given, error.issues[0] as z.core.$ZodIssue));
}

/**
 * Checks the options and fills in the defaults.
 * @throws Error of one sentence that names the option, its value and what is allowed
 */
export function resolveOptions(
  options: RealtimeModelOptions,
  env: Readonly<Record<string, string | undefined>> = process.env,
): ResolvedOptions {
  const given = Object.fromEntries(Object.entries(options).filter(([, v]) => v !== undefined));
  checkOptions(given);

  const model = options.model ?? DEFAULT_MODEL;
  const voice = options.voice ?? DEFAULT_VOICE;
  const fromEnv = options.region === undefined;
  const region = options.region ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? DEFAULT_REGION;
  const regions = [...new Set(typeof region === 'string' ? [region] : region)];
  if (!options.force) {
    const force = 'or set force: true';
    if (!knownModel(model)) {
      throw optionError(
        'model',
        model,
        `it must be ${NOVA_SONIC_2}, ${NOVA_SONIC_2_5}, an inference profile or ARN of one, ${force}.`,
      );
    }
    if (isFirstGeneration(model)) {
      throw optionError(
        'model',
        model,
        `${NOVA_SONIC_1} is past its end of life (${NOVA_SONIC_MODEL_DETAILS[NOVA_SONIC_1].endOfLife}): use ${NOVA_SONIC_2}, ${force}.`,
      );
    }
    const voices = voicesOf(model);
    if (!voices.includes(voice)) {
      throw optionError(
        'voice',
        voice,
        `${model} has ${voices.join(', ')} (${force.replace('or ', '')} for another).`,
      );
    }
    const unknown = regions.find((r) => !(NOVA_SONIC_REGIONS as readonly string[]).includes(r));
    if (unknown !== undefined) {
      const where = fromEnv ? ' (from AWS_REGION or AWS_DEFAULT_REGION)' : '';
      throw optionError(
        'region',
        unknown,
        `Nova Sonic is served in ${NOVA_SONIC_REGIONS.join(', ')}${where}; name one of them, ${force}.`,
      );
    }
  }
  const { history, retry, timeouts } = options;
  return {
    model,
    voice,
    regions,
    credentials: options.credentials,
    endpoint: options.endpoint,
    client: options.client,
    turnDetection: options.turnDetection ?? 'MEDIUM',
    temperature: options.temperature,
    topP: options.topP,
    maxTokens: options.maxTokens ?? 1_024,
    toolChoice: options.toolChoice,
    modalities: options.modalities ?? (isFirstGeneration(model) ? 'audio' : 'mixed'),
    inputSampleRate: options.inputSampleRate ?? 16_000,
    outputSampleRate: options.outputSampleRate ?? 24_000,
    inputChunkMs: options.inputChunkMs ?? 20,
    generateReplyTimeout: options.generateReplyTimeout ?? 10_000,
    history: {
      maxBytes: history?.maxBytes ?? 40_000,
      maxTextBytes: history?.maxTextBytes ?? 1_000,
    },
    retry: {
      maxAttempts: retry?.maxAttempts ?? 8,
      maxOutageMs: retry?.maxOutageMs ?? 30_000,
      budget: retry?.budget ?? 40,
      baseDelayMs: retry?.baseDelayMs ?? 500,
      maxDelayMs: retry?.maxDelayMs ?? 8_000,
      ...(retry?.cooldownUntil && { cooldownUntil: retry.cooldownUntil }),
    },
    renewAfterMs: (options.renewAfter ?? 360) * 1_000,
    audioBufferMs: (options.carryOver ?? 30) * 1_000,
    chatCtxUpdates: options.contextEdits ?? 'next-stream',
    timeouts: {
      firstEvent: timeouts?.firstEvent ?? 10_000,
      progress: timeouts?.progress ?? 10_000,
      close: timeouts?.close ?? 1_000,
    },
    logEvents: options.logEvents ?? false,
    clock: options.clock ?? systemClock,
  };
}
