// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import { withoutAudio } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/event-document.js';
import {
  parseServerEvent,
  type ServerEvent,
} from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/server-events.js';

initializeLogger({ pretty: false, level: 'silent' });

const parse = (name: string, body: unknown) => parseServerEvent({ event: { [name]: body } });

describe('parseServerEvent', () => {
  test.each<[string, unknown, Partial<ServerEvent>]>([
    ['userSpeechStart', { inputAudioOffsetMs: 1720 }, { offsetMs: 1720 }],
    ['userSpeechStart', { inputAudioOffsetMs: 'soon' }, { offsetMs: undefined }],
    [
      'userSpeechEnd',
      { inputAudioOffsetMs: 2440, inputAudioDetectionOffsetMs: 4040 },
      { offsetMs: 2440, detectedMs: 4040 },
    ],
    [
      'contentStart',
      {
        contentId: 'a',
        type: 'TEXT',
        role: 'ASSISTANT',
        additionalModelFields: '{"generationStage":"SPECULATIVE"}',
      },
      { contentId: 'a', kind: 'TEXT', role: 'ASSISTANT', stage: 'SPECULATIVE' },
    ],
    [
      'contentStart',
      { additionalModelFields: { generationStage: 'FINAL' } },
      { contentId: '', kind: 'UNKNOWN', role: 'UNKNOWN', stage: 'FINAL' },
    ],
    [
      'contentStart',
      { additionalModelFields: 'not JSON', type: 'VIDEO' },
      { kind: 'UNKNOWN', stage: undefined },
    ],
    ['textOutput', { content: '{ "interrupted" : true }' }, { interrupted: true }],
    ['textOutput', { content: ' {"interrupted":true}\n' }, { interrupted: true }],
    ['textOutput', { content: '{"interrupted":false}' }, { interrupted: false }],
    [
      'textOutput',
      { content: '{ I said interrupted' },
      { interrupted: false, content: '{ I said interrupted' },
    ],
    ['textOutput', null, { interrupted: false, content: '' }],
    ['toolUse', { toolUseId: 't', toolName: 'x', content: '{"a":1}' }, { args: '{"a":1}' }],
    ['toolUse', { toolUseId: 't', toolName: 'x', content: '"{\\"a\\":1}"' }, { args: '{"a":1}' }],
    ['toolUse', { toolUseId: 't', toolName: 'x', content: '"text"' }, { args: '"text"' }],
    ['toolUse', { toolUseId: 't', toolName: 'x', input: { a: 1 } }, { args: '{"a":1}' }],
    ['toolUse', { toolUseId: 't', toolName: 'x', content: '' }, { args: '{}' }],
    ['toolUse', { toolName: 'x' }, { type: 'unknown' }],
    [
      'usageEvent',
      { details: { delta: { input: { speechTokens: 3 } } } },
      { delta: { inputAudio: 3, inputText: 0, outputAudio: 0, outputText: 0 } },
    ],
    [
      'contentEnd',
      { contentId: 'a', type: 'AUDIO', stopReason: 'END_TURN' },
      { kind: 'AUDIO', stopReason: 'END_TURN' },
    ],
    ['completionStart', {}, { type: 'completionStart' }],
    ['completionEnd', {}, { type: 'completionEnd' }],
    [
      'userSpeechEnd',
      { inputAudioOffsetMs: Number.NaN },
      { type: 'userSpeechEnd', offsetMs: undefined },
    ],
    ['contentStart', { type: 'TOOL', role: 'TOOL' }, { kind: 'TOOL', role: 'TOOL' }],
    ['contentStart', { type: 'AUDIO', role: 'SYSTEM' }, { kind: 'AUDIO', role: 'SYSTEM' }],
    [
      'contentStart',
      { role: 'USER', additionalModelFields: '{"generationStage":"DRAFT"}' },
      { role: 'USER', stage: undefined },
    ],
    [
      'textOutput',
      { contentId: 'a', role: 'USER', content: 'Hi' },
      { contentId: 'a', role: 'USER', content: 'Hi' },
    ],
    ['audioOutput', { contentId: 'a', content: 'AA==' }, { contentId: 'a', content: 'AA==' }],
    [
      'toolUse',
      { contentId: 'a', toolUseId: 't', toolName: 'x' },
      { contentId: 'a', toolUseId: 't', name: 'x', args: '{}' },
    ],
    ['toolUse', { toolUseId: 't', content: ' ' }, { args: '{}' }],
    ['toolUse', { toolUseId: 't', content: '"[]"' }, { args: '"[]"' }],
    [
      'usageEvent',
      {
        details: {
          delta: {
            input: { speechTokens: 1, textTokens: 2 },
            output: { speechTokens: 3, textTokens: 4 },
          },
        },
      },
      { delta: { inputAudio: 1, inputText: 2, outputAudio: 3, outputText: 4 } },
    ],
    ['brandNew', { a: 1 }, { type: 'unknown', name: 'brandNew' }],
  ])('%s %j', (name, body, expected) => {
    expect(parse(name, body)).toMatchObject(expected);
  });

  test.each([
    undefined,
    null,
    5,
    'text',
    '{',
    '[]',
    {},
    { event: null },
    { event: {} },
    new Uint8Array([255, 0]),
  ])('no input makes it throw: %p', (source) => {
    expect(parseServerEvent(source).type).toBe('unknown');
  });

  test('the bytes and the text of a document are read like the document', () => {
    const document = '{"event":{"audioOutput":{"contentId":"ü","content":""}}}';
    const event = { type: 'audio', contentId: 'ü', content: '' };
    expect(parseServerEvent(document)).toEqual(event);
    expect(parseServerEvent(new Uint8Array(Buffer.from(document)))).toEqual(event);
  });

  test('a log has the length of audio instead of the audio', () => {
    expect(
      withoutAudio({ event: { audioOutput: { contentId: 'a', content: 'AAAAAAAA' } } }),
    ).toEqual({
      event: { audioOutput: { contentId: 'a', content: 6 } },
    });
    expect(withoutAudio({ event: { audioInput: { content: 'AAAA' } } })).toEqual({
      event: { audioInput: { content: 3 } },
    });
    const odd = { event: { audioInput: { content: 5 }, sessionEnd: [] } };
    expect(withoutAudio(odd)).toEqual(odd);
    expect(withoutAudio('text')).toEqual({ event: {} });
    expect(withoutAudio({ event: { textOutput: { content: 'AAAAAAAA' } } })).toEqual({
      event: { textOutput: { content: 'AAAAAAAA' } },
    });
  });
});
