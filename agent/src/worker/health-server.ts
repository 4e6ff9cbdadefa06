// SPDX-License-Identifier: Apache-2.0

import { createServer, type Server } from 'node:http';

/** The answers of the probes. A problem is described in a few words; undefined: no problem. */
export interface HealthState {
  /** For ECS, which kills the task and its calls when there is a problem. */
  livenessProblem(): string | undefined;
  /** For whoever sends calls: ready means registered with LiveKit and not draining. */
  readinessProblem(): string | undefined;
  /** More fields of the response, like the number of calls. */
  details(): Record<string, unknown>;
}

/**
 * Serves `GET /live` and `GET /ready` with 200 or 503 and a line of JSON. They are separate so that an outage
 * of LiveKit, which makes every task unready, does not make ECS kill tasks with calls on them.
 * @throws Error when the port is in use, in one sentence that names HEALTH_PORT.
 */
export async function serveHealth(port: number, state: HealthState): Promise<Server> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (path !== '/live' && path !== '/ready') {
      response.writeHead(404).end();
      return;
    }
    const problem = path === '/live' ? state.livenessProblem() : state.readinessProblem();
    response.writeHead(problem ? 503 : 200, { 'content-type': 'application/json' });
    response.end(
      `${JSON.stringify({ ok: !problem, ...(problem && { problem }), ...state.details() })}\n`,
    );
  });
  // Probes keep no connection: an idle one would hold the process at exit.
  server.keepAliveTimeout = 1;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'is in use' : `cannot be opened (${error.code})`;
      reject(new Error(`HEALTH_PORT ${port} ${why}: set HEALTH_PORT to a free port.`));
    });
    server.listen(port, () => resolve());
  });
  server.unref();
  return server;
}
