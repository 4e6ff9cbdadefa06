// SPDX-License-Identifier: Apache-2.0
import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http2';
import { HttpError, TEXT } from '../protocol/errors.js';
import { codec, FrameError, type Message } from './frames.js';

/** Credentials that the emulator accepts. */
export interface EmulatorCredentials {
  /** Access key ID. */
  accessKeyId: string;
  /** Secret access key. */
  secretAccessKey: string;
}

/** What a request's Authorization header says. */
export interface Authorization {
  accessKeyId: string;
  date: string;
  region: string;
  service: string;
  signedHeaders: string[];
  signature: string;
}

/** A signature older or newer than this is refused: AWS allows five minutes. */
const MAX_SKEW_MS = 5 * 60_000;

const sha256 = (data: string | Uint8Array) => hash('sha256', data);
const hmac = (key: string | Buffer, data: string) =>
  createHmac('sha256', key).update(data).digest();

const refuse = (type: string, message: string, why: string) =>
  new HttpError(403, type, message, why, 'signature');

/** A day's credential scope and signing key. */
type Scope = (day: string) => { name: string; key: Buffer };

/** Reads the Authorization header. @throws HttpError 403 */
export function readAuthorization(headers: IncomingHttpHeaders): Authorization {
  const value = headers.authorization;
  if (!value) {
    throw refuse('MissingAuthenticationTokenException', TEXT.noToken, 'no authorization header');
  }
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\/(\d{8})\/([^/,\s]+)\/([^/,\s]+)\/aws4_request,\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$/.exec(
      value,
    );
  if (!match) {
    throw refuse(
      'IncompleteSignatureException',
      TEXT.signature,
      'the authorization header is not that of AWS4-HMAC-SHA256',
    );
  }
  const [, accessKeyId, date, region, service, signedHeaders, signature] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  return {
    accessKeyId,
    date,
    region,
    service,
    signedHeaders: signedHeaders.split(';'),
    signature,
  };
}

const escapeUri = (segment: string) =>
  encodeURIComponent(segment).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );

/** Every service but S3 signs the path encoded once more: `%3A` becomes `%253A`. */
const canonicalPath = (path: string) => path.split('/').map(escapeUri).join('/');

function canonicalQuery(query: string): string {
  return [...new URLSearchParams(query)]
    .map(([name, value]) => `${escapeUri(name)}=${escapeUri(value)}`)
    .sort()
    .join('&');
}

/** HTTP/2 carries no host header: who signed `host` (Python) meant `:authority` (which JavaScript signs). */
function headerValue(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name] ?? (name === 'host' ? headers[':authority'] : undefined);
  return Array.isArray(value) ? value.join(',') : value;
}

/**
 * Verifies the signature of a request.
 *
 * @returns a verifier for the chunks that follow, which are chained to it.
 * @throws HttpError 403
 */
export function verifyRequest(
  headers: IncomingHttpHeaders,
  authorization: Authorization,
  credentials: EmulatorCredentials,
  now = Date.now(),
): ChunkVerifier {
  const { accessKeyId, date, region, service, signedHeaders, signature } = authorization;
  if (accessKeyId !== credentials.accessKeyId) {
    throw refuse(
      'UnrecognizedClientException',
      TEXT.token,
      `access key ${accessKeyId} is not the emulator's ${credentials.accessKeyId}`,
    );
  }
  const why = (text: string) => refuse('InvalidSignatureException', TEXT.signature, text);
  if (service !== 'bedrock') throw why(`signed for the service ${service}, not bedrock`);
  const amzDate = headerValue(headers, 'x-amz-date') ?? '';
  const time = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(amzDate);
  if (!time || !amzDate.startsWith(date)) throw why(`x-amz-date ${amzDate || 'is missing'}`);
  const [year, month, day, hour, minute, second] = time.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const skew = Date.UTC(year, month - 1, day, hour, minute, second) - now;
  if (Math.abs(skew) > MAX_SKEW_MS) {
    throw refuse(
      'InvalidSignatureException',
      `Signature ${skew < 0 ? 'expired' : 'not yet current'}: ${amzDate}`,
      `the client's clock is ${Math.round(Math.abs(skew) / 1000)} s off`,
    );
  }
  if (!signedHeaders.includes('host') && !signedHeaders.includes(':authority')) {
    throw why('neither host nor :authority is signed');
  }

  const [path = '', query = ''] = (headers[':path'] ?? '').split('?');
  const lines = signedHeaders.map((name) => {
    const value = headerValue(headers, name);
    if (value === undefined) throw why(`signed header ${name} was not sent`);
    return `${name}:${value.trim().replace(/\s+/g, ' ')}\n`;
  });
  const request = [
    headers[':method'],
    canonicalPath(path),
    canonicalQuery(query),
    lines.join(''),
    signedHeaders.join(';'),
    // The SDK for Rust sends no hash and signs that of an empty body.
    headerValue(headers, 'x-amz-content-sha256') ?? sha256(''),
  ].join('\n');
  const scope: Scope = (day) => {
    const dayKey = hmac(`AWS4${credentials.secretAccessKey}`, day);
    return {
      name: `${day}/${region}/${service}/aws4_request`,
      key: hmac(hmac(hmac(dayKey, region), service), 'aws4_request'),
    };
  };
  const { name, key } = scope(date);
  const expected = hmac(key, `AWS4-HMAC-SHA256\n${amzDate}\n${name}\n${sha256(request)}`);
  if (!timingSafeEqual(expected, Buffer.from(signature, 'hex'))) {
    throw why('wrong secret access key, or the request was signed in another form');
  }
  return new ChunkVerifier(scope, signature);
}

/** Verifies the chain of chunk signatures: each covers the one before it, so none can be dropped or repeated. */
export class ChunkVerifier {
  // The scope's day is that of the chunk: a stream may cross midnight.
  private day = '';
  private current: ReturnType<Scope> = { name: '', key: Buffer.alloc(0) };

  constructor(
    private readonly scope: Scope,
    private previous: string,
  ) {}

  /** @throws FrameError when the signature is missing or wrong. */
  verify(message: Message): void {
    const date = message.headers[':date'];
    const signature = message.headers[':chunk-signature'];
    if (date?.type !== 'timestamp' || signature?.type !== 'binary') {
      throw new FrameError('the message carries no :date and :chunk-signature');
    }
    const signed = codec.formatHeaders({ ':date': date });
    const stamp = date.value.toISOString().replace(/[-:]|\.\d{3}/g, '');
    if (stamp.slice(0, 8) !== this.day) {
      this.day = stamp.slice(0, 8);
      this.current = this.scope(this.day);
    }
    const expected = hmac(
      this.current.key,
      `AWS4-HMAC-SHA256-PAYLOAD\n${stamp}\n${this.current.name}\n${this.previous}\n${sha256(signed)}\n${sha256(message.body)}`,
    );
    const given = Buffer.from(signature.value);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new FrameError('the chunk signature does not match the chain');
    }
    this.previous = expected.toString('hex');
  }
}
