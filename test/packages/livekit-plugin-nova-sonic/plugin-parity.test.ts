// SPDX-License-Identifier: Apache-2.0
// docs/parity.md of the package names a test for each of its rows: each exists and is of the kind that the document states.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const DOCUMENT = readFileSync(
  join(HERE, '../../../packages/livekit-plugin-nova-sonic/docs/parity.md'),
  'utf8',
);
const FILES = readdirSync(HERE, { recursive: true, encoding: 'utf8' });

interface Reference {
  readonly file: string;
  readonly name: string;
  readonly unit: boolean;
}

/** The tables that name tests; the summary before them names none. */
const TABLES = DOCUMENT.slice(DOCUMENT.indexOf('## Defects'));
const rows = TABLES.split('\n')
  .filter((line) => /^\| (?!---|#|Python \|)/.test(line))
  .map((line) => {
    const cells = line.split('|').map((cell) => cell.trim());
    const references = (cells.at(-2) ?? '').split('<br>').map((text): Reference => {
      const [, file, name, unit] = /^`([\w-]+)` > (.+?)( \(unit\))?$/.exec(text) ?? [];
      return { file: file ?? text, name: name ?? '', unit: unit !== undefined };
    });
    return { first: cells[1] as string, references };
  });
const references = rows.flatMap((row) => row.references);

/** The names of a file's tests, as they are written; undefined where there is no such file. */
function source(file: string): { text: string; names: Set<string> } | undefined {
  const path = FILES.find((name) => basename(name) === `${file}.test.ts`);
  if (!path) return undefined;
  const text = readFileSync(join(HERE, path), 'utf8');
  // test('name', … and, after a table, ])('name', …
  const names = [...text.matchAll(/^\s*(?:test|\]\))\(\s*'(.+?)',/gm)].map((match) => match[1]);
  return { text, names: new Set(names as string[]) };
}

test('docs/upstream.md tells of each file and folder of the sources where it would go', () => {
  const root = join(HERE, '../../../packages/livekit-plugin-nova-sonic');
  const upstream = readFileSync(join(root, 'docs/upstream.md'), 'utf8');
  const here = [...upstream.matchAll(/^\| (`.+?) \|/gm)].map(([, cell]) => cell).join();
  const named = [...here.matchAll(/`src\/([\w.-]+)\/?`/g)].map(([, name]) => name);
  expect(named.sort()).toEqual(readdirSync(join(root, 'src')).sort());
});

test('each test that is named exists', () => {
  expect(references.length).toBeGreaterThan(60);
  const missing = references.filter(({ file, name }) => !source(file)?.names.has(name));
  expect(missing).toEqual([]);
});

test('a test that is not marked (unit) drives a real AgentSession, and one that is does not', () => {
  const wrong = references.filter(({ file, unit }) => {
    const drives = /from '.+support\/scripted-call\.js'/.test(source(file)?.text ?? '');
    return drives === unit;
  });
  expect(wrong).toEqual([]);
});

test('each of the 23 defects has a test that drives a real AgentSession', () => {
  const defects = rows.filter((row) => /^\d+$/.test(row.first));
  expect(defects.map((row) => Number(row.first))).toEqual(
    Array.from({ length: 23 }, (_, i) => i + 1),
  );
  for (const { first, references: named } of defects) {
    const own = named.filter(({ name, unit }) => !unit && name.startsWith(`${first}: `));
    expect([first, own.length > 0]).toEqual([first, true]);
  }
});
