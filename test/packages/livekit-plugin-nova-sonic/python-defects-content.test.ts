// SPDX-License-Identifier: Apache-2.0
// Defects of the Python plugin (docs/parity.md) that ours must not have: history, audio, options.
import { describe, expect, test } from '@jest/globals';
import { llm } from '@livekit/agents';
import { AudioFrame } from '@livekit/rtc-node';
import { RealtimeModel } from 'livekit-plugin-nova-sonic';
import { until } from '../../support/wait.js';
import { rig, server, startAgent } from './support/scripted-call.js';
import * as serverEvents from './support/server-events.js';
import { toolResultOf, toolRunning } from './support/tool-calls.js';

describe('history', () => {
  test('14: merged, split, capped, user first, tools as text', async () => {
    const chatCtx = llm.ChatContext.empty();
    chatCtx.addMessage({ role: 'assistant', content: 'Welcome.' });
    chatCtx.addMessage({ role: 'user', content: 'Old '.repeat(12_000) });
    chatCtx.addMessage({ role: 'assistant', content: 'Ä'.repeat(1_600) });
    chatCtx.addMessage({ role: 'user', content: 'One.' });
    chatCtx.addMessage({ role: 'user', content: 'Two.' });
    chatCtx.items.push(
      llm.FunctionCall.create({ callId: 'c1', name: 'look_up', args: '{"city":"Rome"}' }),
      llm.FunctionCallOutput.create({
        callId: 'c1',
        name: 'look_up',
        output: '"sunny"',
        isError: false,
      }),
    );
    chatCtx.addMessage({ role: 'assistant', content: 'It is sunny.' });
    // The framework leaves out calls of tools that the agent does not have.
    await startAgent({
      chatCtx,
      tools: { look_up: toolRunning(async () => 1) },
      model: { history: { maxBytes: 40_000, maxTextBytes: 1_000 } },
    });
    const stream = await server.stream(0);
    await stream.received('audioInput');
    const parts = stream.said.filter((e) => e.name === 'textInput').slice(1);
    const sizes = parts.map((e) => Buffer.byteLength(String(e.body.content)));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1_000);
    expect(sizes.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(40_000);
    const history = stream.texts.slice(1);
    expect(history.map((t) => t.role)).toEqual(['USER', 'ASSISTANT', 'USER', 'ASSISTANT']);
    expect(history.every((t) => !t.interactive)).toBe(true);
    expect(history[0]?.text).toMatch(/^\[…\] [Old ]+$/);
    expect(history[1]?.text).toBe('Ä'.repeat(1_600));
    expect(history[2]?.text).toBe(
      'One.\nTwo.\n[The tool look_up was called with {"city":"Rome"} and returned "sunny".]',
    );
    expect(history[3]?.text).toBe('It is sunny.');
    // One message stays one message, however many parts it has.
    const contents = new Set(parts.map((e) => e.body.contentName));
    expect(contents.size).toBe(4);
  });

  test('14: a history that the agent began starts with a message of the user all the same', async () => {
    const chatCtx = llm.ChatContext.empty();
    chatCtx.addMessage({ role: 'assistant', content: 'Welcome.' });
    chatCtx.addMessage({ role: 'user', content: 'Hi.' });
    await startAgent({ chatCtx });
    const stream = await server.stream(0);
    await stream.received('audioInput');
    expect(stream.texts.slice(1).map(({ role, text }) => `${role}: ${text}`)).toEqual([
      'USER: [The call begins.]',
      'ASSISTANT: Welcome.',
      'USER: Hi.',
    ]);
  });

  test('14: typed words, instructions and tools reach the next stream', async () => {
    await startAgent({ tools: { look_up: toolRunning(async () => ({ city: 'Rome' })) } });
    const stream = await server.stream(0);
    const greeting = rig.session.generateReply({ instructions: 'Greet the caller.' });
    await stream.received((e) => e.body.content === 'Greet the caller.');
    stream.send(...serverEvents.reply('Hello.', 80));
    await greeting.waitForPlayout();
    const run = rig.session.run({ userInput: 'Where am I?' });
    await stream.received((e) => e.body.content === 'Where am I?');
    stream.send(...serverEvents.toolUse('look_up', {}, 'use-1'));
    await toolResultOf(stream, 'use-1');
    stream.send(...serverEvents.reply('In Rome.', 80));
    await run.wait();
    run.expect.containsFunctionCall({ name: 'look_up' });
    await rig.sonic.renew({ immediately: true });
    const next = await server.stream(1);
    await next.received('audioInput');
    expect(next.texts.slice(1)).toEqual([
      { role: 'USER', interactive: false, text: 'Greet the caller.' },
      { role: 'ASSISTANT', interactive: false, text: 'Hello.' },
      {
        role: 'USER',
        interactive: false,
        text: 'Where am I?\n[The tool look_up was called with {} and returned {"city":"Rome"}.]',
      },
      { role: 'ASSISTANT', interactive: false, text: 'In Rome.' },
    ]);
    // The instructions are the model's business, not part of the conversation.
    expect(rig.sonic.chatCtx.items.map((i) => i.type)).toEqual([
      'message',
      'message',
      'function_call',
      'function_call_output',
      'message',
    ]);
  });
});

describe('audio and options', () => {
  test('20: stereo of any rate arrives as mono at the right speed', async () => {
    await startAgent();
    const stream = await server.stream(0);
    await stream.received('audioInput');
    const before = stream.said.length;
    // 500 Hz on the left, nothing on the right, 48 kHz, 1 s.
    for (let ms = 0; ms < 1_000; ms += 10) {
      const data = new Int16Array(960);
      for (let i = 0; i < 480; i += 1) {
        data[2 * i] = 10_000 * Math.sin((2 * Math.PI * 500 * (ms * 48 + i)) / 48_000);
      }
      rig.sonic.pushAudio(new AudioFrame(data, 48_000, 2, 480));
    }
    await until('about a second arrived', () => stream.said.length >= before + 45);
    const pcm = Buffer.concat(
      stream.said
        .slice(before)
        .filter((e) => e.name === 'audioInput')
        .slice(5, 45)
        .map((e) => Buffer.from(String(e.body.content), 'base64')),
    );
    let crossings = 0;
    let peak = 0;
    for (let i = 2; i < pcm.length; i += 2) {
      if (pcm.readInt16LE(i - 2) < 0 !== pcm.readInt16LE(i) < 0) crossings += 1;
      peak = Math.max(peak, pcm.readInt16LE(i));
    }
    const hz = crossings / 2 / (pcm.length / 2 / 16_000);
    expect(hz).toBeGreaterThan(480);
    expect(hz).toBeLessThan(520);
    expect(peak).toBeGreaterThan(4_000);
    expect(peak).toBeLessThan(6_000);
  });

  test('an invalid frame does not stop the audio', async () => {
    await startAgent();
    const stream = await server.stream(0);
    await stream.received('audioInput');
    const before = stream.said.length;
    rig.sonic.pushAudio(new AudioFrame(new Int16Array(160), 0, 1, 160));
    rig.sonic.pushAudio(undefined as never);
    rig.hear(100);
    await until('audio goes on', () => stream.said.length >= before + 5);
  });

  test('22: Region from the environment, own endpoint, credentials and checks', async () => {
    const { AWS_REGION, AWS_DEFAULT_REGION } = process.env;
    try {
      delete process.env.AWS_REGION;
      process.env.AWS_DEFAULT_REGION = 'eu-north-1';
      await startAgent({
        model: {
          region: undefined,
          endpoint: (region) => (region === 'eu-north-1' ? server.url : 'http://elsewhere.invalid'),
          credentials: async () => ({ accessKeyId: 'MINE', secretAccessKey: 's' }),
          voice: 'olivia',
          turnDetection: 'LOW',
          temperature: 0.2,
          topP: 0.3,
          maxTokens: 99,
          outputSampleRate: 16_000,
          toolChoice: 'required',
        },
        tools: { look_up: toolRunning(async () => 1) },
      });
      const stream = await server.stream(0);
      await stream.received('audioInput');
      expect(stream.region).toBe('eu-north-1');
      expect(stream.headers.authorization).toContain('Credential=MINE/');
      expect(stream.said[0]?.body).toEqual({
        inferenceConfiguration: { maxTokens: 99, topP: 0.3, temperature: 0.2 },
        turnDetectionConfiguration: { endpointingSensitivity: 'LOW' },
      });
      expect(stream.said[1]?.body).toMatchObject({
        audioOutputConfiguration: { voiceId: 'olivia', sampleRateHertz: 16_000 },
        toolConfiguration: { toolChoice: { any: {} }, tools: [{ toolSpec: { name: 'look_up' } }] },
      });
      process.env.AWS_REGION = 'us-west-2';
      expect(new RealtimeModel().options.regions).toEqual(['us-west-2']);
      expect(() => new RealtimeModel({ voice: 'Amy' })).toThrow(/voices are in lower case: amy/);
    } finally {
      if (AWS_REGION === undefined) delete process.env.AWS_REGION;
      else process.env.AWS_REGION = AWS_REGION;
      if (AWS_DEFAULT_REGION === undefined) delete process.env.AWS_DEFAULT_REGION;
      else process.env.AWS_DEFAULT_REGION = AWS_DEFAULT_REGION;
    }
  });
});
