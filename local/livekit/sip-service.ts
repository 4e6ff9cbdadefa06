// SPDX-License-Identifier: Apache-2.0

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ManagedProcess } from '../process/managed-process.js';
import type { LiveKitConnection } from './connection.js';
import { cacheDirectory, which } from './server.js';

/** Of August 2026: the one that was tried with the LiveKit server that server.ts starts. */
const VERSION = 'v1.11.0';
const MODULE = `github.com/livekit/sip/cmd/livekit-sip@${VERSION}`;
const START_TIMEOUT_MS = 30_000;
/** C libraries of its codecs, by the names that pkg-config knows. */
const LIBRARIES = ['opus', 'opusfile', 'soxr'];

/** LiveKit's SIP service, which takes calls on 127.0.0.1 only. */
export interface SipService {
  /** SIP over UDP and TCP. */
  port: number;
  stop(): Promise<void>;
}

export interface SipServiceOptions {
  /** The Redis that it shares with the LiveKit server, like 127.0.0.1:6379. */
  redis: string;
  livekit: LiveKitConnection;
  port: number;
  /** First of 100 ports for the audio of calls. */
  rtpPort: number;
  onLine?: (line: string) => void;
}

/**
 * Finds or builds the service: `livekit-sip` on the PATH, an earlier build, or a build with Go and a C compiler.
 * @throws Error with one sentence that says why there is none
 */
export async function findSipService(
  onStatus: (line: string) => void,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  const onPath = which('livekit-sip', env);
  if (onPath) return onPath;
  const cached = join(cacheDirectory(env), `livekit-sip-${VERSION}`);
  if (existsSync(cached)) return cached;
  const packages =
    'apt-get install build-essential pkg-config libopus-dev libopusfile-dev libsoxr-dev';
  if (!which('go', env)) throw new Error('there is neither livekit-sip nor Go on the PATH');
  try {
    execFileSync('pkg-config', ['--exists', ...LIBRARIES], { stdio: 'ignore', env });
  } catch {
    throw new Error(`the libraries that it is built with are missing: ${packages}`);
  }
  onStatus(`building LiveKit SIP ${VERSION} with Go (once, one to three minutes)`);
  const directory = `${cached}.building-${process.pid}`;
  mkdirSync(directory, { recursive: true });
  try {
    // Some Go proxies do not have the module: then `go build ./cmd/livekit-sip` in a clone.
    const go = new ManagedProcess('go install', 'go', ['install', MODULE], {
      env: { ...env, GOBIN: directory, CGO_ENABLED: '1' },
    });
    if ((await go.exited) !== 0)
      throw new Error(
        `it could not be built; put livekit-sip on the PATH instead:\n${go.lastLines}`,
      );
    // The rename is atomic: the cached binary is complete or absent.
    renameSync(join(directory, 'livekit-sip'), cached);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return cached;
}

/** Starts the service and waits until it takes calls. It ends with this process, however it ends. */
export async function startSipService(
  binary: string,
  { redis, livekit, port, rtpPort, onLine }: SipServiceOptions,
): Promise<SipService> {
  const config = {
    ws_url: livekit.url,
    api_key: livekit.apiKey,
    api_secret: livekit.apiSecret,
    redis: { address: redis },
    sip_port: port,
    rtp_port: `${rtpPort}-${rtpPort + 99}`,
    listen_ip: '127.0.0.1',
    nat_1_to_1_ip: '127.0.0.1',
    // A machine on which everything runs at once is busy, and no reason to refuse the only call.
    max_cpu_utilization: 1,
    // Each call would keep its ports for half a minute.
    rtp_draining_idle_timeout: '-1s',
    logging: { level: 'debug', json: true },
  };
  const service = new ManagedProcess('LiveKit SIP', binary, [], {
    // `ps` does not show the environment, which holds the secret. YAML reads JSON.
    env: { ...process.env, SIP_CONFIG_BODY: JSON.stringify(config) },
    ...(onLine && { onLine }),
  });
  try {
    await service.waitForLine((line) => line.includes('service ready'), START_TIMEOUT_MS);
  } catch (error) {
    await service.stop();
    throw error;
  }
  return { port, stop: () => service.stop() };
}
