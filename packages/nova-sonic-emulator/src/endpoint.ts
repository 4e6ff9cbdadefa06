// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';
import type { RealClock } from './clock.js';
import { Persona } from './dialogue/default-script.js';
import type { Recording } from './event-log.js';
import type { FaultSet } from './faults.js';
import { type Authorization, readAuthorization, verifyRequest } from './http2/signature.js';
import type { Settings } from './options.js';
import { HttpError, TEXT } from './protocol/errors.js';
import { findModel } from './protocol/models.js';
import { Random } from './random.js';
import { type Scenario, ScenarioScript } from './scenario/scenario.js';
import { type Admission, Session } from './session/session.js';
import type { Speaker } from './speech/speech-synthesizer.js';

/** What the sessions of one emulator share. */
export interface EmulatorContext {
  settings: Settings;
  clock: RealClock;
  speaker: Speaker;
  recording: Recording;
  faults: FaultSet;
  /** Answers a request with an HTTP error. */
  refuse(stream: ServerHttp2Stream, error: HttpError, requestId: string): void;
  /** Closes the TCP connection under a stream, as a server that dies. */
  killSocket(stream: ServerHttp2Stream): void;
}

const PATH = /^\/model\/([^/]+)\/invoke-with-bidirectional-stream$/;

/** The endpoint: admits requests as Bedrock does, and keeps the live sessions. */
export class Endpoint {
  readonly sessions = new Map<string, Session>();
  private readonly connections = new Set<ServerHttp2Session>();
  /** Sessions since the start. */
  count = 0;

  constructor(
    private readonly context: EmulatorContext,
    private readonly scenario?: Scenario,
  ) {}

  /** Keeps a connection, so that it can be ended with the emulator. */
  connected(connection: ServerHttp2Session): void {
    this.connections.add(connection);
    connection.on('close', () => this.connections.delete(connection));
    // A client that breaks off is its own affair: its streams tell of it.
    connection.on('error', () => {});
  }

  /** Takes a request. */
  request(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    try {
      const admission = this.admit(headers);
      const { seed } = this.context.settings;
      const random = new Random(seed + this.count++ * 7919);
      const persona = new Persona(random);
      const script = this.scenario ? new ScenarioScript(this.scenario, persona) : persona;
      const session = new Session(this.context, admission, stream, random, script, () =>
        this.sessions.delete(session.id),
      );
      this.sessions.set(session.id, session);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      this.context.refuse(stream, error, randomUUID());
    }
  }

  /** Ends every session and connection at once. */
  close(): void {
    for (const session of this.sessions.values()) session.dispose();
    for (const connection of this.connections) connection.destroy();
  }

  private admit(headers: IncomingHttpHeaders): Admission {
    const [path = ''] = (headers[':path'] ?? '').split('?');
    const id = PATH.exec(path)?.[1];
    if (headers[':method'] !== 'POST' || !id) {
      const what = `${headers[':method']} ${path}`;
      throw new HttpError(404, 'UnknownOperationException', `Unknown operation: ${what}`, what);
    }
    const { settings, faults } = this.context;
    let authorization: Authorization | undefined;
    try {
      authorization = readAuthorization(headers);
    } catch (error) {
      if (settings.verifySignatures) throw error;
    }
    const verifier =
      settings.verifySignatures && authorization
        ? verifyRequest(headers, authorization, settings.credentials)
        : undefined;
    const model = findModel(safeDecode(id), settings.allowEndOfLife);
    const fault = faults.atConnect();
    if (fault) throw fault;
    const account = `${authorization?.accessKeyId ?? 'anonymous'}/${authorization?.region ?? '-'}`;
    const live = [...this.sessions.values()].filter(
      ({ admission }) => admission.account === account,
    ).length;
    if (live >= settings.limits.concurrentStreams) {
      throw new HttpError(
        429,
        'ThrottlingException',
        TEXT.throttled,
        `${live} streams are open for ${account}`,
      );
    }
    return { account, model, verifier, headers };
  }
}

/** Answers with an HTTP error, in Bedrock's form. */
export function refuse(stream: ServerHttp2Stream, error: HttpError, requestId: string): void {
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
    // The client may go on sending its stream: no one reads it.
    setTimeout(() => {
      if (!stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
    }, 100).unref();
  });
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
