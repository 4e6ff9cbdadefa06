// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { extname, join, normalize, sep } from 'node:path';
import getPort, { portNumbers } from 'get-port';
import { AccessToken, RoomAgentDispatch, RoomConfiguration, TrackSource } from 'livekit-server-sdk';
import type { Line } from '../caller/caller.js';
import { PAGE } from './build-page.js';
import type { Target } from './page/problems.js';

/** Enough to join; LiveKit renews the token of a call that goes on. */
const TOKEN_TTL = '5m';

export interface PageOptions {
  /** Where the calls go; the keys stay here. */
  line: Line;
  kind: Target['kind'];
  /** What is behind it, for people. */
  name: string;
  /** The agent to ask for by name. Default: whichever takes any call. */
  agentName?: string;
  /** Port on 127.0.0.1. Default: 3000, or a free one when that is taken. */
  port?: number;
}

export interface PageServer {
  /** `http://127.0.0.1:PORT` */
  url: string;
  stop(): Promise<void>;
}

/**
 * The port that the page will have: the wanted one, or 3000 or the next that is free.
 * @throws Error with one sentence when the wanted port is taken.
 */
export async function portForPage(wanted?: number): Promise<number> {
  const port = wanted === undefined ? portNumbers(3000, 3020) : wanted;
  const free = await getPort({ host: '127.0.0.1', port });
  if (wanted && free !== wanted) throw portTaken(wanted);
  return free;
}

const portTaken = (port: number) =>
  new Error(`Port ${port} is taken: give another one with --port.`);

/**
 * Serves the page on 127.0.0.1, and to that page alone the tokens for its calls.
 * @throws Error with one sentence when the wanted port is taken.
 */
export async function servePage(options: PageOptions): Promise<PageServer> {
  const { line, kind, name, agentName = '' } = options;
  const target: Target = { kind, name, livekit: line.url, agentName };
  const port = options.port ?? (await portForPage());
  const server = createServer((request, response) => {
    respond(request, response, { line, target, port: listening() }).catch(() => {
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  const listening = () => {
    const address = server.address();
    return typeof address === 'object' && address ? address.port : port;
  };
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw portTaken(port);
  }
  return {
    url: `http://127.0.0.1:${listening()}`,
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

interface Behind {
  line: Line;
  target: Target;
  port: number;
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  behind: Behind,
): Promise<void> {
  // Another site whose name leads to 127.0.0.1 could otherwise ask for tokens.
  if (!ownHosts(behind.port).includes(request.headers.host ?? ''))
    return refuse(response, 403, 'Open the page as http://127.0.0.1.');
  for (const [name, value] of Object.entries(safety(behind.line.url)))
    response.setHeader(name, value);
  const { pathname } = new URL(request.url ?? '/', 'http://127.0.0.1');
  if (pathname === '/api/call') return giveTicket(request, response, behind);
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return refuse(response, 405, 'Only GET is answered here.');
  if (pathname === '/api/target') return json(response, behind.target);
  return file(response, pathname);
}

async function giveTicket(
  request: IncomingMessage,
  response: ServerResponse,
  { line, target, port }: Behind,
): Promise<void> {
  const { origin } = request.headers;
  const ours = ownHosts(port).map((host) => `http://${host}`);
  if (request.method !== 'POST') return refuse(response, 405, 'A call begins with POST.');
  // Browsers send the origin with every POST, and no page can forge it.
  if (!origin || !ours.includes(origin))
    return refuse(response, 403, 'Calls are for the page that is served here.');
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? ''))
    return refuse(response, 415, 'Send application/json.');
  request.resume();
  const room = `call-${randomBytes(6).toString('hex')}`;
  const token = new AccessToken(line.apiKey, line.apiSecret, {
    identity: `caller-${randomBytes(4).toString('hex')}`,
    ttl: TOKEN_TTL,
  });
  token.addGrant({
    room,
    roomJoin: true,
    canPublish: true,
    canPublishSources: [TrackSource.MICROPHONE],
    canPublishData: true,
    canSubscribe: true,
  });
  if (target.agentName)
    token.roomConfig = new RoomConfiguration({
      agents: [new RoomAgentDispatch({ agentName: target.agentName })],
    });
  return json(response, { url: line.url, token: await token.toJwt(), room });
}

function ownHosts(port: number): string[] {
  return [`127.0.0.1:${port}`, `localhost:${port}`];
}

/** Headers that hold the page to this machine and its LiveKit server. */
function safety(livekit: string): Record<string, string> {
  const url = new URL(livekit.replace(/^http/, 'ws'));
  const web = url.origin.replace(/^ws/, 'http');
  // LiveKit Cloud sends a caller to the server of a region near by.
  const cloud = url.hostname.endsWith('.livekit.cloud')
    ? ' wss://*.livekit.cloud https://*.livekit.cloud'
    : '';
  return {
    'content-security-policy': [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self'",
      "media-src 'self' blob:",
      "worker-src 'self' blob:",
      `connect-src 'self' ${url.protocol}//${url.host} ${web}${cloud}`,
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  };
}

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

async function file(response: ServerResponse, pathname: string): Promise<void> {
  const path = normalize(
    join(PAGE, pathname === '/' ? 'index.html' : decodeURIComponent(pathname)),
  );
  const type = TYPES[extname(path)];
  const inside = path.startsWith(PAGE + sep) && type !== undefined;
  const found = inside ? await stat(path).catch(() => undefined) : undefined;
  if (!type || !found?.isFile()) return refuse(response, 404, 'There is no such file.');
  response.writeHead(200, { 'content-type': type, 'content-length': found.size });
  createReadStream(path).pipe(response);
}

function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(why);
}
