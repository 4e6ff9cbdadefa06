// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { validateRecording } from 'nova-sonic-emulator';
import { addEvent, toPublishedEvent } from '../../../../agent/src/call/publish-bedrock-events.js';
import {
  filterEvents,
  type PublishedBedrockEvent,
  summarizeEvent,
  toJsonLines,
} from '../../../../local/playground/state/bedrock-events.js';

const prompt = { promptName: 'p' };
const audioBlock = { ...prompt, contentName: 'a' };
const textBlock = { ...prompt, contentName: 's' };
const lpcm = {
  mediaType: 'audio/lpcm',
  sampleSizeBits: 16,
  channelCount: 1,
  audioType: 'SPEECH',
  encoding: 'base64',
};

/** The client events of a session with ten audio events. */
function observed(): PublishedBedrockEvent[] {
  const opening: [string, Record<string, unknown>][] = [
    ['sessionStart', { inferenceConfiguration: { maxTokens: 1024, topP: 0.9, temperature: 0.7 } }],
    [
      'promptStart',
      {
        ...prompt,
        textOutputConfiguration: { mediaType: 'text/plain' },
        audioOutputConfiguration: { ...lpcm, sampleRateHertz: 24_000, voiceId: 'tiffany' },
      },
    ],
    [
      'contentStart',
      {
        ...textBlock,
        type: 'TEXT',
        interactive: false,
        role: 'SYSTEM',
        textInputConfiguration: { mediaType: 'text/plain' },
      },
    ],
    ['textInput', { ...textBlock, content: 'Be brief.' }],
    ['contentEnd', textBlock],
    [
      'contentStart',
      {
        ...audioBlock,
        type: 'AUDIO',
        interactive: true,
        role: 'USER',
        audioInputConfiguration: { ...lpcm, sampleRateHertz: 16_000 },
      },
    ],
  ];
  const audio = Array.from(
    { length: 10 },
    () => ['audioInput', { ...audioBlock, content: 1024 }] as const,
  );
  const close = [
    ['contentEnd', audioBlock],
    ['promptEnd', prompt],
    ['sessionEnd', {}],
  ] as const;
  const events: PublishedBedrockEvent[] = [];
  [...opening, ...audio, ...close].forEach(([name, body], i) => {
    const event = { [name]: body };
    addEvent(
      events,
      toPublishedEvent('in', { streamId: 'stream-1', at: 1000 + i * 32, name, event }),
    );
  });
  return events;
}

const all = { direction: 'both', name: '', search: '', audio: true } as const;

describe('Bedrock events', () => {
  it('are published with the size of audio only, equal audio events as one', () => {
    const events = observed();
    expect(events).toHaveLength(10);
    expect(events.find(({ name }) => name === 'audioInput')).toEqual({
      at: 1192,
      until: 1480,
      count: 10,
      direction: 'in',
      streamId: 'stream-1',
      name: 'audioInput',
      event: { ...audioBlock, content: '<1024 bytes>' },
    });
  });

  it('are downloaded as a recording that the emulator validates', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'events-')), 'call.jsonl');
    const text = toJsonLines(observed());
    writeFileSync(file, text);
    expect(await validateRecording(file)).toEqual({ sessions: 1, events: 19, findings: [] });
    const audio = text.split('\n').filter((line) => line.includes('"audioInput"'));
    expect(audio).toHaveLength(10);
    expect(JSON.parse(audio[1] ?? '')).toMatchObject({ time: 1224, t: 224, session: 'stream-1' });
  });

  it('are downloaded in order of time', () => {
    const events: PublishedBedrockEvent[] = [
      { at: 5, direction: 'in', streamId: 's', name: 'audioInput', event: {}, count: 3, until: 25 },
      { at: 10, direction: 'out', streamId: 's', name: 'usageEvent', event: {} },
    ];
    const names = toJsonLines(events)
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).name);
    expect(names).toEqual(['audioInput', 'usageEvent', 'audioInput', 'audioInput']);
  });

  it.each([
    [{ ...all, audio: false }, 9],
    [{ ...all, audio: false, name: 'audioInput' }, 1],
    [{ ...all, direction: 'out' as const }, 0],
    [{ ...all, search: 'be BRIEF' }, 1],
    [{ ...all, name: 'contentStart', search: 'system' }, 1],
  ])('are filtered by %j', (filter, count) => {
    expect(filterEvents(observed(), filter)).toHaveLength(count);
  });

  it('are summed up in a few words', () => {
    const event = (name: string, body: Record<string, unknown>): PublishedBedrockEvent => ({
      at: 0,
      direction: 'out',
      streamId: 's',
      name,
      event: body,
    });
    const stage = '{"generationStage":"SPECULATIVE"}';
    expect(
      summarizeEvent(
        event('contentStart', { role: 'ASSISTANT', type: 'TEXT', additionalModelFields: stage }),
      ),
    ).toBe('ASSISTANT · TEXT · SPECULATIVE');
    expect(summarizeEvent({ ...event('audioOutput', { content: '<3840 bytes>' }), count: 4 })).toBe(
      '<3840 bytes> × 4',
    );
    expect(summarizeEvent(event('toolUse', { toolName: 'clock', content: '{}' }))).toBe(
      'clock · {}',
    );
  });
});
