// SPDX-License-Identifier: Apache-2.0

import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { firstColumn, PAGES, prose, REPOSITORY, read } from './markdown.js';

// Folders at the root: a path in a document that begins with one of them must exist.
const PATH =
  /`((?:agent|bench|bin|docs|examples|lib|local|packages|test|\.ci)\/[\w./-]*(?:\{[\w,]+\})?)`/g;

/** docs/upgrading.md also names the paths of before. */
const CURRENT = PAGES.filter((page) => page !== 'docs/upgrading.md' && page !== 'CHANGELOG.md');

test.each(CURRENT)('%s names files that exist', (page) => {
  const named = [...prose(page).matchAll(PATH)].map(([, path = '']) => path);
  // From the root, or in a package's page from the package.
  const exists = (path: string) =>
    existsSync(join(REPOSITORY, path)) || existsSync(join(REPOSITORY, dirname(page), path));
  expect(named.filter((path) => !exists(path))).toEqual([]);
});

const PARTS = [
  'agent/src',
  'lib',
  'local',
  ...['livekit-plugin-nova-sonic', 'nova-sonic-emulator'].map((name) => `packages/${name}/src`),
];

test.each(PARTS)('docs/architecture.md describes each folder of %s', (part) => {
  const [, table = ''] = read('docs/architecture.md').split('\n## Folders\n');
  const folders = readdirSync(join(REPOSITORY, part), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !['dist', 'node_modules'].includes(entry.name))
    .map(({ name }) => name);
  expect(folders.length).toBeGreaterThan(5);
  const rows =
    table
      .split('\n## ')[0]
      ?.split('\n')
      .filter((row) => row.includes(`\`${part}/`) || row.includes(`\`${part}\``)) ?? [];
  expect(folders.filter((name) => !rows.join().includes(`${name}/\``))).toEqual([]);
});

test('CONTRIBUTING.md answers fifteen questions with one file each', () => {
  const questions = firstColumn('CONTRIBUTING.md', 'Find your way');
  expect(questions).toHaveLength(15);
  for (const question of questions) expect(question).toMatch(/\?$/);
});

test('README.md stays short', () => {
  expect(read('README.md').split('\n').length).toBeLessThanOrEqual(90);
});
