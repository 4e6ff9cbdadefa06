// SPDX-License-Identifier: Apache-2.0
/** JSON schemas as Nova models take them. */
import { isRecord, type Json } from '../protocol/event-document.js';

/** How often a type may contain itself before it is any object. */
const MAX_RECURSION = 3;
/** Keys that name other parts of a schema: their references are replaced by what they point to. */
const DEFINITIONS = ['$defs', 'definitions'];

/**
 * A schema that Nova models take: at the top only `type`, `properties` and `required` (Nova user guide, tool
 * definition), references inlined, and what has a default is not required.
 * @throws Error when the top is no object, or a reference cannot be resolved
 */
export function acceptableSchema(given: unknown): Json {
  if (!isRecord(given)) throw new Error('the schema is no object');
  const { type, properties, required, ...others } = inline(given, given, []) as Json;
  if (type !== 'object') {
    const found = type ?? Object.keys(others)[0] ?? 'nothing';
    throw new Error(`the schema is ${JSON.stringify(found)}, not an object at the top`);
  }
  return {
    type,
    properties: isRecord(properties) ? properties : {},
    ...(Array.isArray(required) && required.length > 0 && { required }),
  };
}

function inline(schema: unknown, root: Json, path: readonly string[]): unknown {
  if (Array.isArray(schema)) return schema.map((part) => inline(part, root, path));
  if (!isRecord(schema)) return schema;
  const { $ref, ...rest } = schema;
  if (typeof $ref === 'string') {
    if (path.filter((ref) => ref === $ref).length >= MAX_RECURSION) return { type: 'object' };
    const target = inline(resolve($ref, root), root, [...path, $ref]);
    return { ...(target as Json), ...(inline(rest, root, path) as Json) };
  }
  const copy: Json = {};
  for (const [key, value] of Object.entries(schema)) {
    if (DEFINITIONS.includes(key) || key === '$schema' || key === '$id') continue;
    if (key === 'additionalProperties' && typeof value === 'boolean') continue;
    copy[key] = key === 'properties' ? inlineEach(value, root, path) : inlineValue(key, value);
  }
  const { properties, required } = copy;
  if (isRecord(properties) && Array.isArray(required)) {
    copy.required = required.filter((name) => {
      const property = typeof name === 'string' ? properties[name] : undefined;
      return !(isRecord(property) && 'default' in property);
    });
  }
  return copy;

  /** Values that are no schemas stay as they are. */
  function inlineValue(key: string, value: unknown): unknown {
    return ['enum', 'const', 'default', 'examples', 'required'].includes(key)
      ? value
      : inline(value, root, path);
  }
}

/** The properties' names are no keywords. */
function inlineEach(properties: unknown, root: Json, path: readonly string[]): unknown {
  if (!isRecord(properties)) return properties;
  return Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [name, inline(schema, root, path)]),
  );
}

/** What a reference within the document points to. */
function resolve(ref: string, root: Json): unknown {
  if (ref !== '#' && !ref.startsWith('#/')) throw new Error(`${ref} is not in the schema itself`);
  let found: unknown = root;
  for (const step of ref.split('/').slice(1)) {
    const key = decodeURIComponent(step).replace(/~1/g, '/').replace(/~0/g, '~');
    found = isRecord(found) || Array.isArray(found) ? (found as Json)[key] : undefined;
  }
  if (found === undefined) throw new Error(`${ref} is not in the schema`);
  return found;
}
