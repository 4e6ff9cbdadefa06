// SPDX-License-Identifier: Apache-2.0
// What ends, and what must not go on after it: the call, a renewal, an outage, a row of failures.
import { describe, expect, test } from '@jest/globals';
import { settle } from '../../../support/manual-clock.js';
import { beginContinuation, rigContinuation } from '../support/fake-streams.js';
import * as serverEvents from '../support/server-events.js';

const CLOSED = ['contentEnd', 'promptEnd', 'sessionEnd'];
type Rig = ReturnType<typeof beginContinuation>;

const question = (words = 'Hi.') => [
  serverEvents.speechStart(),
  serverEvents.speechEnd(),
  ...serverEvents.userText(words),
];
const converse = (rig: Rig, index: number) =>
  rig.stream(index).say(...question(), ...serverEvents.reply('Ho.', 80));

describe('the end of a call', () => {
  test('while the next attempt waits: it is not made', async () => {
    const rig = beginContinuation();
    rig.stream(0).break('throttled');
    expect(rig.clock.pending).toBeGreaterThan(1);
    await rig.continuation.close();
    expect(rig.clock.pending).toBe(0);
    expect(rig.streams).toHaveLength(1);
  });

  test('during a renewal: both streams are ended in order, and who asked for it waits no longer', async () => {
    const rig = beginContinuation();
    let moved = false;
    void rig.continuation.renew('asked').then(() => {
      moved = true;
    });
    rig.clock.advance(100);
    expect(rig.streams).toHaveLength(2);
    await rig.continuation.close();
    for (const stream of rig.streams) expect(stream.names.slice(-3)).toEqual(CLOSED);
    expect(rig.clock.pending).toBe(0);
    await settle();
    expect(moved).toBe(true);
    expect(rig.types()).not.toContain('renewed');
  });

  test('waits until nothing is left of any of its streams, also of one that failed', async () => {
    const rig = beginContinuation({ regions: ['us-east-1', 'us-west-2'] });
    let gone = () => {};
    const done = new Promise<void>((resolve) => {
      gone = resolve;
    });
    Object.defineProperty(rig.stream(0), 'done', { value: done });
    rig.stream(0).break();
    rig.clock.advance(1_000);
    rig.stream(1).open();
    let over = false;
    const closed = rig.continuation.close().then(() => {
      over = true;
    });
    await settle();
    expect(rig.stream(1).ended).toBe(true);
    expect(over).toBe(false);
    gone();
    await closed;
  });

  test.each<[string, (rig: Rig) => void]>([
    ['audio', (rig) => rig.hear(100)],
    ['a request', (rig) => rig.continuation.sendRequests()],
    ['a tool’s result', (rig) => rig.continuation.toolResult('use-1', '{}', 'note')],
    ['a renewal', (rig) => void rig.continuation.renew('late')],
    ['a renewal at once', (rig) => void rig.continuation.renew('late', { immediately: true })],
    ['a start', (rig) => rig.continuation.start()],
  ])('is the end: %s after it is ignored', async (_, act) => {
    const rig = beginContinuation();
    rig.stream(0).say(...serverEvents.toolUse('x', {}, 'use-1'));
    await rig.continuation.close();
    const written = rig.stream(0).written.length;
    act(rig);
    rig.clock.advance(60_000);
    expect(rig.stream(0).written).toHaveLength(written);
    expect(rig.streams).toHaveLength(1);
    expect(rig.clock.pending).toBe(0);
    expect(rig.continuation.live).toBe(false);
  });

  test('a session that is closed by whoever hears that its stream opens leaves none open', async () => {
    const rig = rigContinuation();
    const { lifecycle } = rig.host;
    rig.host.lifecycle = (event) => {
      lifecycle(event);
      if (event.type === 'opening') void rig.continuation.close();
    };
    rig.continuation.start();
    await settle();
    expect(rig.streams.map(({ ended }) => ended)).toEqual([true]);
    rig.clock.advance(60_000);
    expect(rig.clock.pending).toBe(0);
  });

  test('the same when it is the next stream that opens', async () => {
    const rig = beginContinuation({ renewAfterMs: 10_000 });
    rig.host.lifecycle = (event) => {
      if (event.type === 'opening') void rig.continuation.close();
    };
    rig.hear(10_100);
    await settle();
    expect(rig.streams.map(({ ended }) => ended)).toEqual([true, true]);
    expect(rig.clock.pending).toBe(0);
  });

  test('a session that is closed by whoever hears of a failure does not try again', () => {
    const rig = beginContinuation();
    rig.host.failed = () => void rig.continuation.close();
    rig.stream(0).break();
    rig.clock.advance(60_000);
    expect(rig.streams).toHaveLength(1);
    expect(rig.clock.pending).toBe(0);
  });
});

describe('a move at once', () => {
  test('is one move, and needs no stream that was opened for another reason', async () => {
    const rig = beginContinuation({ renewAfterMs: 10_000 });
    rig.hear(10_100);
    expect(rig.streams).toHaveLength(2);
    let moved = false;
    void rig.continuation.renew('now', { immediately: true }).then(() => {
      moved = true;
    });
    expect(rig.streams).toHaveLength(3);
    expect(rig.streams.map(({ ended }) => ended)).toEqual([true, true, false]);
    await settle();
    expect(moved).toBe(false);
    rig.stream(2).open();
    await settle();
    expect(moved).toBe(true);
    expect(rig.reconnected).toBe(1);
    rig.hear(5_000);
    expect(rig.streams).toHaveLength(3);
    expect(rig.failures).toEqual([]);
  });

  test('what the stream that was left still says is not heard', () => {
    const rig = beginContinuation();
    void rig.continuation.renew('now', { immediately: true });
    rig.effects.length = 0;
    converse(rig, 0);
    expect(rig.effects).toEqual([]);
    rig.stream(1).open();
    converse(rig, 1);
    expect(rig.effects.map(({ type }) => type)).toContain('generation_opened');
  });
});

describe('what a failure leaves', () => {
  test('ends with the next stream that is up: an outage later is another one', () => {
    const rig = beginContinuation();
    for (let i = 0; i < 3; i += 1) {
      rig.stream(i).break();
      rig.clock.advance(1_000);
      rig.stream(i + 1).open();
      rig.hear(25_000);
    }
    rig.stream(3).break();
    expect(rig.failures.map(({ recoverable }) => recoverable)).toEqual([true, true, true, true]);
  });

  test('the audio that it replays is replayed once', () => {
    const rig = beginContinuation();
    rig.hear(2_000, true);
    const before = rig.lastSample;
    rig.stream(0).break();
    rig.clock.advance(1_000);
    rig.stream(1).open();
    expect(rig.stream(1).audio).toContain(before);
    converse(rig, 1);
    rig.hear(5_000);
    rig.stream(1).break();
    rig.clock.advance(1_000);
    expect(rig.stream(2).audio).toContain(rig.lastSample);
    expect(rig.stream(2).audio).not.toContain(before);
  });

  test('a row of failures ends with a reply that was heard to its end', () => {
    const rig = beginContinuation();
    for (let i = 0; i < 12; i += 1) {
      converse(rig, i);
      rig.hear(3_000);
      rig.stream(i).break();
      for (let wait = 0; rig.streams.length === i + 1 && wait < 100; wait += 1)
        rig.clock.advance(100);
      rig.stream(i + 1).open();
    }
    expect(rig.failures).toHaveLength(12);
    expect(rig.failures.every(({ recoverable }) => recoverable)).toBe(true);
  });

  test('so do the stops by the content filter', () => {
    const rig = beginContinuation();
    for (let i = 0; i < 4; i += 1) {
      converse(rig, i);
      rig.hear(3_000);
      rig.stream(i).break('content_filtered');
      rig.clock.advance(3_000);
      rig.stream(i + 1).open();
    }
    expect(rig.failures).toEqual(
      Array.from({ length: 4 }, () => ({ kind: 'content_filtered', recoverable: true })),
    );
  });

  test('a suspicion whose stream cannot be opened is not raised again at once', () => {
    const rig = beginContinuation();
    rig.hear(2_000, true);
    rig.hear(4_500);
    expect(rig.streams).toHaveLength(2);
    rig.stream(1).break('throttled');
    rig.hear(200);
    expect(rig.streams).toHaveLength(2);
    rig.hear(3_000);
    expect(rig.streams).toHaveLength(3);
  });
});

describe('what shows that a stream is used and hears', () => {
  test('words on it, so that it is not replaced as unused', () => {
    const rig = beginContinuation({ renewAfterMs: 400_000 });
    rig.clock.advance(200_000);
    converse(rig, 0);
    rig.clock.advance(200_000);
    expect(rig.lifecycle.filter(({ reason }) => reason === 'unused')).toEqual([]);
  });

  test('what was said before it was up is not missed: it gets that, and may take its time', () => {
    const rig = rigContinuation();
    rig.continuation.start();
    rig.hear(2_000, true);
    rig.hear(1_000);
    rig.stream(0).open();
    rig.hear(8_000);
    expect(rig.streams).toHaveLength(1);
  });
});
