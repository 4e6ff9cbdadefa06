// SPDX-License-Identifier: Apache-2.0

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** All Markdown files that git tracks, as paths from the root. */
export const PAGES = execFileSync('git', ['ls-files', '*.md'], {
  cwd: REPOSITORY,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path && existsSync(join(REPOSITORY, path)));

export const read = (path: string): string => readFileSync(join(REPOSITORY, path), 'utf8');

/** A page without its code blocks. */
export const prose = (page: string): string => read(page).replace(/^ *```[\s\S]*?^ *```/gm, '');

/** The contents of the code blocks of a language; '' for those that name none. */
export const codeBlocks = (page: string, language: string): string[] =>
  [...read(page).matchAll(/^ *```(\w*)\n([\s\S]*?)^ *```/gm)].flatMap(([, name, code]) =>
    name === language && code ? [code] : [],
  );

/** The anchors that GitHub gives the headings of a page. */
export function anchors(page: string): string[] {
  const seen = new Map<string, number>();
  return [...prose(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => {
    const anchor = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\- _]/gu, '')
      .replaceAll(' ', '-');
    const times = seen.get(anchor) ?? 0;
    seen.set(anchor, times + 1);
    return times === 0 ? anchor : `${anchor}-${times}`;
  });
}

/** The first column of the tables under a heading, without its back quotes. */
export function firstColumn(page: string, heading: string): string[] {
  const [, section = ''] = read(page).split(new RegExp(`^#+ ${heading}$`, 'm'));
  const body = section.split(/^#+ /m)[0] ?? '';
  return [...body.matchAll(/^\| ([^|]*) \|/gm)]
    .map(([, cell = '']) => cell.replaceAll('`', '').trim())
    .filter((cell) => cell && !/^-+$/.test(cell))
    .slice(1);
}
