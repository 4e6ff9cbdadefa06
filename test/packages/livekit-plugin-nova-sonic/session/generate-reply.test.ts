// SPDX-License-Identifier: Apache-2.0
// generateReply in a real AgentSession against a scripted service.
import { describe, expect, test } from '@jest/globals';
import { llm } from '@livekit/agents';
import { settle } from '../../../support/manual-clock.js';
import { until } from '../../../support/wait.js';
import { SteppedClock } from '../support/clocks.js';
import { reason } from '../support/log-capture.js';
import { rig, server, startAgent } from '../support/scripted-call.js';
import { welcome } from '../support/scripted-server.js';
import * as serverEvents from '../support/server-events.js';

describe('generateReply', () => {
  test('without text it rejects at once and emits an error', async () => {
    await startAgent();
    expect(await reason(rig.sonic.generateReply())).toMatch(
      /^RealtimeError: .*pass instructions or userInput/,
    );
    expect(rig.errors).toEqual([
      { recoverable: true, message: expect.stringContaining('pass instructions') },
    ]);
    await rig.session.generateReply().waitForPlayout();
    expect(rig.errors).toHaveLength(2);
  });

  test('without text the cue is sent, where there is one', async () => {
    await startAgent({ model: { replyCue: '[Go on.]' } });
    const stream = await server.stream(0);
    const handle = rig.session.generateReply();
    await stream.received((e) => e.body.content === '[Go on.]');
    stream.send(...serverEvents.reply('As I said.', 80));
    await handle.waitForPlayout();
    expect(rig.items.map((item) => item.textContent)).toEqual(['As I said.']);
    expect(rig.errors).toEqual([]);
  });

  test('a model that takes only audio rejects it', async () => {
    await startAgent({ model: { modalities: 'audio' } });
    expect(await reason(rig.sonic.generateReply('Hello'))).toMatch(
      /takes no text: the caller must speak first/,
    );
  });

  test('a reply that does not begin in time is given up, and played when it comes after all', async () => {
    await startAgent({ model: { generateReplyTimeout: 200 } });
    const stream = await server.stream(0);
    const begun = Date.now();
    expect(await reason(rig.sonic.generateReply('Hello'))).toMatch(
      /^RealtimeError: generateReply timed out/,
    );
    expect(Date.now() - begun).toBeGreaterThanOrEqual(190);
    stream.send(...serverEvents.reply('Late but here.'));
    await rig.item('assistant', 'Late but here');
  });

  test('a greeting for which the first stream comes after 40 s of full Regions is spoken', async () => {
    const clock = new SteppedClock();
    const start = clock.now();
    server.onStream = (s, i) => {
      if (clock.now() < start + 40_000) return s.refuse(429, 'ThrottlingException', 'full');
      welcome(s, i);
      s.send(...serverEvents.reply('Welcome at last.', 80));
    };
    await startAgent({
      model: { clock, region: ['us-east-1', 'us-west-2'], retry: { waitWhenFullMs: 60_000 } },
    });
    let refused = 0;
    rig.sonic.on('stream_lifecycle', ({ type }) => {
      if (type === 'throttled') refused += 1;
    });
    const handle = rig.session.generateReply({ instructions: 'Greet the caller.' });
    // Time passes only while no connect is under way, however slow the machine is.
    while (clock.now() < start + 60_000) {
      await until(
        'each connect is answered',
        () => refused >= server.streams.length || clock.now() >= start + 40_000,
      );
      if (rig.items.length > 0) break;
      clock.advance(100);
      await settle();
    }
    await handle.waitForPlayout();
    expect(rig.items.map((item) => item.textContent)).toEqual(['Welcome at last.']);
    const stream = server.streams.at(-1);
    const texts = stream?.said.flatMap(({ body }) =>
      body.content === 'Greet the caller.' ? [1] : [],
    );
    expect(texts).toEqual([1]);
    expect(rig.errors.every(({ message }) => message.includes('Throttling'))).toBe(true);
    expect(server.streams.length).toBeGreaterThan(8);
  });

  test('aborted before it began, it is not played, and the next reply is', async () => {
    await startAgent();
    const stream = await server.stream(0);
    const abort = new AbortController();
    const refused = reason(rig.sonic.generateReply('Hello', { signal: abort.signal }));
    await stream.received((e) => e.body.content === 'Hello');
    abort.abort();
    expect(await refused).toContain('aborted');
    expect(await reason(rig.sonic.generateReply('x', { signal: AbortSignal.abort() }))).toContain(
      'aborted',
    );
    stream.send(
      ...serverEvents.reply('Nobody hears this.'),
      ...serverEvents.userText('Hi.'),
      ...serverEvents.reply('This they do.'),
    );
    await rig.item('assistant', 'This they do');
    expect(rig.items.map((i) => i.textContent)).toEqual(['Hi.', 'This they do.']);
  });

  test('typed input is answered before any speech, once, and is in the history', async () => {
    await startAgent();
    const stream = await server.stream(0);
    const handle = rig.session.generateReply({ userInput: 'Hello, by text.' });
    await stream.received((e) => e.body.content === 'Hello, by text.');
    stream.send(...serverEvents.reply('Hello, by voice.'));
    await handle.waitForPlayout();
    expect(rig.items.map((i) => `${i.role}: ${i.textContent}`)).toEqual([
      'user: Hello, by text.',
      'assistant: Hello, by voice.',
    ]);
    expect(stream.texts.filter((t) => t.role === 'USER')).toHaveLength(1);
    // Audio went before the words, although nobody has a microphone on.
    const names = stream.said.map((e) => e.name);
    expect(names.indexOf('audioInput')).toBeLessThan(names.lastIndexOf('textInput'));
  });

  test('a tool call in a reply that may not use tools is answered', async () => {
    await startAgent({
      tools: { x: llm.tool({ description: 'd', execute: async () => 1 }) },
    });
    const stream = await server.stream(0);
    rig.session.generateReply({ instructions: 'Just talk.', toolChoice: 'none' });
    await stream.received((e) => e.body.content === 'Just talk.');
    stream.send(...serverEvents.toolUse('x', {}, 'use-1'));
    const result = await stream.received('toolResult');
    expect(JSON.parse(String(result.body.content))).toEqual({
      error: 'tools are not allowed in this reply',
    });
  });
});
