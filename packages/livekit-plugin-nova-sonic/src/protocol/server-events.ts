// SPDX-License-Identifier: Apache-2.0
/**
 * A tolerant parser for the events that arrive. Every event is one JSON document `{"event":{"<name>":{…}}}`.
 * Source: Amazon Nova 2 user guide, page sonic-output-events; `userSpeechStart` and `userSpeechEnd` are not documented
 * and were seen in captures of the live service.
 */
import { isRecord, type Json, record } from './event-document.js';

export type ContentKind = 'TEXT' | 'AUDIO' | 'TOOL' | 'UNKNOWN';
export type ContentRole = 'USER' | 'ASSISTANT' | 'TOOL' | 'SYSTEM' | 'UNKNOWN';

export interface TokenUsage {
  readonly inputAudio: number;
  readonly inputText: number;
  readonly outputAudio: number;
  readonly outputText: number;
}

/** An event of the service, reduced to what is used; missing fields have a neutral value. */
export type ServerEvent =
  | { readonly type: 'completionStart' }
  | { readonly type: 'completionEnd' }
  | { readonly type: 'userSpeechStart'; readonly offsetMs?: number }
  | { readonly type: 'userSpeechEnd'; readonly offsetMs?: number; readonly detectedMs?: number }
  | {
      readonly type: 'contentStart';
      readonly contentId: string;
      readonly kind: ContentKind;
      readonly role: ContentRole;
      readonly stage?: 'SPECULATIVE' | 'FINAL';
    }
  | {
      readonly type: 'text';
      readonly contentId: string;
      readonly role: ContentRole;
      readonly content: string;
      /** The text is the JSON document that signals a barge-in. */
      readonly interrupted: boolean;
    }
  | {
      readonly type: 'audio';
      readonly contentId: string;
      /** Base64 of 16-bit little-endian mono samples at the output sample rate. */
      readonly content: string;
    }
  | {
      readonly type: 'toolUse';
      readonly contentId: string;
      readonly toolUseId: string;
      readonly name: string;
      /** The arguments, a JSON object in a string. */
      readonly args: string;
    }
  | {
      readonly type: 'contentEnd';
      readonly contentId: string;
      readonly kind: ContentKind;
      readonly stopReason: string;
    }
  | { readonly type: 'usage'; readonly delta: TokenUsage }
  | { readonly type: 'unknown'; readonly name: string };

const str = (value: unknown): string => (typeof value === 'string' ? value : '');
const num = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined;
const tryJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const kindOf = (value: unknown): ContentKind =>
  value === 'TEXT' || value === 'AUDIO' || value === 'TOOL' ? value : 'UNKNOWN';
const roleOf = (value: unknown): ContentRole =>
  value === 'USER' || value === 'ASSISTANT' || value === 'TOOL' || value === 'SYSTEM'
    ? value
    : 'UNKNOWN';

/** `additionalModelFields` is JSON inside a string; an object is taken as well. */
function stageOf(fields: unknown): 'SPECULATIVE' | 'FINAL' | undefined {
  const parsed = record(typeof fields === 'string' ? tryJson(fields) : fields);
  const stage = parsed.generationStage;
  return stage === 'SPECULATIVE' || stage === 'FINAL' ? stage : undefined;
}

/** The barge-in signal is a JSON object with `interrupted: true`; its white space varies between builds. */
function isInterruptSignal(content: string): boolean {
  const text = content.trim();
  return text.startsWith('{') && record(tryJson(text)).interrupted === true;
}

/**
 * A tool's arguments as one JSON object in a string. Some builds encode them twice, some send an object,
 * some put them under `input`; what is not JSON is handed on for the framework to refuse.
 */
function argumentsOf(body: Json): string {
  const raw = body.content ?? body.input ?? '{}';
  if (typeof raw !== 'string') return JSON.stringify(raw) ?? '{}';
  const inner = tryJson(raw);
  if (typeof inner === 'string' && isRecord(tryJson(inner))) return inner;
  return raw.trim() === '' ? '{}' : raw;
}

function tokens(body: Json): TokenUsage {
  const delta = record(record(body.details).delta);
  const input = record(delta.input);
  const output = record(delta.output);
  return {
    inputAudio: num(input.speechTokens) ?? 0,
    inputText: num(input.textTokens) ?? 0,
    outputAudio: num(output.speechTokens) ?? 0,
    outputText: num(output.textTokens) ?? 0,
  };
}

/**
 * Reads one event of the service. Never throws: what is not understood comes back as `unknown` with its name,
 * since the service has added events without notice before.
 */
export function parseServerEvent(source: string | Uint8Array | unknown): ServerEvent {
  let document: unknown = source;
  if (source instanceof Uint8Array) document = tryJson(Buffer.from(source).toString('utf8'));
  else if (typeof source === 'string') document = tryJson(source);
  const events = record(record(document).event);
  const name = Object.keys(events)[0];
  if (name === undefined) return { type: 'unknown', name: '(no event)' };
  const body = record(events[name]);
  const contentId = str(body.contentId);
  switch (name) {
    case 'completionStart':
    case 'completionEnd':
      return { type: name };
    case 'userSpeechStart':
      return { type: name, offsetMs: num(body.inputAudioOffsetMs) };
    case 'userSpeechEnd':
      return {
        type: name,
        offsetMs: num(body.inputAudioOffsetMs),
        detectedMs: num(body.inputAudioDetectionOffsetMs),
      };
    case 'contentStart':
      return {
        type: name,
        contentId,
        kind: kindOf(body.type),
        role: roleOf(body.role),
        stage: stageOf(body.additionalModelFields),
      };
    case 'textOutput': {
      const content = str(body.content);
      return {
        type: 'text',
        contentId,
        role: roleOf(body.role),
        content,
        interrupted: isInterruptSignal(content),
      };
    }
    case 'audioOutput':
      return { type: 'audio', contentId, content: str(body.content) };
    case 'toolUse': {
      const toolUseId = str(body.toolUseId);
      if (!toolUseId) return { type: 'unknown', name: 'toolUse without toolUseId' };
      return {
        type: 'toolUse',
        contentId,
        toolUseId,
        name: str(body.toolName),
        args: argumentsOf(body),
      };
    }
    case 'contentEnd':
      return {
        type: name,
        contentId,
        kind: kindOf(body.type),
        stopReason: str(body.stopReason),
      };
    case 'usageEvent':
      return { type: 'usage', delta: tokens(body) };
    default:
      return { type: 'unknown', name };
  }
}
