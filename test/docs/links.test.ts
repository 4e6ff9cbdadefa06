// SPDX-License-Identifier: Apache-2.0

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const pagesIn = (folder: string) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));

const PAGES = [
  '.',
  'docs',
  'examples',
  'agent',
  'packages/livekit-plugin-nova-sonic',
  'packages/nova-sonic-emulator',
].flatMap(pagesIn);

const read = (page: string) => readFileSync(join(ROOT, page), 'utf8');
const withoutBlocks = (text: string) => text.replace(/```[\s\S]*?```/g, '');

/** The anchors that GitHub gives the headings of a page. */
function anchors(path: string): string[] {
  return [...withoutBlocks(readFileSync(path, 'utf8')).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    (heading ?? '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\- _]/gu, '')
      .replaceAll(' ', '-'),
  );
}

test.each(PAGES)('%s links to what there is', (page) => {
  const here = join(ROOT, page);
  for (const [, link = ''] of withoutBlocks(read(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^(https?|mailto):/.test(link)) continue;
    const [path = '', anchor] = link.split('#');
    const target = path ? resolve(dirname(here), path) : here;
    expect([link, existsSync(target)]).toEqual([link, true]);
    if (anchor) expect(anchors(target)).toContain(anchor);
  }
});

test.each(PAGES)('%s names scripts that package.json has', (page) => {
  const { scripts } = JSON.parse(read('package.json'));
  for (const [, script = ''] of read(page).matchAll(/npm run (?:--silent )?([\w:]+)/g)) {
    expect(Object.keys(scripts)).toContain(script);
  }
});
