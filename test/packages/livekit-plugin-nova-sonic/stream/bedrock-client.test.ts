// SPDX-License-Identifier: Apache-2.0
// The client of one stream: whose credentials it has, and that nothing of it stays.
import { BedrockRuntimeClient } from '@aws-sdk/client-bedrock-runtime';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { initializeLogger, log } from '@livekit/agents';
import type { NamedLane } from '../../../../packages/livekit-plugin-nova-sonic/src/lanes.js';
import {
  type RealtimeModelOptions,
  resolveOptions,
} from '../../../../packages/livekit-plugin-nova-sonic/src/options.js';
import { createStreamClient } from '../../../../packages/livekit-plugin-nova-sonic/src/stream/bedrock-client.js';
import { CREDENTIALS } from '../support/agent-harness.js';

initializeLogger({ pretty: false, level: 'silent' });

const KEYS = { accessKeyId: 'of-the-options', secretAccessKey: 'x' };
const EXPIRATION = new Date(4_000_000_000_000);

async function create(options: RealtimeModelOptions = {}, lane: Partial<NamedLane> = {}) {
  const made = await createStreamClient(resolveOptions({ region: 'eu-north-1', ...options }), {
    name: 'main',
    region: 'eu-north-1',
    ...lane,
  });
  return { ...made, client: made.client as BedrockRuntimeClient };
}

const keyOf = async ({ client }: { client: BedrockRuntimeClient }) =>
  (await client.config.credentials()).accessKeyId;

afterEach(() => {
  jest.restoreAllMocks();
});

describe('the client of a stream', () => {
  test('has the credentials of its lane, else those of the options', async () => {
    const own = { accessKeyId: 'of-the-lane', secretAccessKey: 'y' };
    expect(await keyOf(await create({ credentials: KEYS }))).toBe('of-the-options');
    expect(await keyOf(await create({ credentials: KEYS }, { credentials: own }))).toBe(
      'of-the-lane',
    );
  });

  test('asks a provider once, and keeps what it got to the end of the stream', async () => {
    let asked = 0;
    const credentials = async () => {
      asked += 1;
      // So near its end the SDK would ask for another before each request.
      return { ...KEYS, accessKeyId: `key-${asked}`, expiration: new Date(Date.now() + 1_000) };
    };
    const made = await create({ credentials });
    expect([await keyOf(made), await keyOf(made), asked]).toEqual(['key-1', 'key-1', 1]);
  });

  test('knows when its credentials end, if they do', async () => {
    const ending = await create({ credentials: { ...KEYS, expiration: EXPIRATION } });
    expect(ending.expiresAt).toBe(4_000_000_000_000);
    expect((await create({ credentials: KEYS })).expiresAt).toBeUndefined();
  });

  test('goes to the Region of the lane and to its endpoint, and leaves trying again to the plugin', async () => {
    const regions: string[] = [];
    const { client } = await create({
      credentials: KEYS,
      endpoint: (region) => {
        regions.push(region);
        return 'http://127.0.0.1:9';
      },
    });
    expect(await client.config.region()).toBe('eu-north-1');
    expect(regions).toEqual(['eu-north-1']);
    expect(await client.config.endpoint?.()).toMatchObject({ hostname: '127.0.0.1', port: 9 });
    expect(await client.config.maxAttempts()).toBe(1);
    // What AWS sees of it, in the user agent of each request.
    expect(client.config.customUserAgent).toEqual([
      ['x-client-framework', 'livekit-plugin-nova-sonic'],
    ]);
    const fixed = await create({ credentials: KEYS, endpoint: 'http://127.0.0.1:7' });
    expect(await fixed.client.config.endpoint?.()).toMatchObject({ port: 7 });
  });

  test('is destroyed with the stream, and so is the one that only found the credentials', async () => {
    const destroyed = jest.spyOn(BedrockRuntimeClient.prototype, 'destroy');
    const keys = {
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    };
    const before = Object.keys(keys).map((name) => [name, process.env[name]] as const);
    Object.assign(process.env, keys);
    try {
      const made = await create();
      expect(await keyOf(made)).toBe(CREDENTIALS.accessKeyId);
      expect(destroyed.mock.contexts).toHaveLength(1);
      expect(destroyed.mock.contexts).not.toContain(made.client);
      made.dispose();
      expect(destroyed.mock.contexts.at(-1)).toBe(made.client);
    } finally {
      for (const [name, value] of before)
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
    }
  });

  test('of the application’s own is asked for the Region of the lane, and is not destroyed', async () => {
    const own = new BedrockRuntimeClient({
      region: 'us-west-2',
      credentials: { ...KEYS, expiration: EXPIRATION },
    });
    const destroyed = jest.spyOn(own, 'destroy');
    const regions: string[] = [];
    const made = await create({
      client: (region) => {
        regions.push(region);
        return own;
      },
    });
    expect(made.client).toBe(own);
    expect(made.expiresAt).toBe(4_000_000_000_000);
    expect(regions).toEqual(['eu-north-1']);
    made.dispose();
    expect(destroyed).not.toHaveBeenCalled();
    own.destroy();
    // One that only sends, or whose credentials do not end.
    const plain = { send: async () => ({}) } as never;
    expect((await create({ client: plain })).expiresAt).toBeUndefined();
    const lasting = new BedrockRuntimeClient({ region: 'us-west-2', credentials: KEYS });
    expect((await create({ client: lasting })).expiresAt).toBeUndefined();
    lasting.destroy();
  });

  test('says nothing on the console: what the SDK warns of is in our log, for those who look', async () => {
    const { client } = await create({ credentials: KEYS });
    const debug = jest.spyOn(log(), 'debug');
    for (const level of ['trace', 'debug', 'info'] as const)
      client.config.logger?.[level]?.('chatter');
    client.config.logger?.warn('slow');
    client.config.logger?.error('broken', 5);
    expect(debug.mock.calls).toEqual([
      [{ 'lk.pii.sdk': ['slow'] }, 'aws sdk log'],
      [{ 'lk.pii.sdk': ['broken', 5] }, 'aws sdk log'],
    ]);
  });
});
