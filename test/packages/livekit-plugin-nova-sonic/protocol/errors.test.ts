// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { initializeLogger, isAPIError } from '@livekit/agents';
import { classifyError } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/errors.js';

initializeLogger({ pretty: false, level: 'silent' });

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

test('a failure is one of the framework’s APIErrors, with its cause', () => {
  const cause = new Error('socket hang up');
  const error = classifyError(cause);
  expect(isAPIError(error)).toBe(true);
  expect(error).toMatchObject({ name: 'NovaSonicError', retryable: true, cause });
});
