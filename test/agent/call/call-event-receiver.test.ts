// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { CallEventReceiver } from '../../../agent/src/call/call-event-receiver.js';

function setUp() {
  const delivered: unknown[] = [];
  const requested: number[] = [];
  const receiver = new CallEventReceiver(
    (event, at) => delivered.push([event.type === 'ended' && event.reason, at]),
    (seq) => requested.push(seq),
  );
  const receive = (seq: unknown, reason: string, run?: unknown) =>
    receiver.receive(JSON.stringify({ type: 'ended', at: 1, seq, run, reason }), 7);
  return { receiver, receive, delivered, requested };
}

describe('CallEventReceiver', () => {
  it('delivers events that overtook each other in their order, with the time of their arrival', () => {
    const { receive, delivered } = setUp();
    receive(1, 'b');
    receive(0, 'a');
    expect(delivered).toEqual([
      ['a', 7],
      ['b', 7],
    ]);
  });

  it('asks for what is missing', () => {
    const { receiver, receive, requested } = setUp();
    receive(1, 'b');
    receiver.tick(1_000);
    expect(requested).toEqual([0]);
    receive(0, 'a');
    receiver.catchUp();
    expect(requested).toEqual([0, 2]);
  });

  it('follows the call into its next process, and no more hears the one before', () => {
    const { receive, delivered } = setUp();
    receive(0, 'a');
    receive(2, 'c');
    receive(0, 'next', 1);
    receive(1, 'b');
    expect(delivered.map((one) => (one as unknown[])[0])).toEqual(['a', 'c', 'next']);
  });

  it('does not wait for what an agent that has left cannot send again', () => {
    const { receiver, receive, delivered } = setUp();
    receive(1, 'b');
    receiver.end();
    expect(delivered).toEqual([['b', 7]]);
  });

  it.each([undefined, null, '0', -1, 0.5, 2 ** 60])(
    'is not brought out of step by the number %p of anybody in the room',
    (seq) => {
      const { receiver, receive, delivered, requested } = setUp();
      receive(seq, 'stranger');
      receive(0, 'stranger', seq ?? 'x');
      receiver.receive('{');
      receive(0, 'a');
      receiver.tick(1_000);
      expect(delivered).toEqual([['a', 7]]);
      expect(requested).toEqual([]);
    },
  );
});
