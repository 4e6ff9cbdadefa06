// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { initializeLogger, isAPIError } from '@livekit/agents';
import {
  asError,
  classifyError,
  classifyInLane,
  endedEarly,
  isNovaSonicError,
  NovaSonicError,
  noResponse,
} from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/errors.js';

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
    ['status of none', named('Error', 'x', 418), 'unknown', true, false],
    ['words on credentials', new Error('The credential is stale'), 'credentials', false, false],
    [
      'role',
      named('AccessDenied', 'User x is not authorized to perform: sts:AssumeRole'),
      'credentials',
      false,
      true,
    ],
    [
      'words before the name',
      named('AccessDeniedException', 'Invalid event bytes'),
      'service',
      true,
      true,
    ],
    ['name before the status', named('ThrottlingException', 'x', 500), 'throttled', true, true],
    [
      'connection before the status',
      named('Error', 'socket hang up', 403),
      'connection',
      true,
      true,
    ],
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

test('the message says where, what the service said, and what to do', () => {
  const thrown = Object.assign(new Error('slow down'), { name: 'ThrottlingException' });
  expect(classifyError(thrown, 'us-east-1').message).toMatch(
    /^Nova Sonic failed in us-east-1: ThrottlingException: slow down \(the Region takes no more/,
  );
  expect(classifyError(new Error('odd')).message).toBe('Nova Sonic failed: odd');
});

test('an error of the plugin is taken as it is, with its Region', () => {
  const error = new NovaSonicError('idle', 'x', { retryable: true });
  expect(error.otherRegion).toBe(false);
  expect(classifyError(error, 'eu-north-1')).toBe(error);
  expect(classifyError(error, 'us-east-1').region).toBe('eu-north-1');
  expect('cause' in error).toBe(false);
});

test.each<[string, unknown, boolean]>([
  [
    'one of another copy',
    Object.assign(new Error('x'), { name: 'NovaSonicError', kind: 'idle' }),
    true,
  ],
  ['one without a kind', Object.assign(new Error('x'), { name: 'NovaSonicError' }), false],
  ['another name', Object.assign(new Error('x'), { kind: 'idle' }), false],
  ['no error', { name: 'NovaSonicError', kind: 'idle' }, false],
])('is an error of the plugin: %s', (_, value, expected) => {
  expect(isNovaSonicError(value)).toBe(expected);
});

test('whatever was thrown is an error', () => {
  const error = new Error('x');
  expect(asError(error)).toBe(error);
  expect(asError('text')).toEqual(new Error('text'));
});

const own = { name: 'b', region: 'us-east-1', credentials: {} };
test.each([
  ['credentials of its own', 'ExpiredTokenException', own, true],
  [
    'the credentials of all lanes',
    'ExpiredTokenException',
    { ...own, credentials: undefined },
    false,
  ],
  ['another failure', 'ValidationException', own, false],
])('another lane may help: %s', (_, name, lane, otherRegion) => {
  const thrown = Object.assign(new Error('x'), { name });
  const error = classifyInLane(thrown, lane as Parameters<typeof classifyInLane>[1]);
  expect(error).toMatchObject({
    retryable: false,
    otherRegion,
    cause: thrown,
    region: 'us-east-1',
  });
  expect(error.message).toBe(classifyError(thrown, 'us-east-1').message);
});

test('a stream that ends or says nothing is tried again elsewhere', () => {
  const again = { retryable: true, otherRegion: true, region: 'us-east-1' };
  expect(endedEarly('us-east-1')).toMatchObject({ ...again, kind: 'connection' });
  const silent = noResponse('nothing came', 1_250, 'us-east-1');
  expect(silent).toMatchObject({ ...again, kind: 'no_response' });
  expect(silent.message).toContain('failed in us-east-1: nothing came within 1.3 s');
  expect(noResponse('nothing came', 900).message).toContain('failed: nothing came within 0.9 s');
  expect(endedEarly().message).toContain('failed: the stream ended');
});
