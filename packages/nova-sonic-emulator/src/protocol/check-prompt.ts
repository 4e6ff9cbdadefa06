// SPDX-License-Identifier: Apache-2.0
import type { Violation } from './check-form.js';
import { TEXT } from './errors.js';
import { isObject } from './events.js';
import type { Model } from './models.js';
import type { ReadPrompt, ReadTool } from './read-events.js';

const TOOL_NAME = /^[a-zA-Z0-9_-]{1,64}$/;
const SCHEMA_KEYS = ['type', 'properties', 'required'];

/** The rules that a prompt's voice and tools break. */
export function checkPrompt(
  model: Model,
  { voiceId, tools, chosen }: ReadPrompt,
  objectSchemas: boolean,
): Violation[] {
  const violations: Violation[] = [];
  const broken = (rule: Violation['rule'], message: string, why: string) =>
    violations.push({ rule, message, why });
  if (!model.voices.has(voiceId)) {
    // A later model may have voices that are not known here; none has capitals.
    const unknown = model.generation === '2.5' && voiceId === voiceId.toLowerCase();
    broken(
      unknown ? 'voice-2-5' : 'voice',
      TEXT.invalidId(voiceId),
      `${model.id} has no voice ${voiceId}; they are lower case`,
    );
  }
  const names = tools.map(({ name }) => name);
  tools.forEach((tool, i) => {
    violations.push(...checkTool(tool, objectSchemas));
    if (names.indexOf(tool.name) < i) {
      broken('tool-name-once', TEXT.invalid, `two tools are named ${tool.name}`);
    }
  });
  if (chosen !== undefined && !names.includes(chosen)) {
    broken('tool-choice-name', TEXT.invalid, `toolChoice names ${chosen}, which is no tool`);
  }
  return violations;
}

function checkTool({ name, description, json, schema }: ReadTool, objectSchemas: boolean) {
  const violations: Violation[] = [];
  const broken = (rule: Violation['rule'], message: string, why: string) =>
    violations.push({ rule, message, why: `tool ${JSON.stringify(name)}: ${why}` });
  if (!TOOL_NAME.test(name)) {
    broken('tool-name', TEXT.invalid, 'its name is not 1 to 64 letters, digits, _ or -');
  }
  if (description === '') broken('tool-description', TEXT.invalid, 'its description is empty');
  if (isObject(json)) {
    if (!objectSchemas) {
      broken('schema-string', TEXT.parse, 'inputSchema.json is an object, not a string');
    }
  } else if (!schema) {
    broken('schema-json', TEXT.parse, 'inputSchema.json holds no JSON object');
  }
  if (schema) {
    const others = Object.keys(schema).filter((key) => !SCHEMA_KEYS.includes(key));
    if (others.length) {
      broken('schema-keys', TEXT.invalid, `its schema has ${others.join(', ')} at the top`);
    } else if (schema.type !== 'object') {
      broken('schema-keys', TEXT.invalid, 'its schema has not the type "object"');
    }
  }
  return violations;
}
