// SPDX-License-Identifier: Apache-2.0

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { execa } from 'execa';
import { replaceDirectory, runVite } from '../../../local/playground/build-page.js';

const BUILD = fileURLToPath(new URL('../../../local/playground/build-page.ts', import.meta.url));

function folder(path: string, content: string): string {
  mkdirSync(path);
  writeFileSync(join(path, 'index.html'), content);
  return path;
}

describe('a page that was built', () => {
  it('has the production build of React, whatever NODE_ENV says', async () => {
    expect(process.env.NODE_ENV).toBe('test');
    const place = mkdtempSync(join(tmpdir(), 'page-'));
    await runVite(place);
    const scripts = readdirSync(join(place, 'assets')).filter((name) => name.endsWith('.js'));
    expect(scripts.length).toBeGreaterThan(0);
    // Not the scripts themselves: a failure would print a megabyte.
    const development = scripts.filter((name) =>
      readFileSync(join(place, 'assets', name), 'utf8').includes('jsxDEV'),
    );
    expect(development).toEqual([]);
  });

  it('replaces the previous page, or none', () => {
    const room = mkdtempSync(join(tmpdir(), 'place-'));
    const place = join(room, 'dist');
    for (const content of ['first', 'second']) {
      replaceDirectory(folder(join(room, content), content), place);
      expect(readFileSync(join(place, 'index.html'), 'utf8')).toBe(content);
    }
    expect(readdirSync(room)).toEqual(['dist']);
  });

  it('can be replaced by several processes at once', async () => {
    const room = mkdtempSync(join(tmpdir(), 'place-'));
    const program = `
      import { mkdirSync, writeFileSync, rmSync } from 'node:fs';
      import { replaceDirectory } from ${JSON.stringify(BUILD)};
      for (let i = 0; i < 300; i++) {
        const fresh = ${JSON.stringify(room)} + '/fresh-' + process.pid + '-' + i;
        mkdirSync(fresh);
        writeFileSync(fresh + '/index.html', 'page');
        replaceDirectory(fresh, ${JSON.stringify(join(room, 'dist'))});
        rmSync(fresh, { recursive: true, force: true });
      }`;
    const build = () =>
      execa(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program]);
    await Promise.all([build(), build(), build()]);
    expect(readdirSync(room)).toEqual(['dist']);
    expect(readFileSync(join(room, 'dist', 'index.html'), 'utf8')).toBe('page');
  });
});
