// SPDX-License-Identifier: Apache-2.0
import { afterEach, expect, test } from '@jest/globals';
import { initializeLogger, type llm, voice } from '@livekit/agents';
import { type Emulator, startEmulator } from 'nova-sonic-emulator';
import { makeSession, WeatherAgent } from '../../examples/weather-agent.js';
import { Loudspeaker } from '../packages/livekit-plugin-nova-sonic/support/agent-harness.js';

initializeLogger({ pretty: false, level: process.env.TEST_LOG ?? 'silent' });

let emulator: Emulator;
let session: voice.AgentSession;

afterEach(async () => {
  await session.close();
  await (session.llm as llm.RealtimeModel).close();
  await emulator.close();
});

test('an agent written for another realtime model works with only the model swapped', async () => {
  emulator = await startEmulator({
    profile: 'fast',
    scenario: {
      turns: [
        { on: 'text', match: 'Welcome', reply: 'Welcome! Where are you?' },
        {
          on: 'text',
          match: 'Rome',
          tools: [{ name: 'getWeather', args: { location: 'Rome' } }],
          reply: 'In Rome it is {{tool.result}}',
        },
      ],
    },
  });
  session = makeSession({
    endpoint: emulator.url,
    credentials: emulator.credentials,
    region: 'us-east-1',
  });
  session.on(voice.AgentSessionEventTypes.Error, () => {});
  session.output.audio = new Loudspeaker(20);
  const said: string[] = [];
  const welcomed = new Promise<void>((resolve) => {
    session.on(voice.AgentSessionEventTypes.ConversationItemAdded, ({ item }) => {
      if (item.type !== 'message') return;
      said.push(`${item.role}: ${item.textContent}`);
      if (item.textContent?.startsWith('Welcome')) resolve();
    });
  });
  await session.start({ agent: new WeatherAgent() });
  await welcomed;
  const run = session.run({ userInput: 'I am in Rome.' });
  await run.wait();
  run.expect.containsFunctionCall({ name: 'getWeather', args: { location: 'Rome' } });
  run.expect.containsMessage({ role: 'assistant' });
  expect(said).toEqual([
    'assistant: Welcome! Where are you?',
    'user: I am in Rome.',
    'assistant: In Rome it is It is 21 degrees and clear in Rome.',
  ]);
});
