// SPDX-License-Identifier: Apache-2.0
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { TimerLag } from './clock.js';
import type { EmulatorEvent, EventLog } from './event-log.js';
import type { ActiveFault, Fault } from './faults.js';
import type { NetworkConditions } from './network/network-conditions.js';
import type { SessionInfo } from './session/session.js';

/** What the control API can see and do. */
export interface ControlTarget {
  sessions(): SessionInfo[];
  endSession(id: string): boolean;
  faults(): readonly ActiveFault[];
  setFault(fault: Fault): number;
  clearFaults(id?: number): boolean;
  network(): NetworkConditions;
  setNetwork(conditions: Partial<NetworkConditions>): NetworkConditions;
  stallNetwork(ms: number): void;
  stats(): EmulatorStats;
  resetTimerLag(): void;
  events: EventLog;
}

/** Figures of a running emulator. */
export interface EmulatorStats {
  /** Seconds since the start. */
  uptimeSeconds: number;
  /** Sessions that are open. */
  liveSessions: number;
  /** Sessions since the start. */
  sessions: number;
  /** Requests refused before their stream. */
  refused: number;
  /** How late the emulator's own timers fired, in milliseconds. */
  timerLag: TimerLag;
  /** @deprecated use `timerLag` */
  readonly slip?: TimerLag;
  /** Resident memory of the emulator's process. */
  rssBytes: number;
  /** Processor time of the emulator's process since its start, in seconds. */
  cpuSeconds: number;
}

const MAX_BODY = 64 * 1024;

/** Notes of what a client did wrong: refused, or only warned of. */
const MISTAKES = ['refused', 'violation', 'warning'];
const isMistake = ({ direction, name }: EmulatorEvent) =>
  direction === 'note' && MISTAKES.includes(name);

/**
 * Serves the control API: plain HTTP and JSON.
 *
 * @param hostNames names besides 127.0.0.1 and localhost that clients use
 */
export function controlServer(emulator: ControlTarget, hostNames: readonly string[] = []): Server {
  const hosts = ['127.0.0.1', 'localhost', ...hostNames];
  return createServer((request, response) => {
    handle(emulator, hosts, request, response).catch((error: Error) => {
      if (!response.headersSent) reply(response, 400, { message: error.message });
    });
  });
}

async function handle(
  emulator: ControlTarget,
  hosts: readonly string[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // A web page can reach 127.0.0.1 under its own host name (DNS rebinding): serve only known names.
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  if (!hosts.includes(host) || request.headers.origin) {
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
    case 'GET /mistakes':
      return reply(response, 200, emulator.events.seen(isMistake));
    case 'GET /network':
      return reply(response, 200, emulator.network());
    case 'PATCH /network':
      return reply(response, 200, emulator.setNetwork(await readJson(request)));
    case 'POST /stalls': {
      const { durationMs } = await readJson<{ durationMs: number }>(request);
      emulator.stallNetwork(durationMs);
      return reply(response, 201, { durationMs });
    }
    case 'GET /stats':
      return reply(response, 200, statsBody(emulator.stats()));
    case 'DELETE /stats':
      emulator.resetTimerLag();
      return reply(response, 200, statsBody(emulator.stats()));
    case 'GET /events':
      return stream(emulator.events, response);
    default:
      return reply(response, 404, {
        message:
          'GET /sessions, DELETE /sessions/:id, GET|POST|DELETE /faults, DELETE /faults/:id, GET /mistakes, GET|PATCH /network, POST /stalls, GET|DELETE /stats, GET /events',
      });
  }
}

/** The body of /stats; `slip` is the old name of `timerLag`, still sent to clients that read it. */
const statsBody = (stats: EmulatorStats) => ({ ...stats, slip: stats.timerLag });

/** Live events as JSON lines, until the client goes away. */
function stream(events: EventLog, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  response.flushHeaders();
  const off = events.on((event) => response.write(`${JSON.stringify(event)}\n`));
  response.on('close', off);
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}

async function readJson<Body = Fault>(request: IncomingMessage): Promise<Body> {
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
