// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RealClock } from './clock.js';
import type { EmulatorContext } from './context.js';
import { type ControlTarget, controlServer, type EmulatorStats } from './control.js';
import { warnRenamed } from './deprecation.js';
import { Endpoint } from './endpoint.js';
import { EventLog } from './event-log.js';
import { type ActiveFault, type Fault, FaultSet } from './faults.js';
import { makeCertificate } from './http2/certificate.js';
import { sendHttpError } from './http2/error-response.js';
import type { EmulatorCredentials } from './http2/signature.js';
import { EmulatedNetwork } from './network/network.js';
import type { NetworkConditions } from './network/network-conditions.js';
import { type EmulatorOptions, resolveConfig } from './options.js';
import { explanation } from './protocol/errors.js';
import { protocolRule } from './protocol/rules.js';
import { checkScenario, loadScenario } from './scenario/scenario-file.js';
import type { SessionInfo } from './session/session.js';
import { FormantVoice } from './speech/formant-voice.js';
import { createSileroVad } from './speech/speech-detector.js';
import { canSynthesize, SpeechSynthesizer } from './speech/speech-synthesizer.js';

/** A running emulator. */
export interface Emulator {
  /** HTTP/2 in clear text, for the JavaScript SDK: `http://127.0.0.1:<port>`. */
  readonly url: string;
  /** HTTP/2 over TLS: `https://127.0.0.1:<port>`. */
  readonly tlsUrl: string;
  /** The certificate to trust (PEM). */
  readonly certFile: string;
  /** The only credentials that it accepts. */
  readonly credentials: EmulatorCredentials;
  /** Everything that happened: `next`, `until` and `seen` find events; an async iterable of future ones. */
  readonly events: EventLog;
  /** The next event that matches; `events.next`. */
  next: EventLog['next'];
  /** The first event that matches, past or future; `events.until`. */
  until: EventLog['until'];
  /** The control API, HTTP and JSON: README.md. */
  readonly controlUrl: string;
  /** Sets a fault; returns its id. */
  setFault(fault: Fault): number;
  /** Removes one fault, or all; false when there was no such fault. */
  clearFaults(id?: number): boolean;
  /** Faults that are set and may still strike. */
  faults(): readonly ActiveFault[];
  /** The network between the clients and the emulator. */
  network(): NetworkConditions;
  /** Changes the network, at once and for live sessions too; fields that are left out stay. */
  setNetwork(conditions: Partial<NetworkConditions>): NetworkConditions;
  /** Delivers nothing on any live session for so many milliseconds, in either direction; then everything. */
  stallNetwork(ms: number): void;
  /** Live sessions. */
  sessions(): SessionInfo[];
  /** Ends a session's stream without an error, as a server that goes away; false when there is no such session. */
  endSession(id: string): boolean;
  /** Figures, among them how late the emulator's own timers fired. */
  stats(): EmulatorStats;
  /** Restarts the measurement of `stats().timerLag`. */
  resetTimerLag(): void;
  /** @deprecated use `resetTimerLag` */
  resetSlip(): void;
  /** Stops at once: connections are cut. */
  close(): Promise<void>;
}

/** Starts an emulator of Bedrock's Nova Sonic endpoint on 127.0.0.1. Any number may run in one process. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const config = resolveConfig(options);
  const scenario =
    typeof options.scenario === 'string'
      ? loadScenario(options.scenario)
      : options.scenario && checkScenario(options.scenario);
  const { cert, key, issuer } = await makeCertificate(config.hostNames);
  const eventLog = new EventLog(options.record, config.recordAudio);
  const ownSynthesizer =
    !options.textToSpeech && canSynthesize() ? new SpeechSynthesizer() : undefined;
  if (!options.textToSpeech && !ownSynthesizer) {
    config.log('replies are sounds without words: `npm install text2wav` (GPL) makes them speech');
  }
  const realClock = new RealClock();
  const faults = new FaultSet();
  for (const fault of config.faults) faults.set(fault);
  const network = new EmulatedNetwork(config.network);
  const sockets = new Map<number | undefined, Socket>();
  const startedAt = performance.now();
  let refused = 0;
  const context: EmulatorContext = {
    config,
    clock: options.clock ?? realClock,
    textToSpeech: options.textToSpeech ?? ownSynthesizer ?? new FormantVoice(),
    createVad: options.createVad ?? createSileroVad,
    eventLog,
    faults,
    network,
    killSocket: (stream) => sockets.get(stream.session?.socket.remotePort)?.destroy(),
    refuse: (stream, error, requestId) => {
      refused++;
      const { status, type, message, why, rule } = error;
      config.log(`refused: ${status} ${type}: ${message} (${explanation(error)})`);
      const known = rule && { rule, evidence: protocolRule(rule).evidence };
      eventLog.add(requestId, 0, 'note', 'refused', { status, type, message, why, ...known });
      sendHttpError(stream, error, requestId);
    },
  };
  const endpoint = new Endpoint(context, scenario);

  const plain = http2.createServer();
  const tls = http2.createSecureServer({ cert, key, allowHTTP1: false });
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
  const stop = async (...servers: (Server | HttpServer)[]) => {
    endpoint.close();
    for (const socket of sockets.values()) socket.destroy();
    await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
    await ownSynthesizer?.close();
    await eventLog.close();
    if (temporary) rmSync(temporary, { recursive: true, force: true });
  };

  const controlTarget: ControlTarget = {
    sessions: () => [...endpoint.sessions.values()].map(({ info }) => info),
    endSession: (id) => {
      const session = endpoint.sessions.get(id);
      session?.stop();
      return session !== undefined;
    },
    setFault: (fault) => faults.set(fault),
    clearFaults: (id) => faults.clear(id),
    faults: () => faults.list(),
    network: () => network.conditions,
    setNetwork: (conditions) => network.set(conditions),
    stallNetwork: (ms) => network.stall(ms),
    stats: () => {
      const timerLag = realClock.timerLag();
      const stats = {
        uptimeSeconds: (performance.now() - startedAt) / 1000,
        liveSessions: endpoint.sessions.size,
        sessions: endpoint.count,
        refused,
        timerLag,
        rssBytes: process.memoryUsage.rss(),
        cpuSeconds: (process.cpuUsage().user + process.cpuUsage().system) / 1e6,
      };
      return Object.defineProperty(stats, 'slip', {
        get: () => {
          warnRenamed('stats.slip', 'stats.timerLag');
          return timerLag;
        },
      });
    },
    resetTimerLag: () => realClock.resetTimerLag(),
    events: eventLog,
  };
  const control = controlServer(controlTarget, config.hostNames);
  let ports: number[];
  try {
    ports = await Promise.all([
      listen(plain, config.port, config.host),
      listen(tls, config.tlsPort, config.host),
      listen(control, config.controlPort, config.host),
    ]);
    // Only now: an emulator that cannot start must not replace the certificate of the one that runs.
    replaceFile(certFile, issuer);
  } catch (error) {
    await stop(...[plain, tls, control].filter(({ listening }) => listening));
    throw error;
  }
  const [port, tlsPort, controlPort] = ports;

  return {
    ...controlTarget,
    url: `http://127.0.0.1:${port}`,
    tlsUrl: `https://127.0.0.1:${tlsPort}`,
    controlUrl: `http://127.0.0.1:${controlPort}`,
    certFile,
    credentials: config.credentials,
    next: (filter, timeoutMs) => eventLog.next(filter, timeoutMs),
    until: (filter, timeoutMs) => eventLog.until(filter, timeoutMs),
    resetSlip: () => {
      warnRenamed('resetSlip()', 'resetTimerLag()');
      realClock.resetTimerLag();
    },
    close: async () => {
      control.closeAllConnections();
      await stop(plain, tls, control);
    },
  };
}

/** Writes a file as a whole: who reads it meanwhile gets the old one. */
function replaceFile(path: string, content: string): void {
  const part = `${path}.${process.pid}.part`;
  writeFileSync(part, content);
  renameSync(part, path);
}

function listen(
  server: Pick<Server, 'listen' | 'once' | 'address'>,
  port: number,
  host: string,
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}
