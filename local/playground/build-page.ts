// SPDX-License-Identifier: Apache-2.0

import { readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const HERE = fileURLToPath(new URL('.', import.meta.url));
/** The sources of the page; the other files here belong to its server. */
const SOURCES = [
  ...['page', 'state', 'public', 'index.html', 'vite.config.ts'],
  '../../agent/src/call/call-events.ts',
  '../../packages/livekit-plugin-nova-sonic/src/protocol/models.ts',
];

/** Directory of the built page. */
export const PAGE_DIRECTORY = join(HERE, 'dist');

/**
 * Builds the page when a source file is newer than the last build.
 * @throws Error with the output of Vite.
 */
export async function buildPage(onStatus: (line: string) => void): Promise<void> {
  const built =
    statSync(join(PAGE_DIRECTORY, 'index.html'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const newest = Math.max(...SOURCES.map((name) => mtime(join(HERE, name))));
  if (newest < built) return;
  onStatus('building the page');
  // Two commands may build at the same time: each into its own directory.
  const fresh = `${PAGE_DIRECTORY}.building-${process.pid}`;
  try {
    await runVite(fresh);
    replaceDirectory(fresh, PAGE_DIRECTORY);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** Builds the page into a directory. @throws Error with the output of Vite */
export async function runVite(directory: string): Promise<void> {
  const { exitCode, all } = await execa('vite', ['build', '--outDir', directory], {
    cwd: HERE,
    // Where a test runner or a shell has set another one, Vite would take React's development build, several times as slow.
    env: { NODE_ENV: 'production' },
    preferLocal: true,
    all: true,
    reject: false,
  });
  if (exitCode !== 0) throw new Error(`The page could not be built:\n${all}`);
}

/** Moves a directory to `target` and removes what was there. If several processes do so at once, one of them wins. */
export function replaceDirectory(fresh: string, target: string): void {
  const old = `${fresh}.old`;
  try {
    renameSync(target, old);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  try {
    renameSync(fresh, target);
  } catch (error) {
    if (errorCode(error) !== 'ENOTEMPTY' && errorCode(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(old, { recursive: true, force: true });
  }
}

const errorCode = (error: unknown) => (error as NodeJS.ErrnoException).code;

function mtime(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isDirectory()) return found?.mtimeMs ?? 0;
  return Math.max(found.mtimeMs, ...readdirSync(path).map((name) => mtime(join(path, name))));
}
