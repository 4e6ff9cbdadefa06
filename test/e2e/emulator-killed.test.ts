// SPDX-License-Identifier: Apache-2.0

// The synthetic call is answered. Then Bedrock goes away in the middle of a call: the call says so and ends, and the worker takes the
// next one.

import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { jest } from '@jest/globals';
import { execa } from 'execa';
import { Caller } from '../../agent/src/caller/caller.js';
import { buildAgent } from '../../local/dev/build-agent.js';
import { startWorkerProcess } from '../../local/dev/dev-environment.js';
import { type EmulatorProcess, startEmulatorProcess } from '../../local/dev/emulator-process.js';
import type { LiveKitConnection } from '../../local/livekit/connection.js';
import { type LiveKitServer, startLiveKitServer } from '../../local/livekit/server.js';
import type { ManagedProcess } from '../../local/process/managed-process.js';
import { ROOT } from './support.js';

jest.setTimeout(180_000);

const onStatus = () => {};
let livekit: LiveKitServer;
let worker: ManagedProcess | undefined;
let emulator: EmulatorProcess | undefined;
const log: string[] = [];

beforeAll(async () => {
  await buildAgent(onStatus);
  livekit = await startLiveKitServer({ onStatus });
  // A port that no outgoing connection is given (those begin at 32768), so that it is still free at the second start.
  emulator = await startEmulatorProcess({ onStatus, port: randomInt(20_000, 30_000) });
  const { url, controlUrl } = emulator;
  worker = await startWorkerProcess(livekit, { kind: 'emulator', url, controlUrl }, (line) =>
    log.push(line),
  );
});

afterAll(async () => {
  await worker?.stop();
  await emulator?.process.stop();
  await livekit?.stop();
});

/** Joins and waits until the agent is audible. */
async function callAndHear(connection: LiveKitConnection, room: string): Promise<Caller> {
  const caller = new Caller({ record: false });
  const audible = once(caller, 'sound');
  await caller.join(connection, room);
  await audible;
  return caller;
}

it('answers the synthetic call, whose program prints its metrics', async () => {
  const { url, apiKey, apiSecret } = livekit;
  const { stdout } = await execa(process.execPath, ['agent/dist/synthetic-call.js'], {
    cwd: ROOT,
    env: { LIVEKIT_URL: url, LIVEKIT_API_KEY: apiKey, LIVEKIT_API_SECRET: apiSecret },
  });
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  const metrics = lines.map((line) => JSON.parse(line)).find((line) => '_aws' in line);
  expect(metrics).toMatchObject({ SyntheticCallsAnswered: 1 });
  expect(metrics.SyntheticCallReplyTime).toBeGreaterThan(0);
  expect(stdout).toContain('synthetic call answered');
});

it('ends the call with an error that names the cause, and answers the next call when the endpoint is back', async () => {
  const first = await callAndHear(livekit, 'first');
  const reported: string[] = [];
  first.on('callEvent', (event) => event.type === 'error' && reported.push(event.message));
  const left = once(first, 'left');

  const port = Number(new URL(emulator?.url ?? '').port);
  await emulator?.process.kill();
  await left;
  await first.hangUp();

  const errors = log.filter((line) => /"level":(50|60)/.test(line));
  expect(errors.join('\n')).toMatch(/Bedrock|stream|connect/i);
  expect(reported.length).toBeGreaterThan(0);

  emulator = await startEmulatorProcess({ onStatus, port });
  const second = await callAndHear(livekit, 'second');
  await second.hangUp();
});
