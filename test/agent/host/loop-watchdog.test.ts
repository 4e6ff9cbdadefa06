// SPDX-License-Identifier: Apache-2.0

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, expect, test } from '@jest/globals';
import { initializeLogger, log } from '@livekit/agents';
import { installCallLogging, runInCall, runTool } from '../../../agent/src/host/call-context.js';
import { type BlockedLoop, LoopWatchdog } from '../../../agent/src/host/loop-watchdog.js';
import { until } from '../../support/wait.js';

let watchdog: LoopWatchdog | undefined;

beforeAll(() => {
  initializeLogger({ pretty: false, level: 'silent' });
  installCallLogging();
});
afterEach(async () => {
  await watchdog?.close();
  watchdog = undefined;
});

const OURS = /^computeUntilSeen loop-watchdog\.test\.ts:\d+$/;
const isOurs = ({ frames }: BlockedLoop) => frames.some((frame) => OURS.test(frame));

/** Blocks the event loop, as a tool with a long computation does, until the watchdog has seen it. */
function computeUntilSeen(): void {
  const seen = watchdog?.inspections ?? 0;
  const end = performance.now() + 60_000;
  while (watchdog?.inspections === seen && performance.now() < end) Math.sqrt(end);
}

/** The next block that our own code makes; a machine that is busy, and Jest, have some of their own. */
const nextBlock = () =>
  new Promise<BlockedLoop>((resolve) => {
    watchdog = new LoopWatchdog({
      blockedMs: 250,
      inspectEveryMs: 0,
      onBlocked: (blocked) => {
        if (isOurs(blocked)) resolve(blocked);
      },
    });
  });

test('names the call, the tool and the function that block the event loop, also after an await', async () => {
  const blocked = nextBlock();
  void runInCall({ callId: 'quick', logger: log() }, () =>
    runTool('get_time', () => new Promise((resolve) => setImmediate(resolve))),
  );
  void runInCall({ callId: 'slow', logger: log() }, () =>
    runTool('get_weather', async () => {
      await new Promise((resolve) => setImmediate(resolve));
      computeUntilSeen();
    }),
  );
  const { ms, callId, tool } = await blocked;
  expect({ callId, tool }).toEqual({ callId: 'slow', tool: 'get_weather' });
  expect(ms).toBeGreaterThanOrEqual(250);
});

test('code of no call that blocks is reported without one', async () => {
  const blocked = nextBlock();
  computeUntilSeen();
  const { callId, tool } = await blocked;
  expect(callId).toBeUndefined();
  expect(tool).toBeUndefined();
});

test('a block that lasts is looked into however soon it comes after another', async () => {
  const ours: BlockedLoop[] = [];
  watchdog = new LoopWatchdog({
    ...{ blockedMs: 250, inspectEveryMs: 3_600_000, lastingMs: 600 },
    // A busy machine blocks the loop as well, so that looks say nothing.
    onBlocked: (blocked) => isOurs(blocked) && ours.push(blocked),
  });
  computeUntilSeen();
  await until('the first is reported', () => ours.length === 1);
  computeUntilSeen();
  await until('the second is reported', () => ours.length === 2);
});

test('ends a process whose worker has died, also one that is blocked for ever', async () => {
  const thread = fileURLToPath(
    new URL('../../../agent/src/host/loop-watchdog-thread.js', import.meta.url),
  );
  const never = Number.MAX_SAFE_INTEGER;
  const data = { blockedMs: never, lastingMs: never, inspectEveryMs: never, everyMs: 20 };
  const host = `
    const { Worker } = require('node:worker_threads');
    const cells = new BigInt64Array(new SharedArrayBuffer(24));
    const watchdog = new Worker(${JSON.stringify(thread)}, { workerData: { ...${JSON.stringify(data)}, leaveMs: 100, parent: process.ppid, cells } });
    watchdog.on('online', () => { process.stdout.write(String(process.pid)); for (;;); });
    setTimeout(() => {}, 120000);`;
  const worker = spawn(
    process.execPath,
    [
      '-e',
      `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(host)}], { stdio: 'inherit' });`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [pid] = (await once(worker.stdout, 'data')) as [Buffer];
  const alive = () => {
    try {
      return process.kill(Number(pid), 0);
    } catch {
      return false;
    }
  };
  expect(alive()).toBe(true);
  worker.kill('SIGKILL');
  await until('the orphan has ended', () => !alive());
});
