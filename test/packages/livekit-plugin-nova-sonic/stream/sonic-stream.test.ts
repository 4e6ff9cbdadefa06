// SPDX-License-Identifier: Apache-2.0
import { BedrockRuntimeClient } from '@aws-sdk/client-bedrock-runtime';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import {
  type Clock,
  systemClock,
} from '../../../../packages/livekit-plugin-nova-sonic/src/clock.js';
import {
  type RealtimeModelOptions,
  resolveOptions,
} from '../../../../packages/livekit-plugin-nova-sonic/src/options.js';
import {
  type NovaSonicError,
  noResponse,
} from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/errors.js';
import { createStreamClient } from '../../../../packages/livekit-plugin-nova-sonic/src/stream/bedrock-client.js';
import { SonicStream } from '../../../../packages/livekit-plugin-nova-sonic/src/stream/sonic-stream.js';
import { settle } from '../../../support/manual-clock.js';
import { until } from '../../../support/wait.js';
import { CREDENTIALS } from '../support/agent-harness.js';
import { SteppedClock } from '../support/clocks.js';
import { ScriptedServer, usage } from '../support/scripted-server.js';

initializeLogger({ pretty: false, level: 'silent' });

const LANE = { name: 'us-east-1', region: 'us-east-1' };
const event = (name: string) => ({ event: { [name]: {} } });

describe('SonicStream', () => {
  let server: ScriptedServer;
  beforeEach(async () => {
    server = await ScriptedServer.start(() => {});
  });
  afterEach(() => server.close());

  function open(
    options: RealtimeModelOptions = {},
    limits: { firstEventMs?: number; closeMs?: number; clock?: Clock } = {},
  ) {
    const log: string[] = [];
    let error: NovaSonicError | undefined;
    const resolved = resolveOptions({
      endpoint: server.url,
      credentials: CREDENTIALS,
      region: 'us-east-1',
      ...options,
    });
    const ended = new Promise<NovaSonicError | undefined>((resolve) => {
      const stream = new SonicStream({
        id: 's',
        lane: LANE,
        modelId: resolved.model,
        clock: limits.clock ?? systemClock,
        connect: () => createStreamClient(resolved, LANE),
        firstEventMs: limits.firstEventMs ?? 5_000,
        writeStallMs: 50,
        closeMs: limits.closeMs ?? 200,
        sink: {
          opened: () => log.push('opened'),
          received: (document) => log.push(JSON.stringify(document).slice(0, 30)),
          sent: (e) => log.push(`sent ${Object.keys(e.event)[0]}`),
          ended: (e) => {
            error = e;
            log.push('ended');
            resolve(e);
          },
          closing: () => [event('contentEnd'), event('promptEnd'), event('sessionEnd')],
          cut: () => log.push('cut'),
        },
      });
      handle = stream;
    });
    return { stream: handle as SonicStream, log, ended, error: () => error };
  }
  let handle: SonicStream | undefined;

  test('what is written before the connection is up arrives in its order', async () => {
    const { stream } = open();
    stream.write([event('one'), event('two')]);
    stream.write([event('three')]);
    const peer = await server.stream(0);
    await peer.received('three');
    expect(peer.said.map((e) => e.name)).toEqual(['one', 'two', 'three']);
    await stream.close();
  });

  test('a service that accepts the connection and sends nothing fails after firstEventMs', async () => {
    const { ended, log } = open({}, { firstEventMs: 100 });
    expect((await ended)?.message).toContain('did not answer within 0.1 s');
    expect(log).toEqual(['ended']);
    await until('our input was ended too', () => server.open.length === 0);
  });

  test.each<[string, (stream: SonicStream) => void]>([
    ['closed', (stream) => void stream.close()],
    ['given up', (stream) => stream.fail(noResponse('it was slow', 1))],
  ])('a stream that is %s before the first answer gets its closing events', async (_, end) => {
    const { stream, log, ended } = open();
    stream.write([event('one')]);
    const peer = await server.stream(0);
    end(stream);
    await peer.received('sessionEnd');
    expect(peer.names).toEqual(['one', 'contentEnd', 'promptEnd', 'sessionEnd']);
    // An answer that comes late is not the beginning of anything.
    peer.send(usage());
    peer.end();
    await Promise.all([stream.done, ended]);
    expect(log.filter((l) => l === 'opened' || l === 'ended' || l === 'cut')).toEqual(['ended']);
  });

  test('the first event does not come: the stream has failed, and its closing events are sent', async () => {
    const { stream, ended } = open({}, { firstEventMs: 60 });
    stream.write([event('one')]);
    const peer = await server.stream(0);
    expect((await ended)?.kind).toBe('no_response');
    await peer.received('sessionEnd');
    await stream.done;
  });

  test('a stream that was never opened is not opened by its end', async () => {
    let provide = (_: typeof CREDENTIALS) => {};
    const credentials = () =>
      new Promise<typeof CREDENTIALS>((resolve) => {
        provide = resolve;
      });
    const { stream, log } = open({ credentials });
    stream.write([event('one')]);
    await stream.close();
    provide(CREDENTIALS);
    await new Promise((resolve) => setImmediate(resolve));
    expect(log).toEqual(['ended']);
    expect(server.streams).toHaveLength(0);
  });

  test('a connection that takes nothing is cut, and says so', async () => {
    const stuck = { send: () => new Promise<never>(() => {}) } as never;
    const { stream, log } = open({ client: stuck }, { closeMs: 20 });
    stream.write([event('one')]);
    await new Promise((resolve) => setImmediate(resolve));
    await stream.close();
    expect(log).toEqual(['cut', 'ended']);
  });

  test('an unrequested end is a failure, a requested one is not', async () => {
    const first = open();
    first.stream.write([event('one')]);
    (await server.stream(0)).send(usage());
    await until('open', () => first.stream.live);
    server.streams[0]?.end();
    expect((await first.ended)?.kind).toBe('connection');

    const second = open();
    second.stream.write([event('one')]);
    const peer = await server.stream(1);
    peer.send(usage());
    await until('open', () => second.stream.live);
    const closed = second.stream.close();
    await peer.received('sessionEnd');
    peer.end();
    await closed;
    expect(await second.ended).toBeUndefined();
    expect(second.log.filter((l) => l === 'ended')).toHaveLength(1);
  });

  test('a close that the service does not answer is cut', async () => {
    const { stream, ended } = open({}, { closeMs: 50 });
    stream.write([event('one')]);
    (await server.stream(0)).send(usage());
    await until('open', () => stream.live);
    await stream.close();
    expect(await ended).toBeUndefined();
    await until('the connection is gone', () => server.open.length === 0);
  });

  test('writing that is not taken is noticed', async () => {
    const clock = new SteppedClock();
    const { stream } = open({ credentials: () => new Promise(() => {}) }, { clock });
    const begun = clock.now();
    // The piece that waits longest counts; a stream on which none waits does not stall.
    expect(stream.stalled(begun + 60_000)).toBeUndefined();
    clock.advance(1_000);
    stream.write([event('one')]);
    clock.advance(30);
    stream.write([event('two')]);
    expect(stream.stalled(begun + 1_050)).toBeUndefined();
    expect(stream.stalled(begun + 1_051)).toBe(51);
    await stream.close();
    expect(stream.stalled(begun + 60_000)).toBeUndefined();
  });

  test('a client of your own is used, for one Region or for each, and stays yours', async () => {
    let destroyed = 0;
    const client = new BedrockRuntimeClient({
      region: 'us-east-1',
      endpoint: server.url,
      logger: { trace() {}, debug() {}, info() {}, warn() {}, error() {} },
      credentials: { ...CREDENTIALS, expiration: new Date(4_000_000_000_000) },
    });
    const destroy = client.destroy.bind(client);
    client.destroy = () => {
      destroyed += 1;
      destroy();
    };
    const regions: string[] = [];
    const forEach = (region: string) => {
      regions.push(region);
      return client;
    };
    for (const [i, own] of [client, forEach].entries()) {
      const { stream } = open({ client: own, endpoint: undefined, credentials: undefined });
      stream.write([event('one')]);
      await (await server.stream(i)).received('one');
      expect(stream.expiresAt).toBe(4_000_000_000_000);
      await stream.close();
    }
    expect(regions).toEqual(['us-east-1']);
    expect(destroyed).toBe(0);
    destroy();
  });

  test('credentials that cannot be resolved are reported as such', async () => {
    const { ended } = open({
      credentials: () =>
        Promise.reject(Object.assign(new Error('no keys'), { name: 'CredentialsProviderError' })),
    });
    expect(await ended).toMatchObject({ kind: 'credentials', retryable: false });
    await settle();
    expect(server.streams).toHaveLength(0);
  });
});
