// SPDX-License-Identifier: Apache-2.0
/** Checks the options of RealtimeModel, one by one. */
import { z } from 'zod';

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

const laneToTime = z.custom<(lane: string) => number | undefined>(
  (v) => typeof v === 'function',
  'must be a function from a Region or lane to a time',
);
const chatCtxUpdates = z.enum(['next-stream', 'renew'], 'must be next-stream or renew');

const current = {
  model: name.optional(),
  voice: name.optional(),
  region: z
    .union(
      [name, z.array(name).min(1, 'must name at least one Region')],
      'must be a Region or a list of Regions',
    )
    .optional(),
  lanes: z
    .array(
      z.strictObject({
        name: name.optional(),
        region: name,
        credentials: objectOrFunction('must be credentials or a provider of them').optional(),
      }),
      'must be a list of lanes',
    )
    .min(1, 'must name at least one lane')
    .optional(),
  credentials: objectOrFunction('must be credentials or a provider of them').optional(),
  endpoint: z
    .custom<string>(
      (v) => typeof v === 'function' || (typeof v === 'string' && URL.canParse(v)),
      'must be a URL, or a function from a Region to one',
    )
    .optional(),
  client: objectOrFunction(
    'must be a BedrockRuntimeClient, or a function from a Region to one',
  ).optional(),
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
  replyCue: name.optional(),
  speechPrompt: name.optional(),
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
      waitWhenFullMs: between(0, 3_600_000).optional(),
      turn: z
        .custom<() => Promise<void>>((v) => typeof v === 'function', 'must be a function')
        .optional(),
      budget: integer(1, 10_000).optional(),
      baseDelayMs: between(1, 60_000).optional(),
      maxDelayMs: between(1, 600_000).optional(),
      cooldownUntil: laneToTime.optional(),
      restsUntil: laneToTime.optional(),
    })
    .optional(),
  renewAfterMs: between(100, 470_000).optional(),
  audioBufferMs: between(1_000, 120_000).optional(),
  chatCtxUpdates: chatCtxUpdates.optional(),
  timeouts: z
    .strictObject({
      firstEvent: between(1, 120_000).optional(),
      progress: between(1, 120_000).optional(),
      close: between(1, 60_000).optional(),
    })
    .optional(),
  voiceActivityDetector: z
    .custom<() => never>((v) => typeof v === 'function', 'must be a function that makes a detector')
    .optional(),
  logEvents: z.boolean('must be true or false').optional(),
  force: z.boolean('must be true or false').optional(),
  clock: objectOrFunction('must be a clock').optional(),
};

/** Options of earlier versions, which `resolveOptions` translates. */
const deprecated = {
  renewAfter: between(0.1, 470).optional(),
  carryOver: between(1, 120).optional(),
  contextEdits: chatCtxUpdates.optional(),
};

const schema = z.strictObject({ ...current, ...deprecated });

const display = (value: unknown): string => {
  if (typeof value === 'function') return 'a function';
  // Credentials in the wrong place are no less secret.
  const secret = (key: string) => /credential|secret|token|accessKey|client/i.test(key);
  const text = JSON.stringify(value, (key, v) => (secret(key) ? 'hidden' : v)) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
};

/** One sentence for the first invalid option: its name, its value, and what is allowed. */
function describeIssue(options: Record<string, unknown>, issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') {
    const path = [...issue.path, issue.keys[0] as string].join('.');
    return `RealtimeModel has no option ${path}; it has ${Object.keys(current).join(', ')}.`;
  }
  const path = issue.path.join('.');
  // Never print a secret.
  if (issue.path.includes('credentials'))
    return `RealtimeModel option ${issue.path.join('.')} ${issue.message}.`;
  let value: unknown = options;
  for (const key of issue.path) value = (value as Record<PropertyKey, unknown> | undefined)?.[key];
  return `RealtimeModel option ${path} is ${display(value)}; it ${issue.message}.`;
}

/** An error of one sentence: the option, its value, and what is allowed. */
export const optionError = (option: string, value: string, rest: string): Error =>
  new Error(`RealtimeModel option ${option} is ${display(value)}; ${rest}`);

/**
 * Checks each option by itself.
 * @throws Error of one sentence that names the option, its value and what is allowed
 */
export function checkOptions(given: Record<string, unknown>): void {
  const { success, error } = schema.safeParse(given);
  if (!success) throw new Error(describeIssue(given, error.issues[0] as z.core.$ZodIssue));
}
