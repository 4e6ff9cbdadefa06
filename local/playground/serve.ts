// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { extname, join, normalize, sep } from 'node:path';
import getPort, { portNumbers } from 'get-port';
import { AccessToken, RoomAgentDispatch, RoomConfiguration, TrackSource } from 'livekit-server-sdk';
import type { LiveKitConnection } from '../livekit/connection.js';
import { PAGE_DIRECTORY } from './build-page.js';
import type { Target } from './page/target.js';

/** Long enough to join; LiveKit renews the tokens of calls in progress. */
const TOKEN_TTL = '5m';

export interface PageOptions {
  /** The LiveKit server of the calls; its keys never reach the page. */
  livekit: LiveKitConnection;
  kind: Target['kind'];
  /** What answers the calls, for display. */
  name: string;
  /** Name of the agent to dispatch. Default: '', an agent that takes any call. */
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
 * Chooses the port of the page: the wanted one, or the first free one from 3000.
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
 * Serves the page on 127.0.0.1, and tokens for calls to that page only.
 * @throws Error with one sentence when the wanted port is taken.
 */
export async function servePage(options: PageOptions): Promise<PageServer> {
  const { livekit, kind, name, agentName = '' } = options;
  const target: Target = { kind, name, livekit: livekit.url, agentName };
  const port = options.port ?? (await portForPage());
  const server = createServer((request, response) => {
    respond(request, response, { livekit, target, port: listening() }).catch(() => {
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

interface PageContext {
  livekit: LiveKitConnection;
  target: Target;
  port: number;
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  context: PageContext,
): Promise<void> {
  // Against DNS rebinding: another site whose name resolves to 127.0.0.1 must not get tokens.
  if (!ownHosts(context.port).includes(request.headers.host ?? ''))
    return reject(response, 403, 'Open the page at http://127.0.0.1.');
  for (const [name, value] of Object.entries(securityHeaders(context.livekit.url)))
    response.setHeader(name, value);
  const { pathname } = new URL(request.url ?? '/', 'http://127.0.0.1');
  if (pathname === '/api/call') return createCall(request, response, context);
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return reject(response, 405, 'Only GET is allowed here.');
  if (pathname === '/api/target') return sendJson(response, context.target);
  return serveFile(response, pathname);
}

async function createCall(
  request: IncomingMessage,
  response: ServerResponse,
  { livekit, target, port }: PageContext,
): Promise<void> {
  const { origin } = request.headers;
  const ours = ownHosts(port).map((host) => `http://${host}`);
  if (request.method !== 'POST') return reject(response, 405, 'Use POST to start a call.');
  // Browsers send the origin with every POST; a page cannot forge it.
  if (!origin || !ours.includes(origin))
    return reject(response, 403, 'Only the page that is served here can start calls.');
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? ''))
    return reject(response, 415, 'Send application/json.');
  request.resume();
  const room = `call-${randomBytes(6).toString('hex')}`;
  const token = new AccessToken(livekit.apiKey, livekit.apiSecret, {
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
  return sendJson(response, { url: livekit.url, token: await token.toJwt(), room });
}

function ownHosts(port: number): string[] {
  return [`127.0.0.1:${port}`, `localhost:${port}`];
}

/** Headers that restrict the page to this server and its LiveKit server. */
function securityHeaders(livekit: string): Record<string, string> {
  const url = new URL(livekit.replace(/^http/, 'ws'));
  const web = url.origin.replace(/^ws/, 'http');
  // LiveKit Cloud redirects callers to a server in a nearby region.
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

async function serveFile(response: ServerResponse, pathname: string): Promise<void> {
  const path = normalize(
    join(PAGE_DIRECTORY, pathname === '/' ? 'index.html' : decodeURIComponent(pathname)),
  );
  const type = TYPES[extname(path)];
  const inside = path.startsWith(PAGE_DIRECTORY + sep) && type !== undefined;
  const found = inside ? await stat(path).catch(() => undefined) : undefined;
  if (!type || !found?.isFile()) return reject(response, 404, 'There is no such file.');
  response.writeHead(200, { 'content-type': type, 'content-length': found.size });
  createReadStream(path).pipe(response);
}

function sendJson(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function reject(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(why);
}
