// SPDX-License-Identifier: Apache-2.0

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Tables } from './fill.js';
import { interfaceFields } from './interface-fields.js';
import { cell, code, table } from './markdown.js';

const LIB = new URL('../../lib/', import.meta.url);

/** A comment's text on one line, without its tags. */
const text = (comment: string): string =>
  comment
    .replace(/^\s*\* ?/gm, ' ')
    .replace(/\{@link ([^}]+)\}/g, '$1')
    .replace(/ @\w+ [\s\S]*/, '')
    .replace(/\s+/g, ' ')
    .trim();

const DOC = String.raw`\/\*\*((?:(?!\*\/)[\s\S])*)\*\/`;
const CLASS = new RegExp(`${DOC}\\nexport class (\\w+)[^{]*\\{\\n([\\s\\S]*?)^\\}`, 'gm');
// A method ends with its body, a constant with its value or a semicolon.
const MEMBER = new RegExp(
  `(?:${DOC}\\s+)?^  public (?!override|static)(?:readonly |get )?(\\w+)(\\([\\s\\S]*?(?= \\{\\n)|\\??:.*?(?=;\\n| = ))`,
  'gm',
);

/** What is public of a class: its constants and methods. */
function members(body: string): string[][] {
  return [...body.matchAll(MEMBER)].map(([, comment = '', name = '', rest = '']) => {
    const signature = rest
      .replace(/(\w+): ([\w.]+) = \{\}/g, '$1?: $2')
      .replace(/\s+/g, ' ')
      .replace(/\( /g, '(')
      .replace(/,? \)/g, ')');
    return [code(`${name}${signature}`), cell(text(comment))];
  });
}

/** Every class that index.ts exports, with its props and what is public of it, in the order of their names. */
function reference(): string {
  const exported = readFileSync(new URL('index.ts', LIB), 'utf8');
  const files = readdirSync(fileURLToPath(LIB), { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => /^(?!dist\/|node_modules\/).*\.ts$/.test(file));
  const sources = files.map((file) => {
    const url = new URL(file, LIB);
    return { file, url, source: readFileSync(url, 'utf8') };
  });
  const sections = sources.flatMap(({ file, source }) => {
    return [...source.matchAll(CLASS)].flatMap(([, comment = '', name = '', body = '']) => {
      const whole = exported.includes(`export * from './${file.replace(/\.ts$/, '.js')}'`);
      if (!whole && !new RegExp(`\\b${name}\\b`).test(exported)) return [];
      const home = sources.find((one) => one.source.includes(`export interface ${name}Props `));
      const props = home ? interfaceFields(home.url, `${name}Props`) : [];
      const rows = props.map((field) => [
        code(`${field.name}${field.optional ? '?' : ''}`),
        code(field.type.replace(/\/\*\*.*?\*\/ /g, '')),
        field.default.replace(/^- /, ''),
        cell(field.description),
      ]);
      const shown = members(body);
      const parts = [
        `## ${name}`,
        text(comment),
        ...(rows.length > 0 ? [table(['prop', 'type', 'default', 'meaning'], rows)] : []),
        ...(shown.length > 0 ? [table(['member', 'meaning'], shown)] : []),
      ];
      return [{ name, markdown: parts.join('\n\n') }];
    });
  });
  return sections
    .toSorted((a, b) => a.name.localeCompare(b.name))
    .map(({ markdown }) => markdown)
    .join('\n\n');
}

export const API_REFERENCE: Tables = { 'cdk-api': reference };
