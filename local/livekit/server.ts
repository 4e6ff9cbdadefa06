// SPDX-License-Identifier: Apache-2.0

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import getPort, { portNumbers } from 'get-port';
import { RoomServiceClient } from 'livekit-server-sdk';
import { ManagedProcess } from '../process/managed-process.js';
import type { LiveKitConnection } from './connection.js';

/** The newest LiveKit server that builds with a plain `go install` (v1.13.6 and later do not). */
const VERSION = 'v1.13.5';
const MODULE = `github.com/livekit/livekit-server/cmd/server@${VERSION}`;
const START_TIMEOUT_MS = 30_000;

/** A running LiveKit server, reachable on 127.0.0.1 only; its url is `ws://127.0.0.1:PORT`. */
export interface LiveKitServer extends LiveKitConnection {
  stop(): Promise<void>;
}

export interface LiveKitServerOptions {
  /** Preferred port; a free one is taken when it is in use. Default 7880. */
  port?: number;
  /** API key and secret of the server. Default: random ones. */
  apiKey?: string;
  apiSecret?: string;
  /** Address of a Redis, like 127.0.0.1:6379, without which LiveKit has no SIP. Default: none. */
  redis?: string;
  /** Reports progress of slow steps. Default: standard error. */
  onStatus?: (line: string) => void;
  /** Called with each line of its log, at level info. Default: level warn, and the lines are dropped. */
  onLine?: (line: string) => void;
}

/** How to run a LiveKit server on this machine. */
export type Runner =
  | { kind: 'binary'; path: string }
  /** With the host network, so that WebRTC's ports are on this machine's 127.0.0.1. */
  | { kind: 'docker' };

/**
 * Finds or builds a LiveKit server: `livekit-server` on the PATH, an earlier build, a build with Go, or Docker.
 * @throws Error with one sentence that says what to install when none of them is available.
 */
export async function findLiveKitServer(
  onStatus: (line: string) => void,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Runner> {
  const onPath = which('livekit-server', env);
  if (onPath) return { kind: 'binary', path: onPath };

  const cache = join(cacheDirectory(env), `livekit-server-${VERSION}`);
  if (existsSync(cache)) return { kind: 'binary', path: cache };

  if (which('go', env)) {
    onStatus(`building LiveKit server ${VERSION} with Go (once, one to three minutes)`);
    await buildWithGo(cache, onStatus, env);
    return { kind: 'binary', path: cache };
  }
  if (dockerRuns(env)) return { kind: 'docker' };
  throw new Error(
    'No LiveKit server was found: install livekit-server and put it on the PATH, or install Go 1.26 or later (the server is then built once), or Docker.',
  );
}

/** Starts a LiveKit server on 127.0.0.1 and waits until it answers. It ends with this process, however it ends. */
export async function startLiveKitServer(
  options: LiveKitServerOptions = {},
): Promise<LiveKitServer> {
  const onStatus = options.onStatus ?? ((line: string) => process.stderr.write(`${line}\n`));
  const runner = await findLiveKitServer(onStatus);
  const apiKey = options.apiKey ?? `API${randomBytes(6).toString('hex')}`;
  const apiSecret = options.apiSecret ?? randomBytes(24).toString('hex');

  // Another process may take the port between choosing and binding it: try again with another one.
  let failure: unknown;
  for (let attempt = 0; attempt < 3; attempt++) {
    const port = await freePort(options.port ?? 7880);
    const config = JSON.stringify({
      port,
      bind_addresses: ['127.0.0.1'],
      rtc: {
        tcp_port: await getPort({ host: '127.0.0.1' }),
        udp_port: await getPort({ host: '127.0.0.1' }),
        use_external_ip: false,
        // Otherwise it names Google's to its clients, each of which looks their five names up in 20 threads. Here there is
        // nothing to find out, and nothing answers.
        stun_servers: ['127.0.0.1:9'],
      },
      keys: { [apiKey]: apiSecret },
      ...(options.redis && { redis: { address: options.redis } }),
      logging: { level: options.onLine ? 'info' : 'warn' },
      room: { empty_timeout: 30, departure_timeout: 5 },
    });
    const server = launch(runner, config, options.onLine);
    try {
      await waitUntilReady(
        new RoomServiceClient(`http://127.0.0.1:${port}`, apiKey, apiSecret),
        server,
      );
      return {
        url: `ws://127.0.0.1:${port}`,
        apiKey,
        apiSecret,
        stop: () => server.stop(),
      };
    } catch (error) {
      failure = error;
      await server.stop();
    }
  }
  throw failure;
}

function launch(
  runner: Runner,
  config: string,
  onLine: ((line: string) => void) | undefined,
): ManagedProcess {
  const flags = ['--node-ip', '127.0.0.1', '--bind', '127.0.0.1'];
  // The configuration holds the secret; `ps` does not show the environment.
  const env = { ...process.env, LIVEKIT_CONFIG: config };
  if (runner.kind === 'binary')
    return new ManagedProcess('LiveKit server', runner.path, flags, { env, onLine });
  const image = `livekit/livekit-server:${VERSION}`;
  const args = ['run', '--rm', '--network', 'host', '-e', 'LIVEKIT_CONFIG', image, ...flags];
  return new ManagedProcess('LiveKit server', 'docker', args, { env, onLine });
}

/** Waits until the server accepts our key: another server may have taken the port in the meantime. */
async function waitUntilReady(client: RoomServiceClient, server: ManagedProcess): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  let ended = false;
  void server.exited.then(() => {
    ended = true;
  });
  for (;;) {
    if (ended)
      throw new Error(`The LiveKit server ended before it was ready:\n${server.lastLines}`);
    if (Date.now() > deadline)
      throw new Error(
        `The LiveKit server did not answer within ${START_TIMEOUT_MS / 1000} s:\n${server.lastLines}`,
      );
    const rooms = await client.listRooms().catch(() => undefined);
    if (rooms) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function buildWithGo(
  target: string,
  onStatus: (line: string) => void,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const directory = `${target}.building-${process.pid}`;
  mkdirSync(directory, { recursive: true });
  const started = Date.now();
  let packages = 0;
  const tick = setInterval(() => {
    onStatus(
      `  still building: ${Math.round((Date.now() - started) / 1000)} s, ${packages} packages`,
    );
  }, 15_000);
  const go = new ManagedProcess('go install', 'go', ['install', '-v', MODULE], {
    env: { ...env, GOBIN: directory, CGO_ENABLED: '0' },
    onLine: () => {
      packages++;
    },
  });
  const code = await go.exited.finally(() => clearInterval(tick));
  if (code !== 0)
    throw new Error(
      `Building the LiveKit server with Go failed; install livekit-server and put it on the PATH instead. Output of Go:\n${go.lastLines}`,
    );
  // The rename is atomic: the cached binary is complete or absent, even if two processes build at once.
  renameSync(join(directory, 'server'), target);
  execFileSync('rm', ['-rf', directory]);
}

async function freePort(preferred: number): Promise<number> {
  return getPort({ host: '127.0.0.1', port: portNumbers(preferred, preferred + 20) });
}

export function cacheDirectory(env: NodeJS.ProcessEnv): string {
  const base = env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const directory = join(base, 'nova-sonic-livekit');
  mkdirSync(directory, { recursive: true });
  return directory;
}

export function which(program: string, env: NodeJS.ProcessEnv): string | undefined {
  return (env.PATH ?? '')
    .split(delimiter)
    .map((directory) => join(directory, program))
    .find((path) => existsSync(path));
}

function dockerRuns(env: NodeJS.ProcessEnv): boolean {
  try {
    execFileSync('docker', ['info'], { stdio: 'ignore', timeout: 5000, env });
    return true;
  } catch {
    return false;
  }
}
