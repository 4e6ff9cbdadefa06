// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { llm } from '@livekit/agents';
import type { TurnTiming } from 'livekit-plugin-nova-sonic';
import { z } from 'zod';
import { SteppedClock } from './support/clocks.js';
import { rig, server, startAgent } from './support/scripted-call.js';
import * as serverEvents from './support/server-events.js';

describe('a call, with a scripted service', () => {
  test('greets, hears, answers and closes in order', async () => {
    await startAgent({ instructions: 'Be brief.' });
    const stream = await server.stream(0);
    const greeting = rig.session.generateReply({ instructions: 'Greet the caller.' });
    await stream.received((e) => e.name === 'textInput' && e.body.content === 'Greet the caller.');
    stream.send(...serverEvents.reply('Hello there.'));
    await greeting.waitForPlayout();
    expect(rig.items.map((i) => [i.role, i.textContent])).toEqual([['assistant', 'Hello there.']]);

    rig.hear(400, { loud: true });
    stream.send(
      serverEvents.speechStart(200),
      serverEvents.speechEnd(600),
      ...serverEvents.userText('What time is it?'),
    );
    stream.send(...serverEvents.reply('It is noon.'));
    await rig.item('assistant', 'noon');
    expect(rig.items.map((i) => [i.role, i.textContent])).toEqual([
      ['assistant', 'Hello there.'],
      ['user', 'What time is it?'],
      ['assistant', 'It is noon.'],
    ]);
    await rig.close();
    expect(stream.names.slice(0, 8)).toEqual([
      'sessionStart',
      'promptStart',
      'contentStart:TEXT:SYSTEM',
      'textInput',
      'contentEnd',
      'contentStart:AUDIO:USER',
      'audioInput',
      'contentStart:TEXT:USER',
    ]);
    expect(stream.names.slice(-3)).toEqual(['contentEnd', 'promptEnd', 'sessionEnd']);
  });

  test('a barge-in stops playback at once', async () => {
    await startAgent({ speed: 1 });
    const stream = await server.stream(0);
    stream.send(
      ...serverEvents.userText('Tell me a story.'),
      ...serverEvents.reply('Once upon a time.', 5_000),
    );
    await rig.event('agent_state_changed', (e: { newState: string }) => e.newState === 'speaking');
    const barged = rig.sonicEvent<{ sign: string }>('barge_in');
    stream.send(serverEvents.speechStart(100), ...serverEvents.interruptedText());
    expect((await barged).sign).toBe('user_speech_start');
    const item = await rig.item('assistant', 'Once');
    expect(item.interrupted).toBe(true);
    expect(rig.speaker.cleared.length).toBeGreaterThan(0);
  });

  test('a tool is called and its result comes back', async () => {
    const clock = new SteppedClock();
    await startAgent({
      model: { clock },
      tools: {
        time: llm.tool({
          description: 'The time in a city',
          parameters: z.object({ city: z.string() }),
          execute: async ({ city }) => {
            clock.advance(250);
            return { city, time: '12:00' };
          },
        }),
      },
    });
    const stream = await server.stream(0);
    const timings: TurnTiming[] = [];
    rig.sonic.on('turn_timing', (t: TurnTiming) => timings.push(t));
    stream.send(
      ...serverEvents.userText('Time in Tokyo?'),
      ...serverEvents.toolUse('time', { city: 'Tokyo' }, 'use-1'),
    );
    const result = await stream.received('toolResult');
    expect(JSON.parse(String(result.body.content))).toEqual({ city: 'Tokyo', time: '12:00' });
    stream.send(...serverEvents.reply('It is twelve in Tokyo.'));
    await rig.item('assistant', 'twelve');
    // One for the reply that was heard, none for the call before it.
    expect(timings).toHaveLength(1);
    expect(timings[0]?.toolWaitMs).toBe(250);
    expect(rig.session.history.items.map((i) => i.type)).toContain('function_call_output');
  });
});
