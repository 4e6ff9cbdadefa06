// SPDX-License-Identifier: Apache-2.0
// For each test of a file that imports this: a service of its own, and a real agent that is closed after it.
import { afterEach, beforeEach } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import { type Rig, type RigOptions, startRig } from './agent-harness.js';
import { ScriptedServer, type ScriptedStream } from './scripted-server.js';
import * as serverEvents from './server-events.js';

initializeLogger({ pretty: false, level: process.env.TEST_LOG ?? 'silent' });

/** The service of the test that runs now. */
export let server: ScriptedServer;
/** Its agent, once there is one. */
export let rig: Rig;

/** Starts the agent. */
export async function startAgent(options: RigOptions = {}): Promise<Rig> {
  rig = await startRig(server.url, options);
  return rig;
}

/** The caller asks, the model answers. */
export const answer = (stream: ScriptedStream, question: string, reply: string): void =>
  stream.send(...serverEvents.userText(question), ...serverEvents.reply(reply));

beforeEach(async () => {
  server = await ScriptedServer.start();
});
afterEach(async () => {
  await rig.close();
  await server.close();
});
