// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Emulator, startEmulator } from '../../../packages/nova-sonic-emulator/src/index.js';
import { findModel } from '../../../packages/nova-sonic-emulator/src/protocol/models.js';
import { ManualClock } from '../../support/manual-clock.js';
import { until } from '../../support/wait.js';
import { sdkClient, speechSamples, TestClient } from './support/client.js';
import { RawClient } from './support/raw-client.js';
import { toneSpeech } from './support/tone-speech.js';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ profile: 'fast', limits: { concurrentStreams: 1000 } });
});
afterAll(() => emulator.close());

describe('models', () => {
  it.each([
    ['amazon.nova-2-sonic-v1:0', '2'],
    ['us.amazon.nova-2-sonic-v1:0', '2'],
    ['global.amazon.nova-2-sonic-v1:0', '2'],
    ['arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.amazon.nova-2-sonic-v1:0', '2'],
    ['amazon.nova-2-5-sonic', '2.5'],
    ['eu.amazon.nova-2-5-sonic', '2.5'],
  ])('%s is generation %s', (id, generation) => {
    expect(findModel(id, false).generation).toBe(generation);
  });

  it.each(['amazon.nova-2-sonic-v1:0', 'us.amazon.nova-2-sonic-v1:0', 'amazon.nova-2-5-sonic'])(
    '%s answers the SDK',
    async (id) => {
      const client = new TestClient(sdkClient(emulator), id);
      client.start();
      await client.output(({ name }) => name === 'usageEvent');
      client.openAudio();
      client.close();
      expect(await client.ended).toBeUndefined();
    },
  );

  it('v1 is past its end of life, unless allowed', async () => {
    const client = new TestClient(sdkClient(emulator), 'amazon.nova-sonic-v1:0');
    client.start();
    const error = await client.ended;
    expect(error?.name).toBe('ResourceNotFoundException');
    expect(error?.message).toMatch(/^This model version has reached the end of its life\./);
    expect(findModel('amazon.nova-sonic-v1:0', true).generation).toBe('1');
  });

  it('an unknown id is a ValidationException', async () => {
    const client = new TestClient(sdkClient(emulator), 'amazon.nova-9-sonic');
    client.start();
    const error = await client.ended;
    expect(error?.name).toBe('ValidationException');
    expect(error?.message).toBe('The provided model identifier is invalid.');
  });
});

describe('requests', () => {
  it.each([
    ['another operation', { path: '/model/amazon.nova-2-sonic-v1%3A0/converse' }],
    ['another method', { method: 'PUT' }],
  ])('%s is an unknown operation', async (_, options) => {
    const { status, headers } = await new RawClient({
      url: emulator.url,
      credentials: emulator.credentials,
      ...options,
    }).response;
    expect(status).toBe(404);
    expect(headers['x-amzn-errortype']).toMatch(/^UnknownOperationException:/);
  });
});

describe('audio', () => {
  const turn = async (input: number, output: number) => {
    const client = new TestClient(sdkClient(emulator));
    client.start({ rate: output });
    client.openAudio({ rate: input });
    client.silence(300);
    client.audio(await speechSamples('Can you hear me?', input));
    client.silence(1000);
    await client.output(({ body }) => body.stopReason === 'END_TURN' && body.type === 'AUDIO');
    client.close();
    await client.ended;
    return client.outputs;
  };

  it.each([
    [8000, 24_000],
    [16_000, 16_000],
    [24_000, 8000],
  ])('in at %i Hz and out at %i Hz', async (input, output) => {
    const outputs = await turn(input, output);
    const [start] = outputs.filter(({ body }) => body.audioOutputConfiguration);
    expect(start?.body.audioOutputConfiguration.sampleRateHertz).toBe(output);
    const pcm = Buffer.concat(
      outputs
        .filter(({ name }) => name === 'audioOutput')
        .map(({ body }) => Buffer.from(body.content, 'base64')),
    );
    const samples = new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length / 2);
    const seconds = samples.length / output;
    // The default reply: audible speech of a natural length.
    expect(seconds).toBeGreaterThan(3);
    expect(seconds).toBeLessThan(20);
    expect(samples.reduce((a, b) => Math.max(a, b), 0) / 32_768).toBeGreaterThan(0.1);

    const speech = outputs.find(({ name }) => name === 'userSpeechStart')?.body;
    expect(speech.inputAudioOffsetMs).toBeGreaterThan(300);
    expect(speech.inputAudioOffsetMs).toBeLessThan(700);
    const said = outputs.find(({ body }) => body.role === 'USER' && body.content)?.body.content;
    expect(said).toMatch(/^\[[01]\.\d s of speech\]$/);
  });

  it('at 16 kHz has chunks of irregular size, 2528 to 6400 bytes', async () => {
    const outputs = await turn(16_000, 16_000);
    const sizes = outputs
      .filter(({ name }) => name === 'audioOutput')
      .map(({ body }) => Buffer.byteLength(body.content, 'base64'));
    const whole = sizes.filter((size) => size >= 2528);
    expect(new Set(whole).size).toBeGreaterThan(3);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(6400);
  });

  it('of less than 66 ms leaves typed text unanswered, until more arrives', async () => {
    const clock = new ManualClock();
    const slow = await startEmulator({ profile: 'fast', textToSpeech: toneSpeech, clock });
    const client = new TestClient(sdkClient(slow));
    const opened = slow.next('open');
    client.start();
    const { session } = await opened;
    client.openAudio({ primeMs: 0 });
    client.silence(64);
    client.text('USER', 'Say "Here."', true);
    const read = () => slow.events.seen({ session, direction: 'in', name: 'contentEnd' });
    await until('the text is read', () => read().length === 2);
    const said = () => slow.events.seen({ session, name: 'textOutput' });
    await clock.pass(20_000);
    expect(said()).toEqual([]);
    client.silence(32);
    while (said().length === 0) await clock.pass(10);
    expect(said()[0]?.event.content).toBe('Here.');
    client.endInput();
    await slow.close();
  });
});

describe('the default replies', () => {
  const answer = async (text: string) => {
    const client = new TestClient(sdkClient(emulator));
    client.start();
    client.openAudio();
    client.text('USER', text, true);
    await client.output(({ body }) => body.stopReason === 'END_TURN' && body.type === 'AUDIO');
    client.close();
    await client.ended;
    return client.outputs
      .filter(({ name, body }) => name === 'textOutput' && body.role === 'ASSISTANT')
      .map(({ body }) => body.content)
      .join(' ');
  };

  it('greet, and say what the emulator is', async () => {
    const greeting = await answer('Greet the caller and offer your help.');
    expect(greeting).toMatch(/^(Hello|Hi|Welcome)/);
    expect(greeting).toContain('an emulator of Amazon Nova Sonic, not a language model');
  });

  it('repeat typed text, which the emulator can read', async () => {
    expect(await answer('The train leaves at nine')).toContain('The train leaves at nine.');
  });
});

describe('an emulator', () => {
  it('shares nothing with another in the same process', async () => {
    const other = await startEmulator({ profile: 'fast', textToSpeech: toneSpeech });
    const client = new TestClient(sdkClient(other));
    client.start();
    await client.output(({ name }) => name === 'usageEvent');
    expect(other.sessions()).toHaveLength(1);
    expect(emulator.sessions()).toEqual([]);
    await other.close();
    await client.ended;
  });

  it('gives the same answers to the same seed', async () => {
    const texts = async (seed: number) => {
      const seeded = await startEmulator({ profile: 'fast', seed, textToSpeech: toneSpeech });
      const client = new TestClient(sdkClient(seeded));
      client.start();
      client.openAudio();
      client.text('USER', 'Greet me.', true);
      await client.output(({ body }) => body.stopReason === 'END_TURN' && body.type === 'AUDIO');
      const text = client.outputs.filter(({ name }) => name === 'textOutput');
      await seeded.close();
      await client.ended;
      return text.map(({ body }) => [body.content, body.contentId]);
    };
    const first = await texts(5);
    expect(await texts(5)).toEqual(first);
    expect(await texts(6)).not.toEqual(first);
  });
});
