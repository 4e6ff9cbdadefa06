// SPDX-License-Identifier: Apache-2.0

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import getPort, { portNumbers } from 'get-port';
import { RoomServiceClient } from 'livekit-server-sdk';
import { Child } from '../process/managed-process.js';

/** The newest LiveKit server that builds with a plain `go install` (v1.13.6 and later do not). */
const VERSION = 'v1.13.5';
const MODULE = `github.com/livekit/livekit-server/cmd/server@${VERSION}`;
const START_TIMEOUT_MS = 30_000;

/** A running LiveKit server of ours, reachable on 127.0.0.1 only. */
export interface LiveKitServer {
  /** `ws://127.0.0.1:PORT` */
  url: string;
  apiKey: string;
  apiSecret: string;
  stop(): Promise<void>;
}

export interface LiveKitServerOptions {
  /** Preferred port; a free one is taken when it is in use. Default 7880. */
  port?: number;
  /** Keys of the server. Default: made at random, valid for this server only. */
  apiKey?: string;
  apiSecret?: string;
  /** Told what is happening while something slow happens. Default: standard error. */
  say?: (line: string) => void;
}

/** How a LiveKit server can be run here. */
export type Runner =
  | { kind: 'binary'; path: string }
  /** Docker: the host network, so that WebRTC's ports on 127.0.0.1 are ours. */
  | { kind: 'docker' };

/**
 * Finds a LiveKit server or makes one: `livekit-server` on the PATH; the one built before; a build with Go; Docker.
 * @throws Error with one sentence that says what to install when none of them is possible.
 */
export async function findLiveKitServer(
  say: (line: string) => void,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Runner> {
  const onPath = which('livekit-server', env);
  if (onPath) return { kind: 'binary', path: onPath };

  const cache = join(cacheDirectory(env), `livekit-server-${VERSION}`);
  if (existsSync(cache)) return { kind: 'binary', path: cache };

  if (which('go', env)) {
    say(`building the LiveKit server ${VERSION} with Go (once, one to three minutes)`);
    await buildWithGo(cache, say, env);
    return { kind: 'binary', path: cache };
  }
  if (dockerRuns(env)) return { kind: 'docker' };
  throw new Error(
    'No LiveKit server was found: install livekit-server (put it on the PATH), or Go 1.26 or later (it is then built once), or Docker.',
  );
}

/** Starts a LiveKit server on 127.0.0.1 and waits until it answers. It ends with this process, however that ends. */
export async function startLiveKitServer(
  options: LiveKitServerOptions = {},
): Promise<LiveKitServer> {
  const say = options.say ?? ((line: string) => process.stderr.write(`${line}\n`));
  const runner = await findLiveKitServer(say);
  const apiKey = options.apiKey ?? `API${randomBytes(6).toString('hex')}`;
  const apiSecret = options.apiSecret ?? randomBytes(24).toString('hex');

  // Between choosing a free port and binding it another process may take it: then the next one is tried.
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
      },
      keys: { [apiKey]: apiSecret },
      logging: { level: 'warn' },
      room: { empty_timeout: 30, departure_timeout: 5 },
    });
    const child = launch(runner, config);
    try {
      await answering(new RoomServiceClient(`http://127.0.0.1:${port}`, apiKey, apiSecret), child);
      return {
        url: `ws://127.0.0.1:${port}`,
        apiKey,
        apiSecret,
        stop: () => child.stop(),
      };
    } catch (error) {
      failure = error;
      await child.stop();
    }
  }
  throw failure;
}

function launch(runner: Runner, config: string): Child {
  const flags = ['--node-ip', '127.0.0.1', '--bind', '127.0.0.1'];
  // The configuration carries the secret: through the environment, where `ps` does not show it.
  const env = { ...process.env, LIVEKIT_CONFIG: config };
  if (runner.kind === 'binary') return new Child('LiveKit server', runner.path, flags, { env });
  const image = `livekit/livekit-server:${VERSION}`;
  const args = ['run', '--rm', '--network', 'host', '-e', 'LIVEKIT_CONFIG', image, ...flags];
  return new Child('LiveKit server', 'docker', args, { env });
}

/** Our own server, with our keys, and not another that took the port in the meantime. */
async function answering(server: RoomServiceClient, child: Child): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  let ended = false;
  void child.exited.then(() => {
    ended = true;
  });
  for (;;) {
    if (ended) throw new Error(`The LiveKit server ended at once:\n${child.lastLines}`);
    if (Date.now() > deadline)
      throw new Error(
        `The LiveKit server did not answer in ${START_TIMEOUT_MS / 1000} s:\n${child.lastLines}`,
      );
    const rooms = await server.listRooms().catch(() => undefined);
    if (rooms) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function buildWithGo(
  target: string,
  say: (line: string) => void,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const directory = `${target}.building-${process.pid}`;
  mkdirSync(directory, { recursive: true });
  const started = Date.now();
  let packages = 0;
  const tick = setInterval(() => {
    say(`  still building: ${Math.round((Date.now() - started) / 1000)} s, ${packages} packages`);
  }, 15_000);
  const go = new Child('go install', 'go', ['install', '-v', MODULE], {
    env: { ...env, GOBIN: directory, CGO_ENABLED: '0' },
    onLine: () => {
      packages++;
    },
  });
  const code = await go.exited.finally(() => clearInterval(tick));
  if (code !== 0)
    throw new Error(
      `Building the LiveKit server with Go failed; install livekit-server yourself and put it on the PATH. Go said:\n${go.lastLines}`,
    );
  // The rename makes the cache complete or absent, also when two of us build at once.
  renameSync(join(directory, 'server'), target);
  execFileSync('rm', ['-rf', directory]);
}

async function freePort(preferred: number): Promise<number> {
  return getPort({ host: '127.0.0.1', port: portNumbers(preferred, preferred + 20) });
}

function cacheDirectory(env: NodeJS.ProcessEnv): string {
  const base = env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const directory = join(base, 'nova-sonic-livekit');
  mkdirSync(directory, { recursive: true });
  return directory;
}

function which(program: string, env: NodeJS.ProcessEnv): string | undefined {
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
