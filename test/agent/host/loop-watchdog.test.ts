// SPDX-License-Identifier: Apache-2.0

import { afterEach, beforeAll, expect, test } from '@jest/globals';
import { initializeLogger, log } from '@livekit/agents';
import { installCallLogging, runInCall, runTool } from '../../../agent/src/host/call-context.js';
import { type BlockedLoop, LoopWatchdog } from '../../../agent/src/host/loop-watchdog.js';

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

/** Blocks the event loop, as a tool with a long computation does, until the watchdog has seen it. */
function computeUntilSeen(): void {
  const seen = watchdog?.inspections ?? 0;
  const end = performance.now() + 20_000;
  while (watchdog?.inspections === seen && performance.now() < end) Math.sqrt(end);
}

/** The next block that our own code makes; a machine that is busy, and Jest, have some of their own. */
const nextBlock = (options: { inspectEveryMs?: number; lastingMs?: number } = {}) =>
  new Promise<BlockedLoop>((resolve) => {
    watchdog = new LoopWatchdog({
      blockedMs: 250,
      inspectEveryMs: 0,
      ...options,
      onBlocked: (blocked) => {
        if (blocked.frames.some((frame) => OURS.test(frame))) resolve(blocked);
      },
    });
  });

test('names the call, the tool and the function that block the event loop, also after an await', async () => {
  const blocked = nextBlock();
  void runInCall({ callId: 'quick', logger: log() }, () =>
    runTool('get_time', async () => new Promise((resolve) => setTimeout(resolve, 20))),
  );
  void runInCall({ callId: 'slow', logger: log() }, () =>
    runTool('get_weather', async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
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
  const first = nextBlock({ inspectEveryMs: 3_600_000, lastingMs: 600 });
  computeUntilSeen();
  await first;
  computeUntilSeen();
  expect(watchdog?.inspections).toBe(2);
});
