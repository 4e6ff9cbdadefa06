// SPDX-License-Identifier: Apache-2.0

import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TokenVerifier } from 'livekit-server-sdk';
import { type PageServer, portForPage, servePage } from '../../../local/playground/serve.js';

const livekit = {
  url: 'wss://example.livekit.cloud',
  apiKey: 'key',
  apiSecret: 'secret-of-32-characters-at-least',
};

describe("the page's server", () => {
  let server: PageServer;

  beforeAll(async () => {
    server = await servePage({
      livekit,
      kind: 'stack',
      name: 'my-stack',
      agentName: 'ada',
      port: 0,
    });
  });
  afterAll(() => server.stop());

  /** With headers as a browser sends them, also those that fetch would not let us set. */
  function ask(path: string, options: { method?: string; headers?: Record<string, string> } = {}) {
    const { method = 'GET', headers = {} } = options;
    return new Promise<{ status: number; headers: Record<string, unknown>; body: string }>(
      (resolve, reject) => {
        const outgoing = request(`${server.url}${path}`, { method, headers }, (response) => {
          let body = '';
          response.on('data', (part) => {
            body += part;
          });
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
          );
        });
        outgoing.on('error', reject);
        outgoing.end(method === 'POST' ? '{}' : undefined);
      },
    );
  }

  const json = { 'content-type': 'application/json' };
  const call = (headers: Record<string, string>) =>
    ask('/api/call', { method: 'POST', headers: { ...json, ...headers } });

  it('gives its own page a short-lived token for one room, with the rights of a caller only', async () => {
    const { status, body } = await call({ origin: server.url });
    expect(status).toBe(200);
    const { url, token, room } = JSON.parse(body) as { url: string; token: string; room: string };
    expect(url).toBe(livekit.url);
    expect(body).not.toContain(livekit.apiSecret);
    const claims = await new TokenVerifier(livekit.apiKey, livekit.apiSecret).verify(token);
    expect(claims.video).toEqual({
      room,
      roomJoin: true,
      canPublish: true,
      canPublishData: true,
      canPublishSources: ['microphone'],
      canSubscribe: true,
    });
    expect((claims.exp ?? 0) - Date.now() / 1000).toBeLessThanOrEqual(300);
    expect(claims.roomConfig?.agents?.[0]?.agentName).toBe('ada');
  });

  it('creates a new room for each call', async () => {
    const rooms = await Promise.all(
      [1, 2].map(async () => JSON.parse((await call({ origin: server.url })).body).room as string),
    );
    expect(new Set(rooms).size).toBe(2);
  });

  it.each([
    ['another site', { origin: 'https://example.com' }],
    ['another port of this machine', { origin: 'http://127.0.0.1:1' }],
    ['no page at all', {}],
    ['a sandboxed frame', { origin: 'null' }],
  ])('rejects %s', async (_, headers) => {
    expect(await call(headers)).toMatchObject({
      status: 403,
      body: 'Only the page that is served here can start calls.',
    });
  });

  it.each(['/', '/api/target', '/api/call'])(
    'answers only to names of this machine, also for %s',
    async (path) => {
      const { port } = new URL(server.url);
      const host = `rebound.example.com:${port}`;
      const headers = { host, origin: `http://${host}`, ...json };
      const method = path === '/api/call' ? 'POST' : 'GET';
      expect(await ask(path, { method, headers })).toMatchObject({ status: 403 });
    },
  );

  it('rejects a form of another site', async () => {
    const headers = { origin: server.url, 'content-type': 'text/plain' };
    expect(await ask('/api/call', { method: 'POST', headers })).toMatchObject({ status: 415 });
    expect(await ask('/api/call')).toMatchObject({ status: 405 });
  });

  it.each(['/../package.json', '/..%2f..%2fpackage.json', '/%2e%2e/serve.ts', '/nothing.js'])(
    'has no file %s',
    async (path) => {
      expect(await ask(path)).toMatchObject({ status: 404 });
    },
  );

  it('allows the page to connect to this server and LiveKit only, and forbids frames', async () => {
    const { headers, body } = await ask('/api/target');
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(/connect-src ([^;]*)/.exec(policy)?.[1]?.split(' ')).toEqual([
      "'self'",
      'wss://example.livekit.cloud',
      'https://example.livekit.cloud',
      'wss://*.livekit.cloud',
      'https://*.livekit.cloud',
    ]);
    expect(JSON.parse(body)).toEqual({
      kind: 'stack',
      name: 'my-stack',
      livekit: livekit.url,
      agentName: 'ada',
    });
  });

  it('reports a taken port in one sentence', async () => {
    const port = Number(new URL(server.url).port);
    const sentence = `Port ${port} is taken: give another one with --port.`;
    await expect(servePage({ livekit, kind: 'stack', name: '', port })).rejects.toThrow(sentence);
    // Commands ask before they start anything.
    await expect(portForPage(port)).rejects.toThrow(sentence);
    expect(await portForPage()).toBeGreaterThanOrEqual(3000);
  });
});
