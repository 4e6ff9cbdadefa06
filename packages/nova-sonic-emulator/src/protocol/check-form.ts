// SPDX-License-Identifier: Apache-2.0
import type { z } from 'zod';
import { TEXT } from './errors.js';
import { type InputName, type InputSchemas, isObject } from './events.js';
import type { Model } from './models.js';
import { contentKind } from './read-events.js';
import type { RuleName } from './rules.js';

/** A rule that an event breaks. */
export interface Violation {
  rule: RuleName;
  /** What the service says, without `RequestId=… : `. */
  message: string;
  /** What a developer should know. */
  why: string;
}

/** The rules that the form of an event breaks: its fields, their types and values. */
export function checkForm(
  schemas: InputSchemas,
  model: Model,
  name: InputName,
  body: Record<string, unknown>,
): Violation[] {
  const subject =
    name === 'contentStart' && !('type' in body) ? { ...body, type: contentKind(body) } : body;
  const result = schemas[name].safeParse(subject);
  const violations = result.success
    ? []
    : result.error.issues.flatMap((issue) => explain(issue, model, name, body));
  if (subject !== body) {
    violations.unshift({ rule: 'required-field', message: TEXT.parse, why: `${name}: no type` });
  }
  return violations;
}

function explain(
  issue: z.core.$ZodIssue,
  model: Model,
  name: InputName,
  body: Record<string, unknown>,
): Violation[] {
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const where = path ? ` in ${path}` : '';
    return issue.keys.map((key) => ({
      rule: unknownField(model, name, path, key),
      message: TEXT.invalid,
      why: `${name}: unknown field ${key}${where}`,
    }));
  }
  const value = issue.path.reduce<unknown>(
    (inner, key) => (isObject(inner) || Array.isArray(inner) ? Reflect.get(inner, key) : undefined),
    body,
  );
  const missing = value === undefined;
  const rule = knownField(name, body, issue.path.map(String), missing, typeof value === 'number');
  const range = issue.code === 'too_small' || issue.code === 'too_big';
  const invalid = rule === 'tool-choice' || (range && typeof value === 'number');
  const what = missing ? 'is missing' : issue.message;
  return [
    {
      rule,
      message: invalid ? TEXT.invalid : TEXT.parse,
      why: `${name}: ${path ? `${path}: ` : ''}${what}`,
    },
  ];
}

/** The rule that a field breaks which has no place where it stands. */
function unknownField(model: Model, name: InputName, path: string, key: string): RuleName {
  if (name === 'sessionStart' && path === '') {
    if (key === 'endpointingSensitivity') return 'sensitivity-place';
    if (key === 'turnDetectionConfiguration' && model.generation === '1') {
      return 'sensitivity-place-v1';
    }
  }
  if (name === 'textInput' && key === 'role') return 'role-in-content-start';
  if (path === 'toolConfiguration' && key === 'toolChoice') return 'tool-choice-v1';
  return 'unknown-field';
}

const LPCM = ['mediaType', 'sampleSizeBits', 'channelCount', 'encoding', 'audioType'];

/** The rule that the value of a known field breaks, or that a missing field breaks. */
function knownField(
  name: InputName,
  body: Record<string, unknown>,
  path: string[],
  missing: boolean,
  number: boolean,
): RuleName {
  const last = path.at(-1) ?? '';
  if (path[0] === 'inferenceConfiguration' && path.length === 1 && missing) {
    return 'inference-configuration';
  }
  if (path.includes('toolChoice')) return 'tool-choice';
  if (name === 'contentStart' && last === 'role') return roleRule(body, missing);
  if (missing) return 'required-field';
  if (last === 'sampleRateHertz') return 'sample-rate';
  if (last === 'endpointingSensitivity') return 'sensitivity-value';
  if (last === 'mediaType' && !path[0]?.startsWith('audio')) return 'text-format';
  if (LPCM.includes(last)) return 'audio-format';
  if (last === 'maxTokens') return number ? 'max-tokens' : 'field-type';
  if (last === 'topP' || last === 'temperature') return number ? 'inference-range' : 'field-type';
  return 'field-type';
}

function roleRule(body: Record<string, unknown>, missing: boolean): RuleName {
  const kind = contentKind(body);
  if (kind === 'AUDIO') return 'audio-role';
  if (kind === 'TOOL') return 'tool-role';
  return missing ? 'role-in-content-start' : 'role';
}
