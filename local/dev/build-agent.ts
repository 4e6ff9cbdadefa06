// SPDX-License-Identifier: Apache-2.0

import { readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The agent, and the plugin that it is built with. */
const SOURCES = ['agent/src', 'packages/livekit-plugin-nova-sonic/src'];
/** Its modification time is the time of the last build: the compiler does not rewrite unchanged outputs. */
const STAMP = join(ROOT, 'agent/dist/.built');

/**
 * Builds the agent when a source file is newer than the last build.
 * @throws Error with the output of the compiler.
 */
export async function buildAgent(onStatus: (line: string) => void): Promise<void> {
  const started = new Date();
  if (!isStale()) return;
  onStatus('building the agent');
  const { exitCode, all } = await execa('npm', ['run', '--silent', 'build'], {
    cwd: ROOT,
    all: true,
    reject: false,
  });
  if (exitCode !== 0) throw new Error(`The agent could not be built:\n${all}`);
  writeFileSync(STAMP, '');
  // A file saved while the compiler ran counts as newer.
  utimesSync(STAMP, started, started);
}

function isStale(): boolean {
  const built = statSync(STAMP, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return SOURCES.some((path) => newestMtime(join(ROOT, path)) > built);
}

function newestMtime(directory: string): number {
  let time = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.name === 'dist' || entry.name === 'node_modules') continue;
    const path = join(directory, entry.name);
    time = Math.max(time, entry.isDirectory() ? newestMtime(path) : statSync(path).mtimeMs);
  }
  return time;
}
