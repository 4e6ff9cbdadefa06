// SPDX-License-Identifier: Apache-2.0

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { HEALTH_SCRIPT } from '../../../lib/service/health-check.js';

let server: Server;
let port: string;
let folder: string;
let asked: string[];
const healthy = new Set<string>();

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'health-'));
  asked = [];
  healthy.clear();
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(healthy.has(request.url ?? '') ? 200 : 503).end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  port = String((server.address() as AddressInfo).port);
});

afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

/** The exit code of the container's health check. */
async function check(): Promise<number> {
  const child = spawn(process.execPath, ['-e', HEALTH_SCRIPT], {
    env: {
      ...process.env,
      HEALTH_PORT: port,
      HEALTH_MARK: join(folder, 'mark'),
    },
  });
  const [code] = await once(child, 'exit');
  return code as number;
}

test('a task is unhealthy until it has been registered: a deploy with a wrong secret is rolled back', async () => {
  healthy.add('/live');
  expect(await check()).toBe(1);
  expect(asked).toEqual(['/ready']);
  expect(existsSync(join(folder, 'mark'))).toBe(false);
});

test('once registered it stays healthy through an outage of LiveKit, while its process is sound', async () => {
  healthy.add('/live').add('/ready');
  expect(await check()).toBe(0);
  healthy.delete('/ready');
  expect(await check()).toBe(0);
  healthy.delete('/live');
  expect(await check()).toBe(1);
  expect(asked).toEqual(['/ready', '/live', '/live']);
});

test('a process that does not answer is unhealthy', async () => {
  server.close();
  expect(await check()).toBe(1);
});
