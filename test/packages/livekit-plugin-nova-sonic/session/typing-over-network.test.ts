// SPDX-License-Identifier: Apache-2.0
// LiveKit's own text input in a real AgentSession, with the service 60 ms away.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import { type Rig, startRig } from '../support/agent-harness.js';
import { type ReceivedEvent, ScriptedServer, welcome } from '../support/scripted-server.js';
import * as serverEvents from '../support/server-events.js';

initializeLogger({ pretty: false, level: 'silent' });

let server: ScriptedServer;
let rig: Rig;

beforeAll(async () => {
  // Each text ends the reply before it and is answered in many pieces, the last of which never comes in time.
  server = await ScriptedServer.start(
    (stream, index) => {
      welcome(stream, index);
      let block = '';
      stream.on('said', ({ name, body }: ReceivedEvent) => {
        if (name !== 'textInput' || body.role === 'SYSTEM') return;
        const question = /question (\d+)/.exec(String(body.content))?.[1];
        if (question === undefined) return;
        if (block) {
          stream.send(
            ...serverEvents.audioData(block, 400),
            serverEvents.audioEnd(block, 'INTERRUPTED'),
            ...serverEvents.interruptedText(),
          );
        }
        block = serverEvents.newContentId();
        stream.send(
          ...serverEvents.plan(`Answer to ${question}.`),
          serverEvents.audioContentStart(block),
          ...serverEvents.audioData(block, 400),
        );
      });
    },
    { delayMs: 60, jitterMs: 20 },
  );
  rig = await startRig(server.url);
  await server.stream(0);
});
afterAll(async () => {
  await rig.close();
  await server.close();
});

test('each typed question has its own answer, and nobody barged in', async () => {
  const told: string[] = [];
  rig.sonic.on('barge_in', () => told.push('barge_in'));
  rig.sonic.on('input_speech_started', () => told.push('input_speech_started'));
  for (let i = 1; i <= 6; i += 1) {
    // As in RoomIO's text input.
    rig.session.interrupt();
    rig.session.generateReply({ userInput: `question ${i}` });
    await rig.event('agent_state_changed', (e: { newState: string }) => e.newState === 'speaking');
  }
  rig.session.interrupt();
  await rig.item('assistant', 'Answer to 6.');
  const lines = rig.items.map((item) => `${item.role}: ${item.textContent}`);
  expect(lines).toEqual(
    [1, 2, 3, 4, 5, 6].flatMap((i) => [`user: question ${i}`, `assistant: Answer to ${i}.`]),
  );
  expect(told).toEqual([]);
  expect(rig.errors).toEqual([]);
});
