// SPDX-License-Identifier: Apache-2.0
// What the application puts into the conversation during a call is told once, where it belongs.
import { expect, test } from '@jest/globals';
import { llm } from '@livekit/agents';
import { z } from 'zod';
import { warnings } from '../support/log-capture.js';
import { rig, server, startAgent } from '../support/scripted-call.js';
import * as serverEvents from '../support/server-events.js';
import { toolResultOf } from '../support/tool-calls.js';

const told = (stream: { texts: Array<{ text: string }> }, words: string) =>
  stream.texts.filter(({ text }) => text.includes(words)).length;

test('a message that is added without a reply is told by the next stream, and only once', async () => {
  await startAgent();
  const stream = await server.stream(0);
  stream.send(...serverEvents.userText('Hi.'), ...serverEvents.reply('Hello.', 80));
  await rig.item('assistant', 'Hello');
  const ctx = rig.agent.chatCtx.copy();
  ctx.addMessage({ role: 'user', content: 'NOTE: account 42' });
  await rig.agent.updateChatCtx(ctx);
  await rig.sonic.renew({ immediately: true });
  const next = await server.stream(1);
  await next.received('audioInput');
  expect(told(next, 'account 42')).toBe(1);
  void rig.session.generateReply({ instructions: 'Say goodbye.' });
  await next.received((e) => String(e.body.content).includes('Say goodbye.'));
  expect(told(stream, 'account 42')).toBe(0);
  expect(told(next, 'account 42')).toBe(1);
  next.send(...serverEvents.reply('Goodbye.', 80));
  await rig.item('assistant', 'Goodbye');
});

test('with chatCtxUpdates renew, a message that is added moves the call; one that is asked does not', async () => {
  await startAgent({ model: { chatCtxUpdates: 'renew' } });
  const stream = await server.stream(0);
  const asked = rig.session.generateReply({ userInput: 'Where am I?' });
  await stream.received((e) => e.body.content === 'Where am I?');
  stream.send(...serverEvents.reply('In Rome.', 80));
  await asked.waitForPlayout();
  const ctx = rig.agent.chatCtx.copy();
  ctx.addMessage({ role: 'user', content: 'NOTE: account 42' });
  await rig.agent.updateChatCtx(ctx);
  const next = await server.stream(1);
  await next.received('audioInput');
  expect(told(next, 'account 42')).toBe(1);
  expect(told(next, 'Where am I?')).toBe(1);
});

test("system and developer messages are the next stream's system text, and a question where one is asked", async () => {
  const chatCtx = llm.ChatContext.empty();
  chatCtx.addMessage({ role: 'system', content: 'Gold customer.' });
  chatCtx.addMessage({ role: 'assistant', content: 'Hello!' });
  await startAgent({ instructions: 'Be brief.', chatCtx });
  const stream = await server.stream(0);
  await stream.received('audioInput');
  expect(stream.texts[0]).toMatchObject({ role: 'SYSTEM', text: 'Be brief.\n\nGold customer.' });
  expect(stream.texts.slice(1).map(({ text }) => text)).toEqual(['[The call begins.]', 'Hello!']);
  const ctx = rig.agent.chatCtx.copy();
  ctx.addMessage({ role: 'developer', content: 'The price is 12 euros.' });
  await rig.agent.updateChatCtx(ctx);
  void rig.session.generateReply();
  await stream.received((e) => String(e.body.content) === 'The price is 12 euros.');
  stream.send(...serverEvents.reply('Twelve.', 80));
  await rig.item('assistant', 'Twelve');
  expect(rig.errors).toEqual([]);
  await rig.sonic.renew({ immediately: true });
  const next = await server.stream(1);
  await next.received('audioInput');
  expect(next.texts[0]?.text).toBe('Be brief.\n\nGold customer.\n\nThe price is 12 euros.');
});

test('images and provider tools are left out with one warning each; the words beside them are told', async () => {
  const chatCtx = llm.ChatContext.empty();
  const image = () => llm.createImageContent({ image: 'data:image/png;base64,AAAA' });
  chatCtx.addMessage({ role: 'user', content: [image()] });
  chatCtx.addMessage({ role: 'user', content: [image(), 'Look at this.'] });
  const logged = await warnings(async () => {
    await startAgent({ chatCtx });
  });
  const stream = await server.stream(0);
  await stream.received('audioInput');
  expect(logged.filter((line) => line.includes('images'))).toHaveLength(1);
  expect(stream.texts.slice(1).map(({ text }) => text)).toEqual(['Look at this.']);
});

test('of a recording the transcript is told; one without is left out with a warning', async () => {
  const chatCtx = llm.ChatContext.empty();
  const recording = (transcript?: string): llm.AudioContent => ({
    type: 'audio_content',
    frame: [],
    ...(transcript && { transcript }),
  });
  chatCtx.addMessage({ role: 'user', content: [recording('My name is Ada.')] });
  chatCtx.addMessage({ role: 'user', content: ['Listen.', recording()] });
  const logged = await warnings(async () => {
    await startAgent({ chatCtx });
  });
  const stream = await server.stream(0);
  await stream.received('audioInput');
  expect(logged.filter((line) => line.includes('recordings without'))).toHaveLength(1);
  expect(stream.texts.slice(1).map(({ text }) => text)).toEqual(['My name is Ada.\nListen.']);
});

test('a tool with a name that Bedrock refuses is declared under another, and runs under its own', async () => {
  const ran: unknown[] = [];
  const tool = llm.tool({
    description: 'd',
    parameters: z.object({ day: z.string() }),
    execute: async (args: unknown) => {
      ran.push(args);
      return 'done';
    },
  });
  await startAgent({ tools: { 'calendar.create-event': tool } });
  const stream = await server.stream(0);
  const { body } = await stream.received('promptStart');
  expect(JSON.stringify(body.toolConfiguration)).toContain('"name":"calendar_create-event"');
  stream.send(
    ...serverEvents.userText('Tomorrow.'),
    ...serverEvents.toolUse('calendar_create-event', { day: 'tomorrow' }, 'use-1'),
  );
  expect(await toolResultOf(stream, 'use-1')).toEqual({ result: 'done' });
  expect(ran).toEqual([{ day: 'tomorrow' }]);
});
