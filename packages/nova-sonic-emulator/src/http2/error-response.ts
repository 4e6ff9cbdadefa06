// SPDX-License-Identifier: Apache-2.0
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { HttpError } from '../protocol/errors.js';

/** Answers a request with an HTTP error, in Bedrock's form. */
export function sendHttpError(
  stream: ServerHttp2Stream,
  error: HttpError,
  requestId: string,
): void {
  stream.on('error', () => {});
  if (stream.destroyed || stream.headersSent) return;
  stream.respond({
    ':status': error.status,
    'content-type': 'application/json',
    'x-amzn-errortype': `${error.type}:http://internal.amazon.com/coral/com.amazon.bedrock/`,
    'x-amzn-requestid': requestId,
  });
  stream.resume();
  stream.end(JSON.stringify({ message: error.message }), () => {
    // The client may keep sending its stream, which nothing reads.
    setTimeout(() => {
      if (!stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
    }, 100).unref();
  });
}
