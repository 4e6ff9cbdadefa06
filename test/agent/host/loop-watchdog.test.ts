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
afterEach(() => watchdog?.close());

/** Blocks the event loop, as a tool with a long computation does. */
function computeFor(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end) Math.sqrt(end);
}

/** The next block of a second or more; a machine that is busy has small ones of its own. */
const nextBlock = () =>
  new Promise<BlockedLoop>((resolve) => {
    watchdog = new LoopWatchdog({
      onBlocked: (blocked) => {
        if (blocked.ms >= 1_000) resolve(blocked);
      },
    });
  });

/** Until the watching thread has seen the heart beat. */
const beating = () => new Promise((resolve) => setTimeout(resolve, 500));

test('names the call, the tool and the function that block the event loop, also after an await', async () => {
  const blocked = nextBlock();
  await beating();
  void runInCall({ callId: 'quick', logger: log() }, () =>
    runTool('get_time', async () => new Promise((resolve) => setTimeout(resolve, 20))),
  );
  void runInCall({ callId: 'slow', logger: log() }, () =>
    runTool('get_weather', async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      computeFor(1_500);
    }),
  );
  const { ms, callId, tool, frames } = await blocked;
  expect({ callId, tool }).toEqual({ callId: 'slow', tool: 'get_weather' });
  expect(ms).toBeGreaterThan(1_000);
  expect(frames[0]).toMatch(/^computeFor loop-watchdog\.test\.ts:\d+$/);
});

test('code of no call that blocks is reported without one', async () => {
  const blocked = nextBlock();
  await beating();
  computeFor(1_500);
  const { callId, tool, frames } = await blocked;
  expect(callId).toBeUndefined();
  expect(tool).toBeUndefined();
  expect(frames).not.toEqual([]);
});
