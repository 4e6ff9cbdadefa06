// SPDX-License-Identifier: Apache-2.0

import { existsSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { anchors, PAGES, prose, REPOSITORY, read } from './markdown.js';

/** Links of a page, also those of images and in HTML. */
const links = (page: string): string[] =>
  [...prose(page).matchAll(/\]\(([^)\s]+)\)|\b(?:href|src)="([^"]+)"/g)].map(
    ([, markdown, html]) => markdown ?? html ?? '',
  );

test.each(PAGES)('%s links to files and headings that exist', (page) => {
  const broken = links(page)
    .filter((link) => !/^(https?|mailto):/.test(link))
    .filter((link) => {
      const [path = '', anchor] = link.split('#');
      const target = path ? resolve(REPOSITORY, dirname(page), path) : join(REPOSITORY, page);
      if (!existsSync(target)) return true;
      if (!anchor) return false;
      return !statSync(target).isFile() || !anchors(relative(REPOSITORY, target)).includes(anchor);
    });
  expect(broken).toEqual([]);
});

test.each(PAGES)('%s names scripts that package.json has', (page) => {
  const { scripts } = JSON.parse(read('package.json'));
  const named = [...read(page).matchAll(/npm run (?:--silent )?([\w:]+)/g)].map(
    ([, script]) => script,
  );
  expect(named.filter((script) => !Object.hasOwn(scripts, script ?? ''))).toEqual([]);
});

/** Pages that somebody starts from; every other page must be linked from one of them, directly or not. */
test('every page can be reached from the README', () => {
  const reached = new Set(['README.md']);
  for (const page of reached) {
    for (const link of links(page)) {
      if (/^(https?|mailto):/.test(link)) continue;
      const path = relative(
        REPOSITORY,
        resolve(REPOSITORY, dirname(page), link.split('#')[0] ?? ''),
      );
      if (PAGES.includes(path)) reached.add(path);
    }
  }
  expect(PAGES.filter((page) => !reached.has(page))).toEqual([]);
});
