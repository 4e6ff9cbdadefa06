// SPDX-License-Identifier: Apache-2.0

import { existsSync } from 'node:fs';
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

test('CONTRIBUTING.md answers fifteen questions with one file each', () => {
  const questions = firstColumn('CONTRIBUTING.md', 'Find your way');
  expect(questions).toHaveLength(15);
  for (const question of questions) expect(question).toMatch(/\?$/);
});

test('README.md stays short', () => {
  expect(read('README.md').split('\n').length).toBeLessThanOrEqual(90);
});
