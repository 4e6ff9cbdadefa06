// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import http2, { type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import {
  BedrockStream,
  loadSdk,
  type StreamEnd,
  type StreamEndpoint,
} from '../compare/bedrock-stream.js';
import { EventLog } from '../event-log.js';
import { makeCertificate } from '../http2/certificate.js';
import { sendHttpError } from '../http2/error-response.js';
import { decode, encodeChunk, encodeException, FrameReader, readChunk } from '../http2/frames.js';
import { HttpError } from '../protocol/errors.js';

/** A proxy that records what a client and the service say to each other. */
export interface RecordingProxy {
  /** HTTP/2 in clear text. */
  readonly url: string;
  /** HTTP/2 over TLS. */
  readonly tlsUrl: string;
  /** The events of every session, as they go by. */
  readonly events: EventLog;
  /** Stops at once: connections are cut. */
  close(): Promise<void>;
}

/** Options of a recording proxy. */
export interface RecordingProxyOptions {
  /** Where the streams go on: Amazon Bedrock, or another server. */
  target: StreamEndpoint;
  /** File of JSON lines, as the emulator's --record writes them. */
  record?: string;
  /** Keep the audio. */
  recordAudio?: boolean;
  /** Keep what is said; without it, texts, arguments and results become their lengths. */
  recordText?: boolean;
  /** Port of HTTP/2 in clear text.  @default any free one */
  port?: number;
  /** Port of HTTP/2 over TLS.  @default any free one */
  tlsPort?: number;
  /** Where to write the certificate to trust (PEM).  @default nowhere */
  certFile?: string;
}

const PATH = /^\/model\/([^/]+)\/invoke-with-bidirectional-stream$/;
/** Fields that hold what people say, prompts, schemas of tools, arguments and results. */
const PRIVATE = ['content', 'description', 'json'];

/**
 * Starts a proxy on 127.0.0.1. A client connects to it as to the emulator, with any credentials; each stream goes on to
 * the target, signed again with the target's credentials.
 */
export async function startRecordingProxy(options: RecordingProxyOptions): Promise<RecordingProxy> {
  const sdk = await loadSdk();
  const { cert, key, issuer } = await makeCertificate();
  const events = new EventLog(options.record, options.recordAudio);
  const sockets = new Set<Socket>();

  const relay = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const session = randomUUID();
    const started = performance.now();
    const note = (direction: 'in' | 'out' | 'note', name: string, body: Record<string, unknown>) =>
      events.add(
        session,
        performance.now() - started,
        direction,
        name,
        options.recordText || name.startsWith('audio') ? body : withoutText(body),
      );
    const id = PATH.exec((headers[':path'] ?? '').split('?')[0] ?? '')?.[1];
    if (!id) {
      const what = `${headers[':method']} ${headers[':path']}`;
      sendHttpError(
        stream,
        new HttpError(
          404,
          'UnknownOperationException',
          `Unknown operation: ${what}`,
          what,
          'operation',
        ),
        session,
      );
      return;
    }
    const model = decodeURIComponent(id);
    note('note', 'open', { model, account: options.target.region });
    const respond = () => {
      if (stream.headersSent || stream.destroyed) return;
      stream.respond({
        ':status': 200,
        'content-type': 'application/vnd.amazon.eventstream',
        'x-amzn-requestid': session,
      });
    };
    const upstream = new BedrockStream(sdk, options.target, model, ({ name, body }, bytes) => {
      respond();
      note('out', name, body);
      if (stream.writable) stream.write(encodeChunk(new TextDecoder().decode(bytes)));
    });
    const reader = new FrameReader();
    stream.on('data', (bytes: Buffer) => {
      try {
        for (const outer of reader.push(bytes)) {
          if (outer.headers[':date'] && outer.body.length === 0) continue;
          const chunk = readChunk(outer.headers[':date'] ? decode(outer.body) : outer);
          const event = (chunk as { event?: Record<string, Record<string, unknown>> }).event ?? {};
          for (const [name, body] of Object.entries(event)) note('in', name, body);
          upstream.send(chunk);
        }
      } catch (error) {
        note('note', 'warning', {
          text: `a frame that cannot be read: ${(error as Error).message}`,
        });
        upstream.end();
      }
    });
    stream.on('end', () => upstream.end());
    stream.on('error', () => {});
    stream.on('close', () => upstream.end());
    void upstream.ended.then((end) => {
      note('note', 'close', { reason: end.type ?? 'normal end' });
      finish(stream, end, session, respond, note);
    });
  };

  const plain = http2.createServer();
  const tls = http2.createSecureServer({ cert, key, allowHTTP1: false });
  for (const server of [plain, tls]) {
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    server.on('session', (connection) => connection.on('error', () => {}));
    server.on('stream', relay);
  }
  const listen = (server: typeof plain | typeof tls, port = 0) =>
    new Promise<number>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
    });
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    const listening = [plain, tls].filter((server) => server.listening);
    await Promise.all(listening.map((server) => new Promise((done) => server.close(done))));
    await events.close();
  };
  try {
    const port = await listen(plain, options.port);
    const tlsPort = await listen(tls, options.tlsPort);
    // Only now: a proxy that cannot start must not replace the certificate of the one that runs.
    if (options.certFile) writeFileSync(options.certFile, issuer);
    return {
      url: `http://127.0.0.1:${port}`,
      tlsUrl: `https://127.0.0.1:${tlsPort}`,
      events,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Hands the end of the service's stream on to the client. */
function finish(
  stream: ServerHttp2Stream,
  { type, message = '', httpStatus }: StreamEnd,
  requestId: string,
  respond: () => void,
  note: (direction: 'out', name: string, body: Record<string, unknown>) => void,
): void {
  if (type && httpStatus && httpStatus >= 400 && !stream.headersSent) {
    note('out', 'refused', { status: httpStatus, type, message });
    sendHttpError(
      stream,
      new HttpError(httpStatus, type, message, 'the service refused it'),
      requestId,
    );
    return;
  }
  respond();
  if (type) {
    const name = type.charAt(0).toLowerCase() + type.slice(1);
    note('out', 'exception', { type: name, message });
    if (stream.writable) stream.write(encodeException(name, { message }));
  }
  if (stream.writable) stream.end();
}

/** A body whose private texts are their lengths. */
function withoutText(value: Record<string, unknown>): Record<string, unknown> {
  const clean = (inner: unknown, key = ''): unknown => {
    if (typeof inner === 'string') {
      return PRIVATE.includes(key) ? `<${inner.length} characters>` : inner;
    }
    if (Array.isArray(inner)) return inner.map((item) => clean(item));
    if (inner === null || typeof inner !== 'object') return inner;
    return Object.fromEntries(
      Object.entries(inner).map(([name, item]) => [name, clean(item, name)]),
    );
  };
  return clean(value) as Record<string, unknown>;
}
