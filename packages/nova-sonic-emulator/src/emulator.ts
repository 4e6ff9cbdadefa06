// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RealClock } from './clock.js';
import { type Controlled, controlServer, type Stats } from './control.js';
import { type EmulatorContext, Endpoint, refuse } from './endpoint.js';
import { type Recorded, Recording } from './event-log.js';
import { type ActiveFault, type Fault, FaultSet } from './faults.js';
import { makeCertificate } from './http2/certificate.js';
import type { Credentials } from './http2/signature.js';
import { type EmulatorOptions, resolveOptions } from './options.js';
import { checkScenario, loadScenario } from './scenario/scenario-file.js';
import type { SessionInfo } from './session/session.js';
import { SpeechSynthesizer } from './speech/speech-synthesizer.js';

export type { Profile } from './dialogue/profile.js';
export type { Filter, Recorded } from './event-log.js';
export type { Fault } from './faults.js';
export type { EmulatorOptions, Limits } from './options.js';
export type { Scenario, ScenarioTurn } from './scenario/scenario.js';
export type { SessionInfo } from './session/session.js';

/** A running emulator. */
export interface Emulator {
  /** HTTP/2 in clear text, for the JavaScript SDK: `http://127.0.0.1:<port>`. */
  readonly url: string;
  /** HTTP/2 over TLS: `https://127.0.0.1:<port>`. */
  readonly tlsUrl: string;
  /** The certificate to trust (PEM). */
  readonly certFile: string;
  /** The only credentials that it accepts. */
  readonly credentials: Credentials;
  /** Everything that happened: `next`, `until` and `seen` find events; it is an async iterable of those to come. */
  readonly events: Recording;
  /** The next event that matches; `events.next`. */
  next: Recording['next'];
  /** The first event that matches, of the past or yet to come; `events.until`. */
  until: Recording['until'];
  /** The control address, HTTP and JSON: README.md. */
  readonly controlUrl: string;
  /** Sets a fault; returns its id. */
  setFault(fault: Fault): number;
  /** Removes one fault, or all; false when there was no such fault. */
  clearFaults(id?: number): boolean;
  /** Faults that are set and have not struck as often as they may. */
  faults(): readonly ActiveFault[];
  /** Live sessions. */
  sessions(): SessionInfo[];
  /** Ends a session's stream without an error, as a server that goes away; false when there is no such session. */
  endSession(id: string): boolean;
  /** Figures, among them how late the emulator's own timers were. */
  stats(): Stats;
  resetSlip(): void;
  /** Stops at once: connections are cut. */
  close(): Promise<void>;
}

/** Starts an emulator of Bedrock's Nova Sonic endpoint on 127.0.0.1. Any number may run in one process. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const settings = resolveOptions(options);
  const scenario =
    typeof options.scenario === 'string'
      ? loadScenario(options.scenario)
      : options.scenario && checkScenario(options.scenario);
  const certificate = await makeCertificate();
  const recording = new Recording(options.record, settings.recordAudio);
  const speaker = new SpeechSynthesizer();
  const clock = new RealClock();
  const faults = new FaultSet();
  for (const fault of settings.faults) faults.set(fault);
  const sockets = new Map<number | undefined, Socket>();
  const startedAt = performance.now();
  let refused = 0;
  const context: EmulatorContext = {
    settings,
    clock,
    speaker,
    recording,
    faults,
    killSocket: (stream) => sockets.get(stream.session?.socket.remotePort)?.destroy(),
    refuse: (stream, error, requestId) => {
      refused++;
      settings.log(`refused: ${error.status} ${error.type}: ${error.message} (${error.why})`);
      recording.add(requestId, performance.now(), 'note', 'refused', {
        status: error.status,
        type: error.type,
        message: error.message,
        why: error.why,
      });
      refuse(stream, error, requestId);
    },
  };
  const endpoint = new Endpoint(context, scenario);

  const plain = http2.createServer();
  const tls = http2.createSecureServer({ ...certificate, allowHTTP1: false });
  for (const server of [plain, tls]) {
    server.on('connection', (socket: Socket) => {
      const { remotePort } = socket;
      sockets.set(remotePort, socket);
      socket.on('close', () => sockets.delete(remotePort));
      // The frames are small and their timing is the point.
      socket.setNoDelay(true);
    });
    server.on('session', (connection) => endpoint.connected(connection));
    server.on('stream', (stream, headers) => endpoint.request(stream, headers));
  }
  const temporary = options.certFile ? undefined : mkdtempSync(join(tmpdir(), 'nova-sonic-'));
  const certFile = options.certFile ?? join(temporary as string, 'certificate.pem');
  writeFileSync(certFile, certificate.cert);
  const stop = async (...servers: (Server | HttpServer)[]) => {
    endpoint.close();
    for (const socket of sockets.values()) socket.destroy();
    await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
    await speaker.close();
    await recording.close();
    if (temporary) rmSync(temporary, { recursive: true, force: true });
  };

  const controlled: Controlled = {
    sessions: () => [...endpoint.sessions.values()].map(({ info }) => info),
    endSession: (id) => {
      const session = endpoint.sessions.get(id);
      session?.stop();
      return session !== undefined;
    },
    setFault: (fault) => faults.set(fault),
    clearFaults: (id) => faults.clear(id),
    faults: () => faults.list(),
    stats: () => ({
      uptimeSeconds: (performance.now() - startedAt) / 1000,
      liveSessions: endpoint.sessions.size,
      sessions: endpoint.count,
      refused,
      slip: clock.slip(),
      rssBytes: process.memoryUsage.rss(),
      cpuSeconds: (process.cpuUsage().user + process.cpuUsage().system) / 1e6,
    }),
    resetSlip: () => clock.resetSlip(),
    events: recording,
  };
  const control = controlServer(controlled);
  let ports: number[];
  try {
    ports = await Promise.all([
      listen(plain, settings.port),
      listen(tls, settings.tlsPort),
      listen(control, settings.controlPort),
    ]);
  } catch (error) {
    await stop(...[plain, tls, control].filter(({ listening }) => listening));
    throw error;
  }
  const [port, tlsPort, controlPort] = ports;

  return {
    ...controlled,
    url: `http://127.0.0.1:${port}`,
    tlsUrl: `https://127.0.0.1:${tlsPort}`,
    controlUrl: `http://127.0.0.1:${controlPort}`,
    certFile,
    credentials: settings.credentials,
    next: (filter, timeoutMs) => recording.next(filter, timeoutMs),
    until: (filter, timeoutMs) => recording.until(filter, timeoutMs),
    close: async () => {
      control.closeAllConnections();
      await stop(plain, tls, control);
    },
  };
}

function listen(
  server: Pick<Server, 'listen' | 'once' | 'address'>,
  port: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

export type { Recorded as EmulatorEvent };
