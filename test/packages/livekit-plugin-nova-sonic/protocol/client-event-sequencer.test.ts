// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, test } from '@jest/globals';
import { ClientEventSequencer } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/client-event-sequencer.js';
import {
  type ClientEvent,
  clientEventName,
} from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/client-events.js';
import { settingsFingerprint } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/session-config.js';
import { SESSION_CONFIG } from '../support/session-config.js';

/** Names of events, with the role or type of a content. */
const names = (events: readonly ClientEvent[]) =>
  events.map((event) => {
    const [[name, body] = ['', {}]] = Object.entries(event.event);
    const { role, type } = body as { role?: string; type?: string };
    return [name, name === 'contentStart' && (role ?? type)].filter(Boolean).join(' ');
  });

let sequencer: ClientEventSequencer;
beforeEach(() => {
  sequencer = new ClientEventSequencer(SESSION_CONFIG);
});

describe('the opening', () => {
  test('has the system text first, then the history, then one open audio content with sound', () => {
    const history = [{ role: 'USER' as const, parts: ['Hello.'] }];
    expect(names(sequencer.opening('Be brief.', history))).toEqual([
      ...['sessionStart', 'promptStart'],
      ...['contentStart SYSTEM', 'textInput', 'contentEnd'],
      ...['contentStart USER', 'textInput', 'contentEnd'],
      ...['contentStart USER', 'audioInput'],
    ]);
  });

  test.each(['', '  \n'])('has a system text also when there are no instructions (%j)', (none) => {
    const events = sequencer.opening(none, []);
    expect(names(events).slice(2, 5)).toEqual(['contentStart SYSTEM', 'textInput', 'contentEnd']);
    expect(JSON.stringify(events[3])).toMatch(/"content":"\w/);
  });

  test('has the speech prompt between the system text and the history', () => {
    const speechPrompt = 'Hindi in Latin script.';
    const events = new ClientEventSequencer({ ...SESSION_CONFIG, speechPrompt }).opening(
      'Be brief.',
      [{ role: 'USER', parts: ['Hello.'] }],
    );
    expect(names(events).filter((name) => name.startsWith('contentStart'))).toEqual([
      'contentStart SYSTEM',
      'contentStart SYSTEM_SPEECH',
      'contentStart USER',
      'contentStart USER',
    ]);
    expect(JSON.stringify(events[6])).toContain(`"content":"${speechPrompt}"`);
  });

  test('is made once', () => {
    sequencer.opening('Be brief.', []);
    expect(sequencer.opening('Be brief.', [])).toEqual([]);
  });
});

test('before the opening nothing is sent, and nothing has to be closed', () => {
  expect(sequencer.audio(new Uint8Array(2))).toEqual([]);
  expect(sequencer.text(['Hello.'])).toEqual([]);
  expect(sequencer.closing()).toEqual([]);
  expect(sequencer.opening('Be brief.', [])).toEqual([]);
});

test('a tool is answered once, and only on the stream that called it', () => {
  sequencer.opening('Be brief.', []);
  expect(sequencer.toolResult('t1', '{}')).toEqual([]);
  sequencer.toolUsed('t1');
  expect(names(sequencer.toolResult('t1', '{}'))).toEqual([
    'contentStart TOOL',
    'toolResult',
    'contentEnd',
  ]);
  expect(sequencer.toolResult('t1', '{}')).toEqual([]);
});

test('the closing ends what was begun, once', () => {
  sequencer.opening('Be brief.', []);
  expect(names(sequencer.closing())).toEqual(['contentEnd', 'promptEnd', 'sessionEnd']);
  expect(sequencer.closing()).toEqual([]);
  expect(sequencer.audio(new Uint8Array(2))).toEqual([]);
});

describe('what is sent', () => {
  const promptName = expect.stringMatching(/^[\da-f-]{36}$/);
  const text = (role: string, interactive: boolean, ...parts: string[]) => {
    const name = { promptName, contentName: expect.any(String) };
    const mediaType = { mediaType: 'text/plain' };
    return [
      {
        contentStart: {
          ...name,
          type: 'TEXT',
          interactive,
          role,
          textInputConfiguration: mediaType,
        },
      },
      ...parts.map((content) => ({ textInput: { ...name, content } })),
      { contentEnd: name },
    ];
  };
  const format = {
    mediaType: 'audio/lpcm',
    sampleSizeBits: 16,
    channelCount: 1,
    encoding: 'base64',
    audioType: 'SPEECH',
  };
  const name = { promptName, contentName: expect.any(String) };

  // The documents of Amazon Nova 2's user guide, page sonic-input-events.
  test('is what the user guide shows, field by field', () => {
    const one = new ClientEventSequencer({
      ...SESSION_CONFIG,
      endpointingSensitivity: 'LOW',
      tools: [{ name: 'book', description: 'Books.', inputSchema: '{"type":"object"}' }],
      toolChoice: { any: {} },
    });
    const [session, prompt, ...rest] = one.opening('Be brief.', [
      { role: 'ASSISTANT', parts: ['A', 'B'] },
    ]);
    expect(session?.event).toEqual({
      sessionStart: {
        inferenceConfiguration: { maxTokens: 1, topP: 1, temperature: 1 },
        turnDetectionConfiguration: { endpointingSensitivity: 'LOW' },
      },
    });
    expect(prompt?.event).toEqual({
      promptStart: {
        promptName: one.promptName,
        textOutputConfiguration: { mediaType: 'text/plain' },
        audioOutputConfiguration: { ...format, sampleRateHertz: 24_000, voiceId: 'tiffany' },
        toolUseOutputConfiguration: { mediaType: 'application/json' },
        toolConfiguration: {
          tools: [
            {
              toolSpec: {
                name: 'book',
                description: 'Books.',
                inputSchema: { json: '{"type":"object"}' },
              },
            },
          ],
          toolChoice: { any: {} },
        },
      },
    });
    expect(rest.map(({ event }) => event)).toEqual([
      ...text('SYSTEM', false, 'Be brief.'),
      ...text('ASSISTANT', false, 'A', 'B'),
      {
        contentStart: {
          ...name,
          type: 'AUDIO',
          interactive: true,
          role: 'USER',
          audioInputConfiguration: { ...format, sampleRateHertz: 16_000 },
        },
      },
      // 100 ms of silence.
      { audioInput: { ...name, content: Buffer.alloc(3_200).toString('base64') } },
    ]);
    expect(one.text(['Hi']).map(({ event }) => event)).toEqual(text('USER', true, 'Hi'));
    one.toolUsed('t');
    expect(one.toolResult('t', '{"a":1}').map(({ event }) => event)).toEqual([
      {
        contentStart: {
          ...name,
          interactive: false,
          type: 'TOOL',
          role: 'TOOL',
          toolResultInputConfiguration: {
            toolUseId: 't',
            type: 'TEXT',
            textInputConfiguration: { mediaType: 'text/plain' },
          },
        },
      },
      { toolResult: { ...name, content: '{"a":1}' } },
      { contentEnd: name },
    ]);
    const sound = new Uint8Array([9, 9, 1, 2]).subarray(2);
    expect([...one.audio(sound), ...one.silence(1)].map(({ event }) => event)).toEqual(
      [Buffer.of(1, 2), Buffer.alloc(32)].map((bytes) => ({
        audioInput: { ...name, content: bytes.toString('base64') },
      })),
    );
    expect(one.closing().map(({ event }) => event)).toEqual([
      { contentEnd: name },
      { promptEnd: { promptName } },
      { sessionEnd: {} },
    ]);
    expect(one.silence(1)).toEqual([]);
  });

  test('has no tools and no turn detection where there are none', () => {
    const [session, prompt] = sequencer.opening('Be brief.', []);
    expect(session?.event.sessionStart).not.toHaveProperty('turnDetectionConfiguration');
    expect(Object.keys(prompt?.event.promptStart as object)).toEqual([
      'promptName',
      'textOutputConfiguration',
      'audioOutputConfiguration',
    ]);
  });

  test('has a name, also when it is none', () => {
    expect(clientEventName({ event: { promptEnd: {} } })).toBe('promptEnd');
    expect(clientEventName({ event: {} })).toBe('unknown');
  });
});

test.each([
  ['nothing', { instructions: 'x', config: SESSION_CONFIG }, true],
  ['instructions', { instructions: 'y', config: SESSION_CONFIG }, false],
  ['a parameter', { instructions: 'x', config: { ...SESSION_CONFIG, topP: 0.5 } }, false],
])('settings differ in %s', (_, settings, same) => {
  const first = settingsFingerprint({ instructions: 'x', config: { ...SESSION_CONFIG } });
  expect(settingsFingerprint(settings) === first).toBe(same);
});
