// SPDX-License-Identifier: Apache-2.0

import { createServer, type Server } from 'node:http';

/** What is asked of a probe: undefined when all is well, else what is not, in a few words. */
export interface HealthState {
  /** Is the process sound? Answers ECS, which kills the task and its calls when it is not. */
  notLive(): string | undefined;
  /** May calls be sent here? Registered with LiveKit and not draining. */
  notReady(): string | undefined;
  /** Extra fields for whoever looks, like the number of calls. */
  detail(): Record<string, unknown>;
}

/**
 * Serves `GET /live` and `GET /ready` with 200 or 503 and a line of JSON. They are kept apart so that an outage
 * of LiveKit, which makes every task unready, does not make ECS kill tasks with calls on them.
 * @throws when the port is taken, in one sentence that names HEALTH_PORT.
 */
export async function serveHealth(port: number, state: HealthState): Promise<Server> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (path !== '/live' && path !== '/ready') {
      response.writeHead(404).end();
      return;
    }
    const problem = path === '/live' ? state.notLive() : state.notReady();
    response.writeHead(problem ? 503 : 200, { 'content-type': 'application/json' });
    response.end(
      `${JSON.stringify({ ok: !problem, ...(problem && { problem }), ...state.detail() })}\n`,
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
