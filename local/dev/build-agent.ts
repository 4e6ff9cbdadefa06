// SPDX-License-Identifier: Apache-2.0

import { readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The compiler leaves unchanged outputs alone, so their times do not tell when it last ran. */
const STAMP = join(ROOT, 'agent/dist/.built');
/** The agent, and the plugin that it is built with. */
const SOURCES = ['agent/src', 'packages/livekit-plugin-nova-sonic/src'];

/**
 * Builds the agent when a source is newer than what was built.
 * @throws Error with what the compiler said.
 */
export async function buildAgent(say: (line: string) => void): Promise<void> {
  const started = new Date();
  if (!stale()) return;
  say('building the agent');
  const { exitCode, all } = await execa('npm', ['run', '--silent', 'build'], {
    cwd: ROOT,
    all: true,
    reject: false,
  });
  if (exitCode !== 0) throw new Error(`The agent does not build:\n${all}`);
  writeFileSync(STAMP, '');
  // A source saved while the compiler ran is newer than this.
  utimesSync(STAMP, started, started);
}

function stale(): boolean {
  const built = statSync(STAMP, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return SOURCES.some((path) => newest(join(ROOT, path)) > built);
}

function newest(directory: string): number {
  let time = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.name === 'dist' || entry.name === 'node_modules') continue;
    const path = join(directory, entry.name);
    time = Math.max(time, entry.isDirectory() ? newest(path) : statSync(path).mtimeMs);
  }
  return time;
}
