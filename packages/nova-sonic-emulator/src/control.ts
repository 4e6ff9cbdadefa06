// SPDX-License-Identifier: Apache-2.0
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Slip } from './clock.js';
import type { Recording } from './event-log.js';
import type { ActiveFault, Fault } from './faults.js';
import type { SessionInfo } from './session/session.js';

/** What the control address can see and do. */
export interface Controlled {
  sessions(): SessionInfo[];
  endSession(id: string): boolean;
  faults(): readonly ActiveFault[];
  setFault(fault: Fault): number;
  clearFaults(id?: number): boolean;
  stats(): Stats;
  resetSlip(): void;
  events: Recording;
}

/** Figures of a running emulator. */
export interface Stats {
  /** Seconds since the start. */
  uptimeSeconds: number;
  liveSessions: number;
  /** Sessions since the start. */
  sessions: number;
  /** Requests refused before their stream. */
  refused: number;
  /** Lateness of the emulator's own timers, in milliseconds. */
  slip: Slip;
  rssBytes: number;
  /** Processor time of the emulator's process since its start. */
  cpuSeconds: number;
}

const MAX_BODY = 64 * 1024;

/** Serves the control address: plain HTTP and JSON, on 127.0.0.1 only. */
export function controlServer(emulator: Controlled): Server {
  return createServer((request, response) => {
    handle(emulator, request, response).catch((error: Error) => {
      if (!response.headersSent) reply(response, 400, { message: error.message });
    });
  });
}

async function handle(
  emulator: Controlled,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // A web page can reach 127.0.0.1 under a name of its own: only the address itself is served.
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  if (!['127.0.0.1', 'localhost'].includes(host) || request.headers.origin) {
    return reply(response, 403, { message: `not served under ${host}` });
  }
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  const [, subject, id] = pathname.split('/');
  switch (`${request.method} /${subject}${id ? '/:id' : ''}`) {
    case 'GET /sessions':
      return reply(response, 200, emulator.sessions());
    case 'DELETE /sessions/:id':
      return emulator.endSession(id as string)
        ? reply(response, 200, { ended: id })
        : reply(response, 404, { message: `there is no session ${id}` });
    case 'GET /faults':
      return reply(response, 200, emulator.faults());
    case 'POST /faults':
      return reply(response, 201, { id: emulator.setFault(await readJson(request)) });
    case 'DELETE /faults':
      emulator.clearFaults();
      return reply(response, 200, []);
    case 'DELETE /faults/:id':
      return emulator.clearFaults(Number(id))
        ? reply(response, 200, emulator.faults())
        : reply(response, 404, { message: `there is no fault ${id}` });
    case 'GET /stats':
      return reply(response, 200, emulator.stats());
    case 'DELETE /stats':
      emulator.resetSlip();
      return reply(response, 200, emulator.stats());
    case 'GET /events':
      return stream(emulator.events, response);
    default:
      return reply(response, 404, {
        message:
          'GET /sessions, DELETE /sessions/:id, GET|POST|DELETE /faults, DELETE /faults/:id, GET|DELETE /stats, GET /events',
      });
  }
}

/** Live events as JSON lines, until the client goes away. */
function stream(events: Recording, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  response.flushHeaders();
  const off = events.on((event) => response.write(`${JSON.stringify(event)}\n`));
  response.on('close', off);
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}

async function readJson(request: IncomingMessage): Promise<Fault> {
  let text = '';
  for await (const part of request) {
    text += part;
    if (text.length > MAX_BODY) throw new Error(`a body of more than ${MAX_BODY} bytes`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('the body is not JSON');
  }
}
