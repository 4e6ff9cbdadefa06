// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import type { Model } from './models.js';

/** `endpointingSensitivity` of sessionStart. */
export type Sensitivity = 'HIGH' | 'MEDIUM' | 'LOW';

/** Shapes of the input events, as AWS's user guide of Nova 2 Sonic shows them (input events). */
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

const toolSpec = z.strictObject({
  name: z.string(),
  description: z.string().optional(),
  // Its form is a matter of rules of their own.
  inputSchema: z.strictObject({ json: z.unknown() }),
});
const empty = z.strictObject({});

const promptStart = (model: Model) =>
  z.strictObject({
    promptName: id,
    textOutputConfiguration: plainText.optional(),
    audioOutputConfiguration: z.strictObject({ ...lpcm, voiceId: z.string() }),
    toolUseOutputConfiguration: json.optional(),
    toolConfiguration: z
      .strictObject({
        tools: z.array(z.strictObject({ toolSpec })),
        ...(model.generation !== '1' && {
          toolChoice: z
            .union([
              z.strictObject({ auto: empty }),
              z.strictObject({ any: empty }),
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

const makeSchemas = (model: Model) => ({
  sessionStart: sessionStart(model),
  promptStart: promptStart(model),
  contentStart,
  textInput: content,
  audioInput: content,
  toolResult: content,
  contentEnd: z.strictObject(block),
  promptEnd: z.strictObject({ promptName: id }),
  sessionEnd: empty,
});

export type InputSchemas = ReturnType<typeof makeSchemas>;
/** Names of the input events. */
export type InputName = keyof InputSchemas;

const schemaCache = new Map<string, InputSchemas>();

/** The shapes of a model's input events, by name; made once for all sessions, since that takes milliseconds. */
export function inputSchemas(model: Model): InputSchemas {
  const schemas = schemaCache.get(model.generation) ?? makeSchemas(model);
  schemaCache.set(model.generation, schemas);
  return schemas;
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** The object in a JSON text, or undefined when the text is anything else. */
export function parseObject(text: unknown): Record<string, unknown> | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
