// SPDX-License-Identifier: Apache-2.0
import { isObject, parseObject, type Sensitivity } from './events.js';

/**
 * Reads what a session needs from an event, however a client spells it: what is missing or unusable has a default.
 * Whether the spelling is right is the business of the rules.
 */

export type InputContentKind = 'TEXT' | 'AUDIO' | 'TOOL';
export type InputRole = 'SYSTEM' | 'USER' | 'ASSISTANT' | 'SYSTEM_SPEECH';

export interface ReadContentStart {
  contentName: string;
  type: InputContentKind;
  role?: InputRole;
  interactive: boolean;
  /** Of an AUDIO content, in Hz. */
  sampleRate: number;
  /** Of a TOOL content. */
  toolUseId: string;
}

/** What promptStart settles. */
export interface ReadPrompt {
  promptName: string;
  voiceId: string;
  /** Of the output, in Hz. */
  sampleRate: number;
  tools: ReadTool[];
  /** The tool that toolChoice names. */
  chosen?: string;
}

export interface ReadTool {
  name: string;
  description?: unknown;
  /** inputSchema.json as sent. */
  json: unknown;
  /** The schema in it, if it is one. */
  schema?: Record<string, unknown>;
}

const field = (value: unknown, ...path: string[]): unknown =>
  path.reduce<unknown>((inner, key) => (isObject(inner) ? inner[key] : undefined), value);

export const stringOf = (value: unknown, fallback = ''): string =>
  typeof value === 'string' ? value : fallback;

const RATES = [8000, 16_000, 24_000];
const sampleRate = (value: unknown, fallback: number) =>
  RATES.find((rate) => value === rate || value === String(rate)) ?? fallback;

const ROLES: readonly InputRole[] = ['SYSTEM', 'USER', 'ASSISTANT', 'SYSTEM_SPEECH'];

/** The role in contentStart or textInput, or undefined. */
export function textRole(body: Record<string, unknown>): InputRole | undefined {
  const role = stringOf(body.role).toUpperCase();
  return ROLES.find((known) => known === role);
}

/** The type of a content: as sent, else the one that its configuration belongs to. */
export function contentKind(body: Record<string, unknown>): InputContentKind {
  const { type } = body;
  if (type === 'TEXT' || type === 'AUDIO' || type === 'TOOL') return type;
  if ('audioInputConfiguration' in body) return 'AUDIO';
  return 'toolResultInputConfiguration' in body ? 'TOOL' : 'TEXT';
}

export function readContentStart(body: Record<string, unknown>): ReadContentStart {
  return {
    contentName: stringOf(body.contentName),
    type: contentKind(body),
    role: textRole(body),
    interactive: body.interactive === true,
    sampleRate: sampleRate(field(body, 'audioInputConfiguration', 'sampleRateHertz'), 16_000),
    toolUseId: stringOf(field(body, 'toolResultInputConfiguration', 'toolUseId')),
  };
}

export function readPrompt(body: Record<string, unknown>): ReadPrompt {
  const tools = field(body, 'toolConfiguration', 'tools');
  const chosen = field(body, 'toolConfiguration', 'toolChoice', 'tool', 'name');
  return {
    promptName: stringOf(body.promptName),
    voiceId: stringOf(field(body, 'audioOutputConfiguration', 'voiceId'), 'matthew'),
    sampleRate: sampleRate(field(body, 'audioOutputConfiguration', 'sampleRateHertz'), 24_000),
    tools: Array.isArray(tools) ? tools.map(readTool) : [],
    chosen: typeof chosen === 'string' ? chosen : undefined,
  };
}

function readTool(tool: unknown): ReadTool {
  const json = field(tool, 'toolSpec', 'inputSchema', 'json');
  return {
    name: stringOf(field(tool, 'toolSpec', 'name')),
    description: field(tool, 'toolSpec', 'description'),
    json,
    schema: isObject(json) ? json : parseObject(json),
  };
}

export function readSensitivity(body: Record<string, unknown>): Sensitivity {
  const given =
    field(body, 'turnDetectionConfiguration', 'endpointingSensitivity') ??
    body.endpointingSensitivity;
  return given === 'HIGH' || given === 'LOW' ? given : 'MEDIUM';
}
