// SPDX-License-Identifier: Apache-2.0

import { beforeEach, expect, it } from '@jest/globals';
import { voice } from '@livekit/agents';
import { RingingAgent } from '../../../agent/src/phone/ringing-agent.js';
import {
  rig,
  server,
  startAgent,
} from '../../packages/livekit-plugin-nova-sonic/support/scripted-call.js';
import type { ScriptedStream } from '../../packages/livekit-plugin-nova-sonic/support/scripted-server.js';
import * as serverEvents from '../../packages/livekit-plugin-nova-sonic/support/server-events.js';

const { AgentSessionEventTypes: Events } = voice;
let answer: () => void;
let greeting: voice.SpeechHandle;
let states: string[];
let stream: ScriptedStream;

/** A phone that rings: the service has sent the whole greeting, and the plugin has taken it. */
beforeEach(async () => {
  const agent = new RingingAgent({ instructions: 'You call about an order.' });
  await startAgent({ agent });
  states = [];
  rig.session.on(Events.AgentStateChanged, ({ newState }) => states.push(newState));
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  greeting = rig.session.generateReply({ instructions: 'Greet.' });
  agent.holdBack(greeting, answered);
  stream = await server.stream(0);
  await stream.received((e) => e.name === 'textInput' && e.body.content === 'Greet.');
  const taken = rig.sonicEvent('turn_timing');
  stream.send(...serverEvents.reply('Hello, this is Example.', 400));
  await taken;
});

it('says nothing while it rings, and its first words at once when it is answered', async () => {
  expect(rig.speaker.frames).toEqual([]);
  expect(states).not.toContain('speaking');
  answer();
  await rig.item('assistant', 'Hello, this is Example.');
  expect(rig.speaker.playedMs).toBeGreaterThanOrEqual(400);
  // It was there already: nothing was asked for a second time.
  expect(stream.texts.filter(({ text }) => text === 'Greet.')).toHaveLength(1);
});

it('says nothing when nobody answers, and its stream is closed in order', async () => {
  greeting.interrupt();
  await rig.close();
  expect(rig.speaker.frames).toEqual([]);
  expect(rig.items).toEqual([]);
  expect(greeting.done()).toBe(true);
  await stream.received((e) => e.name === 'sessionEnd');
});

it('does not hold up the end of the call', async () => {
  await rig.session.close();
  expect(greeting.interrupted).toBe(true);
  expect(rig.speaker.frames).toEqual([]);
});

it('speaks as ever afterwards', async () => {
  answer();
  await rig.item('assistant', 'Hello, this is Example.');
  stream.send(...serverEvents.userText('Who?'), ...serverEvents.reply('Example.', 80));
  await rig.item('assistant', 'Example.');
});
