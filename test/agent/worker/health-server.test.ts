// SPDX-License-Identifier: Apache-2.0

import type { Server } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import { serveHealth } from '../../../agent/src/worker/health-server.js';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function ask(path: string, live?: string, ready?: string) {
  server = await serveHealth(0, {
    livenessProblem: () => live,
    readinessProblem: () => ready,
    details: () => ({ calls: 2 }),
  });
  const { port } = server.address() as { port: number };
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return [response.status, response.status === 404 ? undefined : await response.json()];
}

describe('serveHealth', () => {
  it.each([
    ['/live', undefined, undefined, 200, { ok: true, calls: 2 }],
    ['/live', undefined, 'draining', 200, { ok: true, calls: 2 }],
    ['/live', 'broken', undefined, 503, { ok: false, problem: 'broken', calls: 2 }],
    ['/ready', undefined, undefined, 200, { ok: true, calls: 2 }],
    ['/ready?x=1', undefined, 'draining', 503, { ok: false, problem: 'draining', calls: 2 }],
    ['/', undefined, undefined, 404, undefined],
  ])('%s with live: %s, ready: %s is %i', async (path, live, ready, status, body) => {
    expect(await ask(path, live, ready)).toEqual([status, body]);
  });

  it('names the variable when the port is in use', async () => {
    await ask('/live');
    const port = (server?.address() as { port: number } | undefined)?.port ?? 0;
    const state = {
      livenessProblem: () => undefined,
      readinessProblem: () => undefined,
      details: () => ({}),
    };
    await expect(serveHealth(port, state)).rejects.toThrow(
      `HEALTH_PORT ${port} is in use: set HEALTH_PORT to a free port.`,
    );
  });
});
