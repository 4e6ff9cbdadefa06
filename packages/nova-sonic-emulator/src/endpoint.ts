// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Admission, EmulatorContext } from './context.js';
import { DefaultScript } from './dialogue/default-script.js';
import { type Authorization, readAuthorization, verifyRequest } from './http2/signature.js';
import { HttpError, TEXT } from './protocol/errors.js';
import { findModel } from './protocol/models.js';
import { SeededRandom } from './random.js';
import { type Scenario, ScenarioScript } from './scenario/scenario.js';
import { Session } from './session/session.js';

/** TCP's handshake, and TCP's with that of TLS 1.3. */
const TCP_ROUND_TRIPS = 1;
const TLS_ROUND_TRIPS = 2;
const PATH = /^\/model\/([^/]+)\/invoke-with-bidirectional-stream$/;

/** The endpoint: admits requests as Bedrock does, and keeps the live sessions. */
export class Endpoint {
  readonly sessions = new Map<string, Session>();
  private readonly connections = new Set<ServerHttp2Session>();
  /** Connections that have carried a request. */
  private readonly greeted = new WeakSet<ServerHttp2Session>();
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
    // A broken connection is reported by its streams.
    connection.on('error', () => {});
  }

  /** A request arrived; on a slow network a new connection first takes the round trips of its handshakes. */
  request(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const { clock, network } = this.context;
    const { latencyMs } = network.conditions;
    const connection = stream.session as ServerHttp2Session | undefined;
    const known = connection && this.greeted.has(connection);
    if (connection) this.greeted.add(connection);
    if (known || latencyMs === 0) {
      this.begin(stream, headers);
      return;
    }
    const roundTrips = connection?.encrypted ? TLS_ROUND_TRIPS : TCP_ROUND_TRIPS;
    stream.on('error', () => {});
    clock.after(roundTrips * 2 * latencyMs, () => {
      if (!stream.destroyed) this.begin(stream, headers);
    });
  }

  /** Starts a session for a request, or answers it with an HTTP error. */
  private begin(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    try {
      const admission = this.admit(headers);
      const { seed } = this.context.config;
      const random = new SeededRandom(seed + this.count++ * 7919);
      const defaultScript = new DefaultScript(random);
      const script = this.scenario
        ? new ScenarioScript(this.scenario, defaultScript)
        : defaultScript;
      const session = new Session(this.context, admission, stream, random, script, () =>
        this.sessions.delete(session.id),
      );
      this.sessions.set(session.id, session);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      const { clock, network } = this.context;
      const roundTrip = 2 * network.conditions.latencyMs;
      const refuse = () => this.context.refuse(stream, error, randomUUID());
      if (roundTrip === 0) refuse();
      else clock.after(roundTrip, refuse);
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
      throw new HttpError(
        404,
        'UnknownOperationException',
        `Unknown operation: ${what}`,
        what,
        'operation',
      );
    }
    const { config, faults } = this.context;
    let authorization: Authorization | undefined;
    try {
      authorization = readAuthorization(headers);
    } catch (error) {
      if (config.verifySignatures) throw error;
    }
    const known = config.accounts.find(
      ({ accessKeyId }) => accessKeyId === authorization?.accessKeyId,
    );
    const verifier =
      config.verifySignatures && authorization
        ? verifyRequest(headers, authorization, known ?? config.credentials)
        : undefined;
    const model = findModel(safeDecode(id), config.allowEndOfLife);
    const fault = faults.atConnect();
    if (fault) throw fault;
    const owner = known?.account ?? authorization?.accessKeyId ?? 'anonymous';
    const account = `${owner}/${authorization?.region ?? '-'}`;
    const live = [...this.sessions.values()].filter(
      ({ admission }) => admission.account === account,
    ).length;
    if (live >= config.limits.concurrentStreams) {
      throw new HttpError(
        429,
        'ThrottlingException',
        TEXT.throttled,
        `${live} streams are open for ${account}`,
        'concurrent-streams',
      );
    }
    return { account, model, verifier };
  }
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
