// SPDX-License-Identifier: Apache-2.0

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DevEnvironment } from './dev-environment.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** DEV_STATE_FILE is for tests: an environment that they start is then found by them only. */
const STATE_FILE = process.env.DEV_STATE_FILE || join(ROOT, '.cache', 'dev-environment.json');

/** How other commands reach the environment that `npm start` runs. */
export type RunningEnvironment = Pick<DevEnvironment, 'livekit' | 'bedrock'>;

interface DevState extends RunningEnvironment {
  pid: number;
}

/** Lets other commands find this environment. Only the owner of the file can read it: it holds a secret. */
export function writeDevState({ livekit, bedrock }: RunningEnvironment): void {
  mkdirSync(dirname(STATE_FILE), { recursive: true });
  const state: DevState = { pid: process.pid, livekit, bedrock };
  writeFileSync(STATE_FILE, JSON.stringify(state), { mode: 0o600 });
}

export function removeDevState(): void {
  rmSync(STATE_FILE, { force: true });
}

/** The environment that `npm start` of this checkout runs now; undefined when there is none. */
export async function findRunningEnvironment(): Promise<RunningEnvironment | undefined> {
  try {
    const state = JSON.parse(readFileSync(STATE_FILE, 'utf8')) as DevState;
    process.kill(state.pid, 0);
    const url = state.livekit.url.replace(/^ws/, 'http');
    const { ok } = await fetch(url, { signal: AbortSignal.timeout(1000) });
    return ok ? state : undefined;
  } catch {
    return undefined;
  }
}
