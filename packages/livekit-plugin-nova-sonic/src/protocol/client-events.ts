// SPDX-License-Identifier: Apache-2.0
/**
 * Builders for the events that we send. Every event is one JSON document `{"event":{"<name>":{…}}}`.
 * Source: Amazon Nova 2 user guide, page sonic-input-events.
 */
import type { SessionConfig } from './session-config.js';

/** One event for the service, ready to be serialised. */
export interface ClientEvent {
  /** The document: one key, the name of the event. */
  readonly event: Readonly<Record<string, unknown>>;
}

/** The role of a block of text. SYSTEM may come only once, before everything else; SYSTEM_SPEECH once, right after it. */
export type TextRole = 'SYSTEM' | 'SYSTEM_SPEECH' | 'USER' | 'ASSISTANT';

const event = (name: string, body: Record<string, unknown>): ClientEvent => ({
  event: { [name]: body },
});

export const sessionStart = (config: SessionConfig): ClientEvent =>
  event('sessionStart', {
    inferenceConfiguration: {
      maxTokens: config.maxTokens,
      topP: config.topP,
      temperature: config.temperature,
    },
    ...(config.endpointingSensitivity && {
      turnDetectionConfiguration: { endpointingSensitivity: config.endpointingSensitivity },
    }),
  });

export const promptStart = (promptName: string, config: SessionConfig): ClientEvent =>
  event('promptStart', {
    promptName,
    textOutputConfiguration: { mediaType: 'text/plain' },
    audioOutputConfiguration: {
      mediaType: 'audio/lpcm',
      sampleRateHertz: config.outputSampleRate,
      sampleSizeBits: 16,
      channelCount: 1,
      voiceId: config.voiceId,
      encoding: 'base64',
      audioType: 'SPEECH',
    },
    ...(config.tools.length > 0 && {
      toolUseOutputConfiguration: { mediaType: 'application/json' },
      toolConfiguration: {
        tools: config.tools.map((tool) => ({
          toolSpec: {
            name: tool.name,
            description: tool.description,
            inputSchema: { json: tool.inputSchema },
          },
        })),
        ...(config.toolChoice && { toolChoice: config.toolChoice }),
      },
    }),
  });

/** A whole block of text; more than one part stays one message (the service caps the size of a part). */
export const textBlock = (
  promptName: string,
  contentName: string,
  role: TextRole,
  parts: readonly string[],
  interactive: boolean,
): ClientEvent[] => [
  event('contentStart', {
    promptName,
    contentName,
    type: 'TEXT',
    interactive,
    role,
    textInputConfiguration: { mediaType: 'text/plain' },
  }),
  ...parts.map((content) => event('textInput', { promptName, contentName, content })),
  contentEnd(promptName, contentName),
];

export const audioStart = (
  promptName: string,
  contentName: string,
  sampleRate: number,
): ClientEvent =>
  event('contentStart', {
    promptName,
    contentName,
    type: 'AUDIO',
    interactive: true,
    role: 'USER',
    audioInputConfiguration: {
      mediaType: 'audio/lpcm',
      sampleRateHertz: sampleRate,
      sampleSizeBits: 16,
      channelCount: 1,
      audioType: 'SPEECH',
      encoding: 'base64',
    },
  });

export const audioInput = (promptName: string, contentName: string, content: string): ClientEvent =>
  event('audioInput', { promptName, contentName, content });

/** A tool's result; `content` must be a JSON object in a string, anything else ends the stream. */
export const toolResultBlock = (
  promptName: string,
  contentName: string,
  toolUseId: string,
  content: string,
): ClientEvent[] => [
  event('contentStart', {
    promptName,
    contentName,
    interactive: false,
    type: 'TOOL',
    role: 'TOOL',
    toolResultInputConfiguration: {
      toolUseId,
      type: 'TEXT',
      textInputConfiguration: { mediaType: 'text/plain' },
    },
  }),
  event('toolResult', { promptName, contentName, content }),
  contentEnd(promptName, contentName),
];

export const contentEnd = (promptName: string, contentName: string): ClientEvent =>
  event('contentEnd', { promptName, contentName });

export const promptEnd = (promptName: string): ClientEvent => event('promptEnd', { promptName });

export const sessionEnd = (): ClientEvent => event('sessionEnd', {});

/** The name of a client event, for logs and tests. */
export const clientEventName = (e: ClientEvent): string => Object.keys(e.event)[0] ?? 'unknown';
