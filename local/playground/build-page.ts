// SPDX-License-Identifier: Apache-2.0

import { readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const CALL_EVENTS = fileURLToPath(new URL('../../agent/src/call/call-events.ts', import.meta.url));
/** What a page is made of; `serve.ts` and the like are not. */
const SOURCES = ['page', 'state', 'public', 'index.html', 'vite.config.ts'];

/** Where the built page is. */
export const PAGE = join(HERE, 'dist');

/**
 * Builds the page when a source is newer than what was built.
 * @throws Error with what Vite said.
 */
export async function buildPage(say: (line: string) => void): Promise<void> {
  const built = statSync(join(PAGE, 'index.html'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const newest = Math.max(mtime(CALL_EVENTS), ...SOURCES.map((name) => mtime(join(HERE, name))));
  if (newest < built) return;
  say('building the page');
  // Two commands may build at once: each its own.
  const fresh = `${PAGE}.building-${process.pid}`;
  try {
    const { exitCode, all } = await execa('vite', ['build', '--outDir', fresh], {
      cwd: HERE,
      preferLocal: true,
      all: true,
      reject: false,
    });
    if (exitCode !== 0) throw new Error(`The page does not build:\n${all}`);
    takePlace(fresh, PAGE);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** Puts a folder in the place of the one that may be there. When others do so at this moment, one of them stays. */
export function takePlace(fresh: string, place: string): void {
  const old = `${fresh}.old`;
  try {
    renameSync(place, old);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  try {
    renameSync(fresh, place);
  } catch (error) {
    if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(old, { recursive: true, force: true });
  }
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;

function mtime(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isDirectory()) return found?.mtimeMs ?? 0;
  return Math.max(found.mtimeMs, ...readdirSync(path).map((name) => mtime(join(path, name))));
}
