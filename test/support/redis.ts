// SPDX-License-Identifier: Apache-2.0

import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { ManagedProcess } from '../../local/process/managed-process.js';
import { freePort } from './free-port.js';

const START_TIMEOUT_MS = 30_000;

/**
 * The redis-server on the PATH.
 * @throws Error in CI when there is none; elsewhere undefined is returned, and the reason said aloud.
 */
export function findRedis(): string | undefined {
  const found = (process.env.PATH ?? '')
    .split(delimiter)
    .map((directory) => join(directory, 'redis-server'))
    .find((path) => existsSync(path));
  if (found) return found;
  const why = 'there is no redis-server: install it (apt-get install redis-server)';
  if (process.env.CI) throw new Error(`The tests of telephone numbers cannot run: ${why}.`);
  process.stderr.write(`\nSKIPPED, the tests of telephone numbers: ${why}.\n\n`);
  return undefined;
}

/** Starts a Redis that keeps nothing, on a free port of 127.0.0.1. */
export async function startRedis(
  path: string,
): Promise<{ address: string; stop(): Promise<void> }> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), 'redis-'));
  const redis = new ManagedProcess('Redis', path, [
    ...['--bind', '127.0.0.1', '--port', String(port)],
    ...['--save', '', '--appendonly', 'no', '--dir', directory],
  ]);
  await redis.waitForLine((line) => line.includes('Ready to accept connections'), START_TIMEOUT_MS);
  return { address: `127.0.0.1:${port}`, stop: () => redis.stop() };
}
