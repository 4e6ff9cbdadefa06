// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { Ajv, type ErrorObject } from 'ajv';
import { type Document, isMap, isNode, LineCounter, parseDocument } from 'yaml';
import type { Scenario, ScenarioTurn } from './scenario.js';

/** A scenario that cannot be used; the message names file, line and field. */
export class ScenarioError extends Error {}

type Path = (string | number)[];
type Complain = (path: Path, text: string) => never;

const schema = JSON.parse(
  readFileSync(new URL('../../scenario.schema.json', import.meta.url), 'utf8'),
) as object;
const validate = new Ajv({
  allErrors: true,
  verbose: true,
  formats: { regex: isRegex },
}).compile<Scenario>(schema);

function isRegex(text: string): boolean {
  try {
    new RegExp(text, 'i');
    return true;
  } catch {
    return false;
  }
}

/**
 * Reads a scenario from a YAML or JSON file.
 *
 * @throws ScenarioError
 */
export function loadScenario(path: string): Scenario {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ScenarioError(`The scenario ${path} cannot be read: ${(error as Error).message}`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [broken] = document.errors;
  if (broken) {
    const line = broken.linePos?.[0].line ?? 1;
    throw new ScenarioError(`${path}:${line}: ${broken.message.split('\n')[0]}`);
  }
  return checkScenario(document.toJS(), (at, message) => {
    throw new ScenarioError(`${path}:${lineOf(document, lines, at)}: ${field(at)}: ${message}`);
  });
}

/**
 * Checks a scenario that may have come from anywhere.
 *
 * @throws ScenarioError
 */
export function checkScenario(
  value: unknown,
  complain: Complain = (at, message) => {
    throw new ScenarioError(`scenario: ${field(at)}: ${message}`);
  },
): Scenario {
  if (!validate(value)) {
    const { path, message } = explain(validate.errors ?? []);
    complain(path, message);
  }
  const scenario = value as Scenario;
  for (const [i, turn] of scenario.turns.entries()) checkTurn(turn, ['turns', i], complain);
  return scenario;
}

/** Checks what the schema cannot express. */
function checkTurn(turn: ScenarioTurn, path: Path, complain: Complain): void {
  if (turn.steps) {
    for (const name of ['tools', 'meanwhile', 'reply', 'interrupt', 'error'] as const) {
      if (turn[name] !== undefined) {
        complain([...path, name], 'cannot stand beside steps; move it into steps');
      }
    }
  }
  if (turn.meanwhile !== undefined && !turn.tools) {
    complain([...path, 'meanwhile'], 'is said while tools run; the turn has no tools');
  }
  if (turn.on === 'text' && turn.user !== undefined) {
    complain([...path, 'user'], 'a text turn has no transcript; use match to choose the text');
  }
  if (turn.on !== 'text' && turn.match !== undefined) {
    complain([...path, 'match'], 'needs `on: text`: no words are recognised in speech');
  }
  const called = new Set(['tool']);
  const use = (text: unknown, at: Path) => {
    for (const [, name] of JSON.stringify(text).matchAll(/\{\{\s*([^{}\s.]+)[^{}]*\}\}/g)) {
      if (name === 'user' || (called.size > 1 && called.has(name as string))) continue;
      complain(at, `{{${name}…}} names no tool that this turn has called before`);
    }
  };
  const call = (tools: { name: string; args?: unknown }[], at: Path) => {
    tools.forEach(({ args }, i) => {
      if (args) use(args, [...at, i, 'args']);
    });
    for (const { name } of tools) called.add(name);
  };
  if (turn.tools) call(turn.tools, [...path, 'tools']);
  [turn.reply ?? []].flat().forEach((text, i) => {
    use(text, Array.isArray(turn.reply) ? [...path, 'reply', i] : [...path, 'reply']);
  });
  turn.steps?.forEach((step, i) => {
    if ('tools' in step) call(step.tools, [...path, 'steps', i, 'tools']);
    if ('asyncTools' in step) call(step.asyncTools, [...path, 'steps', i, 'asyncTools']);
    if ('say' in step) use(step.say, [...path, 'steps', i, 'say']);
  });
}

/** Picks the most useful of the schema's errors: an unknown field, else the deepest. */
function explain(errors: ErrorObject[]): { path: Path; message: string } {
  const depth = (error: ErrorObject) => error.instancePath.split('/').length;
  const useful = errors.filter(({ keyword }) => keyword !== 'anyOf');
  const error = [...(useful.length ? useful : errors)].sort(
    (a, b) =>
      Number(b.keyword === 'additionalProperties') - Number(a.keyword === 'additionalProperties') ||
      depth(b) - depth(a),
  )[0] as ErrorObject;
  const path: Path = error.instancePath
    .split('/')
    .slice(1)
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  switch (error.keyword) {
    case 'additionalProperties': {
      const allowed = Object.keys(error.parentSchema?.properties ?? {}).filter(
        (name) => name !== '$schema',
      );
      return {
        path: [...path, error.params.additionalProperty],
        message: allowed.length ? `unknown; there are ${allowed.join(', ')}` : 'unknown',
      };
    }
    case 'required':
      return { path: [...path, error.params.missingProperty], message: 'is missing' };
    case 'enum':
      return { path, message: `must be one of ${error.params.allowedValues.join(', ')}` };
    case 'format':
      return { path, message: 'is not a regular expression' };
    default:
      return { path, message: error.message ?? error.keyword };
  }
}

/** `turns[0].tools[1].name`. */
function field(path: Path): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('');
  return text.replace(/^\./, '') || 'the file';
}

/** The line of a field: of its key where there is one, else of the nearest parent. */
function lineOf(document: Document, lines: LineCounter, path: Path): number {
  for (let length = path.length; length > 0; length--) {
    const parent = document.getIn(path.slice(0, length - 1), true);
    const last = path[length - 1];
    const pair = isMap(parent)
      ? parent.items.find(({ key }) => String(isNode(key) ? key : key) === String(last))
      : undefined;
    const node = pair && isNode(pair.key) ? pair.key : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}
