// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type Emulator,
  startEmulator,
} from '../../../../packages/nova-sonic-emulator/src/index.js';
import { sdkClient, TestClient } from '../support/client.js';
import {
  chunk,
  outline,
  PROMPT_START,
  RawClient,
  type RawOptions,
  SESSION_START,
} from '../support/raw-client.js';

const MISMATCH = /^The request signature we calculated does not match the signature you provided/;

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ profile: 'fast', limits: { concurrentStreams: 1000 } });
});
afterAll(() => emulator.close());

const raw = (options: Partial<RawOptions> = {}) =>
  new RawClient({ url: emulator.url, credentials: emulator.credentials, ...options });

/** A session that was opened well: the response has begun. */
async function opened(options: Partial<RawOptions> = {}): Promise<RawClient> {
  const client = raw(options);
  client.send('sessionStart', SESSION_START);
  client.send('promptStart', PROMPT_START);
  expect((await client.headers)[':status']).toBe(200);
  return client;
}

describe('a request that is signed well', () => {
  it.each([
    ['over :authority, as JavaScript does', { hostHeader: ':authority' }],
    ['over host, as Python does', { hostHeader: 'host' }],
    ['without the hash of the payload, as Rust does', { hostHeader: 'host', payloadHeader: false }],
    [
      'with a bare ? after the path, as Python does',
      { path: '/model/amazon.nova-2-sonic-v1%3A0/invoke-with-bidirectional-stream?' },
    ],
    [
      'for an inference profile',
      { path: '/model/us.amazon.nova-2-sonic-v1%3A0/invoke-with-bidirectional-stream' },
    ],
    ['four minutes ago', { time: Date.now() - 240_000 }],
  ])('%s is served', async (_, options) => {
    const client = await opened(options as Partial<RawOptions>);
    client.end();
    const response = await client.response;
    expect(response.status).toBe(200);
    expect(response.headers['content-type']).toBe('application/vnd.amazon.eventstream');
    expect(response.headers['x-amzn-requestid']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each([true, false])('may end its input (with the signed empty message: %s)', async (empty) => {
    const client = await opened();
    client.end(empty);
    const response = await client.response;
    expect(response.reset).toBeUndefined();
    // The prompt is still open, which is another matter.
    const errors = outline(response).filter((name) => name.startsWith('!'));
    for (const error of errors) expect(error).toContain('prompts were not closed');
  });

  it('is served over TLS with ALPN h2 and the certificate of the file', async () => {
    const client = await opened({
      url: emulator.tlsUrl,
      ca: readFileSync(emulator.certFile, 'utf8'),
    });
    client.end();
    expect((await client.response).status).toBe(200);
  });
});

describe('a request that is not', () => {
  it.each([
    [
      'signed with a wrong secret',
      { credentials: { accessKeyId: 'emulator', secretAccessKey: 'wrong' } },
      'InvalidSignatureException',
      MISMATCH,
    ],
    [
      'of a known access key',
      { credentials: { accessKeyId: 'stranger', secretAccessKey: 'emulator-secret' } },
      'UnrecognizedClientException',
      /^The security token included in the request is invalid\.$/,
    ],
    ['signed for Bedrock', { service: 'polly' }, 'InvalidSignatureException', MISMATCH],
    [
      'signed lately',
      { time: Date.now() - 360_000 },
      'InvalidSignatureException',
      /^Signature expired: /,
    ],
    [
      'signed yet',
      { time: Date.now() + 360_000 },
      'InvalidSignatureException',
      /^Signature not yet current: /,
    ],
    [
      'signed at all',
      { authorization: '' },
      'MissingAuthenticationTokenException',
      /^Missing Authentication Token$/,
    ],
    [
      'signed in the form of Signature Version 4',
      { authorization: 'Bearer token' },
      'IncompleteSignatureException',
      MISMATCH,
    ],
  ])('%s is refused before the stream', async (_, options, type, message) => {
    const { status, headers, text, messages } = await raw(options).response;
    expect(status).toBe(403);
    expect(headers['x-amzn-errortype']).toBe(
      `${type}:http://internal.amazon.com/coral/com.amazon.bedrock/`,
    );
    expect(JSON.parse(text).message).toMatch(message);
    expect(messages).toEqual([]);
  });

  it('is an error in the SDK too', async () => {
    const credentials = { accessKeyId: 'emulator', secretAccessKey: 'wrong' };
    const client = new TestClient(sdkClient({ url: emulator.url, credentials }));
    client.start();
    const error = await client.ended;
    expect(error?.name).toBe('InvalidSignatureException');
    expect(error?.message).toMatch(MISMATCH);
  });
});

describe('the chain of chunk signatures', () => {
  const end = { contentName: 'a', promptName: 'p' };

  it('breaks when a chunk is dropped', async () => {
    const client = await opened();
    client.sign(chunk('{"event":{"contentEnd":{}}}'));
    client.send('contentEnd', end);
    expect(outline(await client.response).at(-1)).toMatch(
      /^!validationException: RequestId=\S+ : The request signature/,
    );
  });

  it('breaks when a chunk is repeated', async () => {
    const client = await opened();
    const signed = client.sign(
      chunk(
        JSON.stringify({
          event: {
            contentStart: {
              ...end,
              type: 'TEXT',
              role: 'SYSTEM',
              textInputConfiguration: { mediaType: 'text/plain' },
            },
          },
        }),
      ),
    );
    client.write(signed);
    client.write(signed);
    expect(outline(await client.response).at(-1)).toMatch(/The request signature/);
  });

  it('breaks when a chunk is changed', async () => {
    const client = await opened();
    const signed = client.sign(chunk('{"event":{"sessionEnd":{}}}'));
    const { codec } = await import('../../../../packages/nova-sonic-emulator/src/http2/frames.js');
    const message = codec.decode(signed);
    client.write(codec.encode({ ...message, body: chunk('{"event":{"sessionEnd":{ }}}') }));
    expect(outline(await client.response).at(-1)).toMatch(/The request signature/);
  });

  it('breaks when a chunk is not signed', async () => {
    const client = await opened();
    client.write(chunk('{"event":{"sessionEnd":{}}}'));
    expect(outline(await client.response).at(-1)).toMatch(/The request signature/);
  });

  it('broken at the first chunk is an HTTP error: the response has not begun', async () => {
    const client = raw();
    client.sign(chunk('{}'));
    client.send('sessionStart', SESSION_START);
    const { status, headers } = await client.response;
    expect(status).toBe(403);
    expect(headers['x-amzn-errortype']).toMatch(/^InvalidSignatureException:/);
  });
});

describe('without verification', () => {
  it('any signature will do, or none', async () => {
    const lenient = await startEmulator({ profile: 'fast', verifySignatures: false });
    try {
      const client = new RawClient({
        url: lenient.url,
        credentials: { accessKeyId: 'who', secretAccessKey: 'ever' },
        authorization: '',
      });
      client.write(chunk(JSON.stringify({ event: { sessionStart: SESSION_START } })));
      expect((await client.headers)[':status']).toBe(200);
      client.end(false);
      await client.response;
    } finally {
      await lenient.close();
    }
  });
});
