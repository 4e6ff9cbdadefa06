// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import { classifyError } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/errors.js';
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
  ])('nothing that arrives makes it throw: %p', (source) => {
    expect(parseServerEvent(source).type).toBe('unknown');
  });

  test('a log has the length of audio instead of the audio', () => {
    expect(
      withoutAudio({ event: { audioOutput: { contentId: 'a', content: 'AAAAAAAA' } } }),
    ).toEqual({
      event: { audioOutput: { contentId: 'a', content: 6 } },
    });
    expect(withoutAudio({ event: { textOutput: { content: 'AAAAAAAA' } } })).toEqual({
      event: { textOutput: { content: 'AAAAAAAA' } },
    });
  });
});

describe('classifyError', () => {
  const named = (name: string, message = 'x', status?: number) =>
    Object.assign(new Error(message), {
      name,
      ...(status && { $metadata: { httpStatusCode: status } }),
    });

  test.each<[string, unknown, string, boolean, boolean]>([
    ['throttled', named('ThrottlingException'), 'throttled', true, true],
    ['access', named('AccessDeniedException'), 'access_denied', false, true],
    ['expired', named('ExpiredTokenException'), 'credentials', false, false],
    [
      'none',
      named('CredentialsProviderError', 'Could not load credentials'),
      'credentials',
      false,
      false,
    ],
    ['not there', named('ResourceNotFoundException'), 'model_not_found', false, true],
    [
      '8 minutes',
      named(
        'ModelStreamErrorException',
        'RequestId=1 : Model has timed out in processing the request.',
      ),
      'model_timeout',
      true,
      false,
    ],
    [
      '55 s',
      named('ValidationException', 'Timed out waiting for audio bytes or interactive content.'),
      'idle',
      true,
      false,
    ],
    [
      '531',
      named(
        'ValidationException',
        'InternalErrorCode=531::RST_STREAM closed stream. HTTP/2 error code: NO_ERROR',
      ),
      'idle',
      true,
      false,
    ],
    [
      'instability',
      named('ValidationException', 'System instability detected. Please retry your request.'),
      'service',
      true,
      true,
    ],
    [
      'filter',
      named('ValidationException', 'This request has been blocked by our content filters.'),
      'content_filtered',
      true,
      false,
    ],
    [
      'history',
      named(
        'ValidationException',
        'Chat history is over max limit. Trim chat history and try again.',
      ),
      'history_too_long',
      true,
      false,
    ],
    [
      'malformed',
      named('ValidationException', 'Unable to parse input chunk.'),
      'invalid_request',
      false,
      false,
    ],
    ['internal', named('InternalServerException'), 'service', true, true],
    ['unavailable', named('ServiceUnavailableException'), 'service', true, true],
    [
      'refused',
      new Error('HTTP/2 stream is abnormally aborted in mid-communication with result code 2.'),
      'connection',
      true,
      true,
    ],
    ['dns', Object.assign(new Error('x'), { code: 'ENOTFOUND' }), 'connection', true, true],
    ['by status', named('Error', 'x', 503), 'service', true, true],
    ['new', named('SomethingNewException'), 'unknown', true, false],
    ['no error', 'a string', 'unknown', true, false],
  ])('%s', (_, thrown, kind, retryable, otherRegion) => {
    expect(classifyError(thrown, 'us-east-1')).toMatchObject({
      kind,
      retryable,
      otherRegion,
      region: 'us-east-1',
    });
  });
});
