// SPDX-License-Identifier: Apache-2.0

import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type Emulator, startEmulator } from '../../../packages/nova-sonic-emulator/src/index.js';
import { sdkClient, TestClient } from './support/client.js';
import { toneSpeech } from './support/tone-speech.js';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ profile: 'fast', textToSpeech: toneSpeech });
});
afterAll(() => emulator.close());

/** Status and body of a request to the control API. */
async function ask(method: string, path: string, body?: unknown) {
  const response = await fetch(`${emulator.controlUrl}${path}`, {
    method,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  // biome-ignore lint/suspicious/noExplicitAny: each answer has a shape of its own
  return { status: response.status, body: (await response.json()) as any };
}

const live = async () => {
  const client = new TestClient(sdkClient(emulator));
  const opened = emulator.next('open');
  client.start();
  const { session } = await opened;
  await client.output(({ name }) => name === 'usageEvent');
  return { client, session };
};

describe('sessions', () => {
  it('are listed, and one can be ended', async () => {
    const { client, session } = await live();
    const { body } = await ask('GET', '/sessions');
    expect(body).toMatchObject([
      {
        id: session,
        model: 'amazon.nova-2-sonic-v1:0',
        account: 'emulator/us-east-1',
        received: 2,
      },
    ]);
    const gone = emulator.next({ session, name: 'gone' });
    expect((await ask('DELETE', `/sessions/${session}`)).status).toBe(200);
    expect(await client.ended).toBeUndefined();
    await gone;
    expect((await ask('GET', '/sessions')).body).toEqual([]);
    expect((await ask('DELETE', `/sessions/${session}`)).status).toBe(404);
  });
});

describe('the network', () => {
  it('is told, changed and stalled', async () => {
    expect((await ask('PATCH', '/network', { latencyMs: 1, jitterMs: 0.5 })).body).toEqual({
      latencyMs: 1,
      jitterMs: 0.5,
      bandwidthKbps: 0,
    });
    expect((await ask('GET', '/network')).body.latencyMs).toBe(1);
    expect((await ask('PATCH', '/network', { latencyMs: -1 })).status).toBe(400);
    expect((await ask('POST', '/stalls', { durationMs: 5 })).status).toBe(201);
    expect((await ask('POST', '/stalls', {})).body.message).toMatch(/^a stall of undefined ms/);
    expect((await ask('PATCH', '/network', { latencyMs: 0, jitterMs: 0 })).status).toBe(200);
  });
});

describe('faults', () => {
  it('are set, listed and removed', async () => {
    const { status, body } = await ask('POST', '/faults', { kind: 'throttle', times: 5 });
    expect(status).toBe(201);
    expect((await ask('GET', '/faults')).body).toEqual([
      { id: body.id, fault: { kind: 'throttle', times: 5 }, left: 5 },
    ]);
    expect((await ask('DELETE', `/faults/${body.id}`)).body).toEqual([]);
    expect((await ask('DELETE', `/faults/${body.id}`)).status).toBe(404);
  });

  it('strike a live session', async () => {
    const { client } = await live();
    await ask('POST', '/faults', { kind: 'exception', type: 'modelTimeoutException' });
    client.openAudio();
    expect((await client.ended)?.name).toBe('ModelTimeoutException');
  });

  it.each([
    [{ kind: 'explode' }, /^fault "explode" is unknown; there are /],
    [{ kind: 'reset', code: 'x' }, /^fault reset: code: /],
    ['no object', /is unknown/],
  ])('%j is rejected', async (fault, message) => {
    const { status, body } = await ask('POST', '/faults', fault);
    expect(status).toBe(400);
    expect(body.message).toMatch(message);
  });
});

describe('stats', () => {
  it('count sessions and contain the timer lag', async () => {
    const before = (await ask('DELETE', '/stats')).body;
    expect(before.timerLag.count).toBe(0);
    const { client } = await live();
    const { body } = await ask('GET', '/stats');
    expect(body).toMatchObject({ liveSessions: 1, sessions: before.sessions + 1 });
    expect(body.timerLag.count).toBeGreaterThan(0);
    expect(body.timerLag.p95).toBeGreaterThanOrEqual(body.timerLag.p50);
    client.endInput();
    await client.ended;
  });
});

describe('the old name of the timer lag', () => {
  it('still works and warns once', async () => {
    const warn = jest.spyOn(console, 'warn').mockImplementation(() => {});
    try {
      expect((await ask('GET', '/stats')).body.slip).toMatchObject({ p50: expect.any(Number) });
      expect(warn).not.toHaveBeenCalled();

      emulator.resetSlip();
      emulator.resetSlip();
      const stats = emulator.stats();
      expect(stats.slip).toEqual(stats.timerLag);
      expect(stats.slip).toBe(stats.slip);
      expect(warn.mock.calls).toEqual([
        ['nova-sonic-emulator: resetSlip() is deprecated, use resetTimerLag().'],
        ['nova-sonic-emulator: stats.slip is deprecated, use stats.timerLag.'],
      ]);
    } finally {
      warn.mockRestore();
    }
  });
});

describe('events', () => {
  it('are streamed as JSON lines', async () => {
    const abort = new AbortController();
    const response = await fetch(`${emulator.controlUrl}/events`, { signal: abort.signal });
    const { client } = await live();
    let text = '';
    const decoder = new TextDecoder();
    for await (const bytes of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(bytes, { stream: true });
      if (text.includes('"usageEvent"')) break;
    }
    const [first] = text.split('\n');
    expect(JSON.parse(first as string)).toMatchObject({ direction: 'note', name: 'open' });
    abort.abort();
    client.endInput();
    await client.ended;
  });
});

describe('the address', () => {
  const status = (headers: Record<string, string>) =>
    new Promise<number | undefined>((resolve, reject) => {
      request(`${emulator.controlUrl}/stats`, { headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });

  it('is on 127.0.0.1', () => {
    expect(new URL(emulator.controlUrl).hostname).toBe('127.0.0.1');
  });

  it('rejects requests of web pages: another host name, or an origin', async () => {
    expect(await status({})).toBe(200);
    expect(await status({ host: 'evil.example' })).toBe(403);
    expect(await status({ origin: 'https://evil.example' })).toBe(403);
  });

  it('lists its requests when it gets another', async () => {
    const { status, body } = await ask('GET', '/');
    expect(status).toBe(404);
    expect(body.message).toMatch(/GET \/sessions/);
  });
});
