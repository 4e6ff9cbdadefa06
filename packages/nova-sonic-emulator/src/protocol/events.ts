// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { invalid, TEXT } from './errors.js';
import type { Model } from './models.js';

/** `endpointingSensitivity` of sessionStart. */
export type Sensitivity = 'HIGH' | 'MEDIUM' | 'LOW';

/** Shapes of the input events (AWS's user guide of Nova 2 Sonic, input events). Unknown fields are rejected, as Bedrock does. */
const id = z.string().min(1);
const rate = z.union([z.literal(8000), z.literal(16000), z.literal(24000)]);
const lpcm = {
  mediaType: z.literal('audio/lpcm'),
  sampleRateHertz: rate,
  sampleSizeBits: z.literal(16),
  channelCount: z.literal(1),
  encoding: z.literal('base64').optional(),
  audioType: z.literal('SPEECH').optional(),
};
const plainText = z.strictObject({ mediaType: z.literal('text/plain') });
const json = z.strictObject({ mediaType: z.literal('application/json') });
const sensitivity = z.enum(['HIGH', 'MEDIUM', 'LOW'] satisfies Sensitivity[]);
const inferenceConfiguration = z.strictObject({
  maxTokens: z.int().min(1).optional(),
  topP: z.number().min(0).max(1).optional(),
  temperature: z.number().min(0).max(1).optional(),
});

const toolSpec = (objectSchemas: boolean) =>
  z.strictObject({
    name: id,
    description: z.string().optional(),
    inputSchema: z.strictObject({
      json: objectSchemas
        ? z.union([jsonObject(), z.record(z.string(), z.unknown())])
        : jsonObject(),
    }),
  });
/** A string that holds a JSON object. */
const jsonObject = () => z.string().refine((text) => parseObject(text) !== undefined);

const promptStart = (model: Model, objectSchemas: boolean) =>
  z.strictObject({
    promptName: id,
    textOutputConfiguration: plainText.optional(),
    audioOutputConfiguration: z.strictObject({ ...lpcm, voiceId: z.string() }),
    toolUseOutputConfiguration: json.optional(),
    toolConfiguration: z
      .strictObject({
        tools: z.array(z.strictObject({ toolSpec: toolSpec(objectSchemas) })),
        ...(model.generation !== '1' && {
          toolChoice: z
            .union([
              z.strictObject({ auto: z.strictObject({}) }),
              z.strictObject({ any: z.strictObject({}) }),
              z.strictObject({ tool: z.strictObject({ name: id }) }),
            ])
            .optional(),
        }),
      })
      .optional(),
  });

const sessionStart = (model: Model) =>
  model.generation === '1'
    ? z.strictObject({ inferenceConfiguration, endpointingSensitivity: sensitivity.optional() })
    : z.strictObject({
        inferenceConfiguration,
        turnDetectionConfiguration: z
          .strictObject({ endpointingSensitivity: sensitivity })
          .optional(),
      });

const block = { promptName: id, contentName: id };
const contentStart = z.discriminatedUnion('type', [
  z.strictObject({
    ...block,
    type: z.literal('TEXT'),
    interactive: z.boolean().optional(),
    role: z.enum(['SYSTEM', 'USER', 'ASSISTANT', 'SYSTEM_SPEECH']),
    textInputConfiguration: plainText,
  }),
  z.strictObject({
    ...block,
    type: z.literal('AUDIO'),
    interactive: z.boolean().optional(),
    role: z.literal('USER'),
    audioInputConfiguration: z.strictObject(lpcm),
  }),
  z.strictObject({
    ...block,
    type: z.literal('TOOL'),
    interactive: z.boolean().optional(),
    role: z.literal('TOOL'),
    toolResultInputConfiguration: z.strictObject({
      toolUseId: id,
      type: z.literal('TEXT'),
      textInputConfiguration: plainText,
    }),
  }),
]);
const content = z.strictObject({ ...block, content: z.string() });

function makeSchemas(model: Model, objectSchemas: boolean) {
  return {
    sessionStart: sessionStart(model),
    promptStart: promptStart(model, objectSchemas),
    contentStart,
    textInput: content,
    audioInput: content,
    toolResult: content,
    contentEnd: z.strictObject(block),
    promptEnd: z.strictObject({ promptName: id }),
    sessionEnd: z.strictObject({}),
  };
}

type Schemas = ReturnType<typeof makeSchemas>;
const schemaCache = new Map<string, Schemas>();

/** The input events that a model accepts, by name; made once for all sessions, since that takes milliseconds. */
export function inputSchemas(model: Model, objectSchemas: boolean): Schemas {
  const key = `${model.generation} ${objectSchemas}`;
  const schemas = schemaCache.get(key) ?? makeSchemas(model, objectSchemas);
  schemaCache.set(key, schemas);
  return schemas;
}

/** A checked input event. */
export type InputEvent = {
  [Name in keyof Schemas]: { name: Name; body: z.infer<Schemas[Name]> };
}[keyof Schemas];

export type ContentStart = z.infer<typeof contentStart>;
export type PromptStart = z.infer<ReturnType<typeof promptStart>>;

/** The object in a JSON text, or undefined when the text is anything else. */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const object = value !== null && typeof value === 'object' && !Array.isArray(value);
    return object ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Checks the form of an input event: its name, fields and types.
 *
 * @throws StreamError with the service's text
 */
export function checkForm(schemas: Schemas, chunk: unknown): InputEvent {
  const events = isObject(chunk) && isObject(chunk.event) ? Object.entries(chunk.event) : [];
  const [first] = events;
  if (!first || events.length !== 1) {
    throw invalid(TEXT.parse, 'an event is {"event":{"<name>":{…}}} with exactly one name');
  }
  const [name, body] = first;
  if (!Object.hasOwn(schemas, name)) throw invalid(TEXT.invalid, `no input event is named ${name}`);
  const outer = Object.keys(chunk as object).find((key) => key !== 'event');
  if (outer) throw invalid(TEXT.invalid, `unknown field ${outer} beside "event"`);
  const result = schemas[name as keyof Schemas].safeParse(body);
  if (result.success) return { name, body: result.data } as InputEvent;
  const { text, why } = explain(result.error.issues, body);
  throw invalid(text, `${name}: ${why}`);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** Unknown fields and values out of range are an invalid request; anything else cannot be parsed (reported from the live service). */
function explain(issues: readonly z.core.$ZodIssue[], body: unknown) {
  const issue = issues[0] as z.core.$ZodIssue;
  const path = issue.path.join('.');
  if (path === 'audioOutputConfiguration.voiceId') {
    return { text: TEXT.parse, why: `${path}: ${issue.message}` };
  }
  const unknown = issues.find(({ code }) => code === 'unrecognized_keys');
  const everyIssue = issues.every(({ code }) => code === 'unrecognized_keys');
  if (unknown && everyIssue) {
    const where = unknown.path.length ? ` in ${unknown.path.join('.')}` : '';
    return { text: TEXT.invalid, why: `${unknown.message}${where}` };
  }
  if (issue.code === 'too_small' || issue.code === 'too_big') {
    const present = issue.path.reduce<unknown>(
      (value, key) => (isObject(value) ? value[key as string] : undefined),
      body,
    );
    if (typeof present === 'number')
      return { text: TEXT.invalid, why: `${path}: ${issue.message}` };
  }
  if (path.endsWith('toolChoice')) {
    return { text: TEXT.invalid, why: `${path} is {"auto":{}}, {"any":{}} or {"tool":{"name":…}}` };
  }
  return { text: TEXT.parse, why: path ? `${path}: ${issue.message}` : issue.message };
}
