// SPDX-License-Identifier: Apache-2.0
import type { ReadableStream } from 'node:stream/web';
import { describe, expect, test } from '@jest/globals';
import { llm } from '@livekit/agents';
import fc from 'fast-check';
import {
  decodeAudio,
  GenerationChannels,
  StreamChannel,
} from '../../../../packages/livekit-plugin-nova-sonic/src/session/generation-channels.js';
import { holds } from '../../../support/properties.js';

const base64 = (samples: Int16Array) => Buffer.from(samples.buffer).toString('base64');
const ramp = (length: number) => Int16Array.from({ length }, (_, i) => i - 32_768);
const sound = base64(ramp(240));

async function readAll<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of stream) all.push(value);
  return all;
}

describe('decodeAudio', () => {
  test('gives every sample once, in frames of at most 50 ms', () => {
    holds(
      fc.property(
        fc.constantFrom(8_000, 16_000, 24_000),
        fc.integer({ min: 0, max: 6_000 }),
        (rate, length) => {
          const frames = decodeAudio(base64(ramp(length)), rate);
          const sizes = frames.map((frame) => frame.samplesPerChannel);
          const step = rate / 20;
          expect(sizes).toEqual([
            ...Array(Math.floor(length / step)).fill(step),
            ...(length % step ? [length % step] : []),
          ]);
          expect(frames.every((f) => f.sampleRate === rate && f.channels === 1)).toBe(true);
          const bytes = frames.map(({ data }) => Buffer.from(data.buffer));
          expect(Buffer.concat(bytes).equals(Buffer.from(ramp(length).buffer))).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('each frame owns its memory: what the output does to one reaches neither another nor a later reply', () => {
    const frames = [sound, sound].flatMap((content) => decodeAudio(content, 2_400));
    expect(frames).toHaveLength(4);
    // rtc-node hands the whole buffer behind a frame to the native side.
    expect(new Set(frames.map(({ data }) => data.buffer)).size).toBe(4);
    for (const { data } of frames) expect(data.buffer.byteLength).toBe(data.byteLength);
  });

  test('half a sample at the end is dropped', () => {
    const odd = Buffer.concat([Buffer.from(ramp(10).buffer), Buffer.of(7)]).toString('base64');
    expect(decodeAudio(odd, 24_000).map(({ data }) => [...data])).toEqual([[...ramp(10)]]);
    expect(decodeAudio('', 24_000)).toEqual([]);
  });
});

describe('StreamChannel', () => {
  test('keeps what was written before anybody reads, and ends once', async () => {
    const channel = new StreamChannel<number>();
    channel.write(1);
    channel.write(2);
    channel.close();
    channel.close();
    channel.write(3);
    expect(channel.closed).toBe(true);
    expect(await readAll(channel.stream)).toEqual([1, 2]);
  });

  test('takes no more once the reader has left', async () => {
    const channel = new StreamChannel<number>();
    await channel.stream.cancel();
    expect(channel.closed).toBe(true);
    channel.write(1);
    channel.close();
  });
});

describe('GenerationChannels', () => {
  const begin = () => new GenerationChannels('response-1', 'message-1', true, 24_000);

  test('the message appears with its first content, and ends with all of it', async () => {
    const channels = begin();
    expect(channels.event).toMatchObject({ responseId: 'response-1', userInitiated: true });
    channels.audio(sound, 1_000);
    channels.text('Good ');
    channels.text('morning.');
    channels.audio(sound, 1_050);
    channels.close();
    const [message, ...more] = await readAll(channels.event.messageStream);
    expect(more).toEqual([]);
    expect(message?.messageId).toBe('message-1');
    expect(await message?.modalities).toEqual(['audio', 'text']);
    expect(await readAll(message?.textStream as ReadableStream<string>)).toEqual([
      'Good ',
      'morning.',
    ]);
    expect(await readAll(message?.audioStream as ReadableStream<unknown>)).toHaveLength(2);
    expect(await readAll(channels.event.functionStream)).toEqual([]);
    expect(channels.firstAudioAt).toBe(1_000);
  });

  test('a reply of tool calls only has no message', async () => {
    const channels = begin();
    const call = llm.FunctionCall.create({ callId: 'c', name: 'weather', args: '{}' });
    channels.call(call);
    channels.close();
    expect(await readAll(channels.event.messageStream)).toEqual([]);
    expect(await readAll(channels.event.functionStream)).toEqual([call]);
    expect(channels.firstAudioAt).toBeUndefined();
  });

  test('content that comes after the end opens no message', async () => {
    const channels = begin();
    channels.close();
    channels.text('late');
    channels.audio(sound, 2_000);
    expect(await readAll(channels.event.messageStream)).toEqual([]);
  });
});
