// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs';

/** A field of a TypeScript interface with its documentation comment. */
export interface Field {
  name: string;
  optional: boolean;
  type: string;
  description: string;
  /** From `@default`, or from "Default …" at the end of the comment. */
  default: string;
}

const FIELD =
  /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*(?:readonly )?(\w+)(\??):\s+((?:[^;{]|\{[\s\S]*?^ {2}\})*);/gm;

/**
 * Reads the fields of an exported interface from its source, since the compiler's own API is not stable yet. It takes
 * fields as this repository formats them: indented by two spaces, each with a comment. Deprecated fields are left out.
 * @throws Error when the file has no such interface
 */
export function interfaceFields(file: URL, name: string): Field[] {
  const source = readFileSync(file, 'utf8');
  const body = new RegExp(`^export interface ${name}\\b[^{]*\\{\\n([\\s\\S]*?)^\\}`, 'm').exec(
    source,
  )?.[1];
  if (body === undefined) throw new Error(`${file.pathname} has no interface ${name}.`);
  const fields: Field[] = [];
  for (const [, comment = '', field = '', mark = '', type = ''] of body.matchAll(FIELD)) {
    const text = comment
      .replace(/^\s*\* ?/gm, ' ')
      .replace(/\s+/g, ' ')
      .trim();
    if (text.startsWith('@deprecated')) continue;
    const [description = '', byTag] = text.split(/ ?@default /);
    const [, sentence, atEnd] = /^(.*?) ?Default:? ([^.]+)\.$/.exec(description) ?? [];
    fields.push({
      name: field,
      optional: mark === '?',
      type: type.replace(/\s+/g, ' ').replace(/^\| /, ''),
      description: (byTag === undefined && sentence) || description,
      default: byTag ?? atEnd ?? '',
    });
  }
  return fields;
}
