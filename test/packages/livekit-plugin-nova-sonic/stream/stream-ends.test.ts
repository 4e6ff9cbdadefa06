// SPDX-License-Identifier: Apache-2.0
// However a stream ends, nothing is left of it: no timer, no client, no input that the SDK would go on pulling.
import { describe, expect, test } from '@jest/globals';
import { noResponse } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/errors.js';
import {
  SonicStream,
  type StreamClient,
} from '../../../../packages/livekit-plugin-nova-sonic/src/stream/sonic-stream.js';
import { settle } from '../../../support/manual-clock.js';
import { SteppedClock } from '../support/clocks.js';
import { FakeBedrock } from '../support/fake-bedrock.js';
import { usage } from '../support/scripted-server.js';

const LANE = { name: 'main', region: 'us-east-1' };
const event = (name: string) => ({ event: { [name]: {} } });

function open(connect?: () => Promise<StreamClient>) {
  const clock = new SteppedClock();
  const bedrock = new FakeBedrock();
  const log: string[] = [];
  let disposed = 0;
  const client = bedrock.client({
    expiresAt: 5,
    dispose: () => {
      disposed += 1;
    },
  });
  const stream = new SonicStream({
    id: 's',
    lane: LANE,
    modelId: 'sonic',
    clock,
    connect: connect ?? (async () => client),
    firstEventMs: 5_000,
    writeStallMs: 1_000,
    closeMs: 2_000,
    sink: {
      opened: (ms) => log.push(`opened after ${ms}`),
      received: (document) => log.push(JSON.stringify(document)),
      sent: (e) => log.push(`sent ${Object.keys(e.event)[0]}`),
      ended: (error) => log.push(`ended ${error?.kind ?? 'as asked'}`),
      closing: () => [event('promptEnd'), event('sessionEnd')],
      cut: () => log.push('cut'),
    },
  });
  return { clock, bedrock, log, stream, client, disposed: () => disposed };
}

type Rig = ReturnType<typeof open>;

/** One that the service has answered after 70 ms. */
async function opened() {
  const rig = open();
  rig.stream.write([event('one')]);
  await settle();
  rig.clock.advance(70);
  rig.bedrock.stream(0).tell(usage());
  await settle();
  return { ...rig, peer: rig.bedrock.stream(0) };
}

const expectNothingLeft = ({ clock, bedrock, disposed, stream }: Rig) => {
  expect(clock.pending).toBe(0);
  expect(disposed()).toBe(1);
  expect(stream.live).toBe(false);
  for (const { inputEnded, signal } of bedrock.streams)
    expect([inputEnded, signal.aborted]).toEqual([true, true]);
};

describe('a stream', () => {
  test('is live from the first answer on, which is not waited for any longer', async () => {
    const { clock, log, stream } = await opened();
    expect(stream.live).toBe(true);
    expect(stream.expiresAt).toBe(5);
    expect(log).toEqual(['sent one', 'opened after 70', expect.stringContaining('usageEvent')]);
    expect(clock.pending).toBe(0);
    clock.advance(3_600_000);
    expect(log).toHaveLength(3);
  });

  test.each<[string, (rig: Awaited<ReturnType<typeof opened>>) => unknown, string]>([
    ['the service ends it', ({ peer }) => peer.end(), 'ended connection'],
    [
      'the connection breaks',
      ({ peer }) => peer.break(Object.assign(new Error('reset'), { code: 'ECONNRESET' })),
      'ended connection',
    ],
    ['it is closed', ({ stream }) => void stream.close(), 'ended as asked'],
    [
      'an exception comes as an event',
      ({ peer }) => {
        const name = 'throttlingException';
        peer.except(name, Object.assign(new Error('Too many'), { name: 'ThrottlingException' }));
      },
      'ended throttled',
    ],
  ])('of which nothing is left once %s', async (_, end, expected) => {
    const rig = await opened();
    end(rig);
    await rig.stream.done;
    await settle();
    expect(rig.log.at(-1)).toBe(expected);
    expectNothingLeft(rig);
    rig.stream.write([event('late')]);
    expect(rig.stream.stalled(rig.clock.now() + 60_000)).toBeUndefined();
  });

  test('that is not answered has failed after 5 s, and is gone when its closing events had their time', async () => {
    const rig = open();
    rig.stream.write([event('one')]);
    await settle();
    rig.clock.advance(4_999);
    expect(rig.log).toEqual(['sent one']);
    rig.bedrock.endsItself = false;
    rig.clock.advance(1);
    expect(rig.log).toEqual(['sent one', 'ended no_response']);
    rig.clock.advance(2_000);
    await rig.stream.done;
    await settle();
    expect(rig.clock.pending).toBe(0);
    expect(rig.bedrock.stream(0).signal.aborted).toBe(true);
  });

  test('that was given up is over for its owner: what it still sends and is sent is told to nobody', async () => {
    const rig = await opened();
    rig.log.length = 0;
    rig.stream.fail(noResponse('it was slow', 1));
    rig.peer.tell(usage());
    await rig.stream.done;
    await settle();
    expect(rig.log).toEqual(['ended no_response']);
    expect(rig.peer.names).toEqual(['one', 'promptEnd', 'sessionEnd']);
    expectNothingLeft(rig);
  });

  test('that is closed ends without being cut, also where the service does not end it', async () => {
    const rig = open();
    rig.bedrock.endsItself = false;
    rig.stream.write([event('one')]);
    await settle();
    rig.bedrock.stream(0).tell(usage());
    await settle();
    let over = false;
    void rig.stream.close().then(() => {
      over = true;
    });
    await settle();
    rig.clock.advance(1_999);
    await settle();
    expect(over).toBe(false);
    rig.clock.advance(1);
    await settle();
    expect(over).toBe(true);
    expect(rig.log).not.toContain('cut');
    expectNothingLeft(rig);
  });

  test('that is closed while its credentials are resolved asks nothing of the service, and lets go of the client', async () => {
    let connect = (_: StreamClient) => {};
    const rig = open(
      () =>
        new Promise((resolve) => {
          connect = resolve;
        }),
    );
    await rig.stream.close();
    connect(rig.client);
    await settle();
    expect(rig.bedrock.streams).toHaveLength(0);
    expect(rig.log).toEqual(['ended as asked']);
    expectNothingLeft(rig);
  });

  test('is not live before the first answer, nor from the moment at which it closes', async () => {
    const rig = open();
    rig.stream.write([event('one')]);
    await settle();
    expect(rig.stream.live).toBe(false);
    rig.bedrock.endsItself = false;
    rig.bedrock.stream(0).tell(usage());
    await settle();
    expect(rig.stream.live).toBe(true);
    void rig.stream.close();
    expect(rig.stream.live).toBe(false);
    await settle();
    // Nothing is written after the closing events, which come once; and the input is over at once.
    rig.stream.write([event('late')]);
    void rig.stream.close();
    await settle();
    expect(rig.bedrock.stream(0).names).toEqual(['one', 'promptEnd', 'sessionEnd']);
    expect(rig.bedrock.stream(0).inputEnded).toBe(true);
    rig.clock.advance(2_000);
    await rig.stream.done;
  });

  test('that is closed before the first answer is not opened by it', async () => {
    const rig = open();
    rig.stream.write([event('one')]);
    await settle();
    rig.bedrock.endsItself = false;
    void rig.stream.close();
    rig.bedrock.stream(0).tell(usage());
    await settle();
    expect(rig.log.filter((line) => line.startsWith('opened'))).toEqual([]);
    rig.bedrock.stream(0).end();
    await rig.stream.done;
    expect(rig.log.at(-1)).toBe('ended as asked');
  });

  test('has stalled when a piece has waited for longer than it may, counted from the piece itself', async () => {
    const rig = open(() => new Promise(() => {}));
    const begun = rig.clock.now();
    // Without anything to be sent nothing waits.
    expect(rig.stream.stalled(begun + 60_000)).toBeUndefined();
    rig.clock.advance(3_000);
    rig.stream.write([event('one')]);
    rig.clock.advance(900);
    rig.stream.write([event('two')]);
    expect(rig.stream.stalled(begun + 4_000)).toBeUndefined();
    expect(rig.stream.stalled(begun + 4_001)).toBe(1_001);
    await rig.stream.close();
    expect(rig.stream.stalled(begun + 60_000)).toBeUndefined();
  });

  test('whose credentials cannot be resolved has failed, without a client to be let go', async () => {
    const error = Object.assign(new Error('no keys'), { name: 'CredentialsProviderError' });
    const rig = open(() => Promise.reject(error));
    await rig.stream.done;
    await settle();
    expect(rig.log).toEqual(['ended credentials']);
    expect(rig.clock.pending).toBe(0);
  });

  test('on which something comes that is not JSON goes on', async () => {
    const { log, peer, stream } = await opened();
    peer.raw('{"event":');
    // And what a later version of the SDK may give.
    peer.other({ somethingNew: { message: 'no error' } });
    peer.tell({ completionStart: {} });
    await settle();
    expect(log.slice(-2)).toEqual([
      '{"event":{"(not JSON)":{}}}',
      '{"event":{"completionStart":{}}}',
    ]);
    expect(stream.live).toBe(true);
  });
});
