// SPDX-License-Identifier: Apache-2.0
import { createHash, createHmac } from 'node:crypto';
import http2 from 'node:http2';
import {
  codec,
  FrameReader,
  header,
  type Message,
} from '../../../../packages/nova-sonic-emulator/src/http2/frames.js';
import type { EmulatorCredentials } from '../../../../packages/nova-sonic-emulator/src/http2/signature.js';

const hex = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string) =>
  createHmac('sha256', key).update(data).digest();

export interface RawOptions {
  url: string;
  credentials: EmulatorCredentials;
  /** The header that is signed for the host: JavaScript signs `:authority`, Python `host`.  @default ':authority' */
  hostHeader?: ':authority' | 'host';
  /** Sends x-amz-content-sha256; Rust does not, and signs the hash of an empty body.  @default true */
  payloadHeader?: boolean;
  path?: string;
  method?: string;
  service?: string;
  /** Unix time that the request claims.  @default now */
  time?: number;
  /** Certificate to trust, for https. */
  ca?: string;
  authorization?: string;
  /** Connection to use; it stays open.  @default a new one */
  connection?: http2.ClientHttp2Session;
}

/** What came back. */
export interface RawResponse {
  status: number;
  headers: http2.IncomingHttpHeaders;
  /** Messages of the event stream. */
  messages: Message[];
  /** The body of an HTTP error. */
  text: string;
  /** The stream was reset. */
  reset?: Error;
}

/** A client that signs like an SDK, frame by frame, and can do it wrong. */
export class RawClient {
  readonly response: Promise<RawResponse>;
  /** Resolves when the response headers arrive. */
  readonly headers: Promise<http2.IncomingHttpHeaders>;
  private readonly stream: http2.ClientHttp2Stream;
  private readonly connection: http2.ClientHttp2Session;
  private readonly ownConnection: boolean;
  private readonly key: Buffer;
  private readonly scope: string;
  private readonly time: number;
  private previous: string;

  constructor(options: RawOptions) {
    const { url, credentials, hostHeader = ':authority', method = 'POST' } = options;
    const path =
      options.path ?? '/model/amazon.nova-2-sonic-v1%3A0/invoke-with-bidirectional-stream';
    this.time = options.time ?? Date.now();
    const date = new Date(this.time).toISOString().replace(/[-:]|\.\d{3}/g, '');
    const day = date.slice(0, 8);
    const service = options.service ?? 'bedrock';
    this.scope = `${day}/us-west-2/${service}/aws4_request`;
    const { payloadHeader = true } = options;
    const payload = payloadHeader ? 'STREAMING-AWS4-HMAC-SHA256-EVENTS' : hex('');
    const signed = {
      [hostHeader]: new URL(url).host,
      ...(payloadHeader && { 'x-amz-content-sha256': payload }),
      'x-amz-date': date,
    };
    const signedHeaders = Object.keys(signed).join(';');
    const [pathname = '', query = ''] = path.split('?');
    const canonical = [
      method,
      pathname.split('/').map(encodeURIComponent).join('/'),
      query,
      Object.entries(signed)
        .map(([name, value]) => `${name}:${value}\n`)
        .join(''),
      signedHeaders,
      payload,
    ].join('\n');
    this.key = hmac(
      hmac(hmac(hmac(`AWS4${credentials.secretAccessKey}`, day), 'us-west-2'), service),
      'aws4_request',
    );
    const toSign = `AWS4-HMAC-SHA256\n${date}\n${this.scope}\n${hex(canonical)}`;
    this.previous = hmac(this.key, toSign).toString('hex');
    const authorization =
      options.authorization ??
      `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${this.scope}, SignedHeaders=${signedHeaders}, Signature=${this.previous}`;

    this.ownConnection = options.connection === undefined;
    this.connection =
      options.connection ?? http2.connect(url, options.ca ? { ca: options.ca } : {});
    if (this.ownConnection) this.connection.on('error', () => {});
    this.stream = this.connection.request(
      {
        ':method': method,
        ':path': path,
        'content-type': 'application/vnd.amazon.eventstream',
        ...(payloadHeader && { 'x-amz-content-sha256': payload }),
        'x-amz-date': date,
        ...(authorization && { authorization }),
      },
      { endStream: false },
    );
    this.headers = new Promise((resolve) => this.stream.once('response', resolve));
    this.response = this.read();
  }

  /** An event as an SDK sends it: JSON in a chunk in a signed message. */
  send(name: string, body: object): void {
    this.write(this.sign(chunk(JSON.stringify({ event: { [name]: body } }))));
  }

  /** The next message of the chain; calling it without sending breaks the chain. */
  sign(payload: Uint8Array): Uint8Array {
    const date = { type: 'timestamp' as const, value: new Date(this.time) };
    const stamp = date.value.toISOString().replace(/[-:]|\.\d{3}/g, '');
    const signature = hmac(
      this.key,
      `AWS4-HMAC-SHA256-PAYLOAD\n${stamp}\n${this.scope}\n${this.previous}\n${hex(codec.formatHeaders({ ':date': date }))}\n${hex(payload)}`,
    );
    this.previous = signature.toString('hex');
    return codec.encode({
      headers: { ':date': date, ':chunk-signature': { type: 'binary', value: signature } },
      body: payload,
    });
  }

  write(bytes: Uint8Array): void {
    if (this.stream.writable) this.stream.write(bytes);
  }

  /** Ends the input, with or without the signed empty message. */
  end(withEmptyMessage = true): void {
    if (withEmptyMessage) this.write(this.sign(new Uint8Array()));
    this.stream.end();
  }

  close(): void {
    if (this.ownConnection) this.connection.destroy();
    else if (!this.stream.destroyed) this.stream.close(http2.constants.NGHTTP2_CANCEL);
  }

  private read(): Promise<RawResponse> {
    const result: RawResponse = { status: 0, headers: {}, messages: [], text: '' };
    const reader = new FrameReader();
    return new Promise((resolve) => {
      this.stream.on('response', (headers) => {
        result.status = headers[':status'] ?? 0;
        result.headers = headers;
      });
      this.stream.on('data', (bytes: Buffer) => {
        if (result.status === 200) result.messages.push(...reader.push(bytes));
        else result.text += bytes;
      });
      this.stream.on('error', (error) => {
        result.reset = error;
      });
      this.stream.on('end', () => resolve(result));
      this.stream.on('close', () => {
        resolve(result);
        if (this.ownConnection) this.connection.destroy();
      });
    });
  }
}

/** The inner message of an input event. */
export function chunk(json: string): Uint8Array {
  return inner(JSON.stringify({ bytes: Buffer.from(json).toString('base64') }));
}

/** An inner message with any payload. */
export function inner(payload: string | Uint8Array, eventType = 'chunk'): Uint8Array {
  const text = (value: string) => ({ type: 'string' as const, value });
  return codec.encode({
    headers: {
      ':event-type': text(eventType),
      ':message-type': text('event'),
      ':content-type': text('application/json'),
    },
    body: typeof payload === 'string' ? new TextEncoder().encode(payload) : payload,
  });
}

/** The name of each output event, or `!type: message` of an exception. */
export function outline({ messages }: RawResponse): string[] {
  return messages.map((message) => {
    const body = JSON.parse(new TextDecoder().decode(message.body));
    const exception = header(message, ':exception-type');
    if (exception) return `!${exception}: ${body.message}`;
    const { event } = JSON.parse(Buffer.from(body.bytes, 'base64').toString());
    return Object.keys(event)[0] as string;
  });
}

export const SESSION_START = {
  inferenceConfiguration: { maxTokens: 1024, topP: 0.9, temperature: 0.7 },
};
export const PROMPT_START = {
  promptName: 'p',
  audioOutputConfiguration: {
    mediaType: 'audio/lpcm',
    sampleRateHertz: 24_000,
    sampleSizeBits: 16,
    channelCount: 1,
    voiceId: 'tiffany',
  },
};
