// SPDX-License-Identifier: Apache-2.0

// Bedrock goes away in the middle of a call: the call says so and ends, and the worker takes the next one.

import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { jest } from '@jest/globals';
import { Caller, type Line } from '../../local/caller/caller.js';
import { buildAgent } from '../../local/dev/build-agent.js';
import { startEmulatorProcess, startWorkerProcess } from '../../local/dev/dev-environment.js';
import { type LiveKitServer, startLiveKitServer } from '../../local/livekit/server.js';
import type { Child } from '../../local/process/managed-process.js';

jest.setTimeout(180_000);

const say = () => {};
let livekit: LiveKitServer;
let worker: Child | undefined;
let emulator: { url: string; child: Child } | undefined;
const log: string[] = [];

beforeAll(async () => {
  await buildAgent(say);
  livekit = await startLiveKitServer({ say });
  // A port that no outgoing connection is given (those begin at 32768), so that it is still free at the second start.
  emulator = await startEmulatorProcess({ say, port: randomInt(20_000, 30_000) });
  worker = await startWorkerProcess(livekit, { kind: 'emulator', url: emulator.url }, (line) =>
    log.push(line),
  );
});

afterAll(async () => {
  await worker?.stop();
  await emulator?.child.stop();
  await livekit?.stop();
});

/** Joins and waits until the agent has been heard. */
async function callAndHear(line: Line, room: string): Promise<Caller> {
  const caller = new Caller({ record: false });
  const heard = once(caller, 'sound');
  await caller.join(line, room);
  await heard;
  return caller;
}

it('ends the call with an error that says what happened, and takes the next call when the endpoint is back', async () => {
  const first = await callAndHear(livekit, 'first');
  const told: string[] = [];
  first.on('feed', (message) => message.type === 'error' && told.push(message.message));
  const left = once(first, 'left');

  const port = Number(new URL(emulator?.url ?? '').port);
  await emulator?.child.kill();
  await left;
  await first.hangUp();

  const errors = log.filter((line) => /"level":(50|60)/.test(line));
  expect(errors.join('\n')).toMatch(/Bedrock|stream|connect/i);
  expect(told.length).toBeGreaterThan(0);

  emulator = await startEmulatorProcess({ say, port });
  const second = await callAndHear(livekit, 'second');
  await second.hangUp();
});
