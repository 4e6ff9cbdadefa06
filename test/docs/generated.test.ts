// SPDX-License-Identifier: Apache-2.0

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { fillTables } from '../../docs/generate/fill.js';
import { interfaceFields } from '../../docs/generate/interface-fields.js';
import { table } from '../../docs/generate/markdown.js';
import { REPOSITORY } from './markdown.js';

test('the generated tables of all pages are up to date (npm run docs:generate)', async () => {
  // In a process of its own: the tables import the command-line programs.
  const output = await new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--import', 'tsx', join(REPOSITORY, 'docs', 'generate', 'main.ts'), '--check'],
      { cwd: REPOSITORY },
      (_error, stdout, stderr) => resolve(stdout + stderr),
    );
  });
  expect(output).toBe('');
}, 300_000);

describe('a page', () => {
  const TABLES = { one: () => '| 1 |', two: () => '| 2 |' };
  const page = (...lines: string[]) => lines.join('\n');

  test('keeps its text around the tables', () => {
    const text = page(
      'Before',
      '<!-- generated: one -->',
      'old',
      '<!-- /generated: one -->',
      'between',
      '<!-- generated: two -->',
      '<!-- /generated: two -->',
      'after',
    );
    const filled = page(
      'Before',
      '<!-- generated: one -->',
      '| 1 |',
      '<!-- /generated: one -->',
      'between',
      '<!-- generated: two -->',
      '| 2 |',
      '<!-- /generated: two -->',
      'after',
    );
    expect(fillTables('p.md', text, TABLES)).toBe(filled);
    expect(fillTables('p.md', filled, TABLES)).toBe(filled);
  });

  test.each([
    [
      'with an unknown table',
      page('<!-- generated: three -->', '<!-- /generated: three -->'),
      'p.md: no table "three"; there are one, two.',
    ],
    [
      'with a table that ends under another name',
      page('<!-- generated: one -->', '<!-- /generated: two -->'),
      'p.md: the table "one" ends as "two".',
    ],
    [
      'with a table without an end',
      page('<!-- generated: one -->', 'text'),
      'p.md: a marker of a generated table has no counterpart.',
    ],
  ])('%s is an error', (_title, text, message) => {
    expect(() => fillTables('p.md', text, TABLES)).toThrow(new Error(message));
  });
});

test('a cell can hold vertical bars and line breaks', () => {
  expect(table(['a', 'b'], [["'x' | 'y'", 'one\ntwo']])).toBe(
    "| a | b |\n| --- | --- |\n| 'x' \\| 'y' | one two |",
  );
});

test('the fields of an interface are read with their types, comments and defaults', () => {
  const folder = mkdtempSync(join(tmpdir(), 'interface-'));
  const file = join(folder, 'options.ts');
  writeFileSync(
    file,
    `export interface Options extends Others {
  /** The port. @default 80 */
  port?: number;
  /**
   * Waits
   * this long. Default 5.
   */
  readonly wait?: number;
  /** @deprecated Use \`port\`. */
  oldPort?: number;
  /** Watchdogs. */
  timeouts?: {
    /** Inner. @default 1 */
    first?: number;
  };
  /** Last. */
  last: (line: string) => void;
  /** One of many. */
  readonly kind:
    | 'one'
    | 'two';
}
`,
  );
  const port = { optional: true, type: 'number' };
  const required = { optional: false, default: '' };
  try {
    expect(interfaceFields(pathToFileURL(file), 'Options')).toEqual([
      { ...port, name: 'port', description: 'The port.', default: '80' },
      { ...port, name: 'wait', description: 'Waits this long.', default: '5' },
      expect.objectContaining({ name: 'timeouts', description: 'Watchdogs.', default: '' }),
      { ...required, name: 'last', type: '(line: string) => void', description: 'Last.' },
      { ...required, name: 'kind', type: "'one' | 'two'", description: 'One of many.' },
    ]);
    expect(() => interfaceFields(pathToFileURL(file), 'Nothing')).toThrow('has no interface');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
