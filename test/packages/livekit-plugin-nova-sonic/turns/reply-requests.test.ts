// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test } from '@jest/globals';
import { joined } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/answers.js';
import { ReplyRequestQueue } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/reply-requests.js';

let queue: ReplyRequestQueue;
const request = (id: string, now: number) => {
  queue.add(id, `${id}?`);
  queue.sent(id, now);
};

beforeEach(() => {
  queue = new ReplyRequestQueue(12_000);
});

describe('ReplyRequestQueue: one question is answered after the other', () => {
  test('a text that was typed while a tool ran is answered before the result, and after what was said', () => {
    queue.owesAnswer('speech', 10);
    request('a', 20);
    queue.owesAnswer('tool', 30);
    request('b', 40);
    expect([50, 60, 70, 80, 90].map((now) => queue.begin(now))).toEqual([
      undefined,
      'a',
      undefined,
      'b',
      undefined,
    ]);
  });

  test('the reply to an abandoned question is known by its place', () => {
    queue.owesAnswer('speech', 10);
    request('a', 20);
    queue.cancel('a', true);
    request('b', 30);
    expect(queue.takeAbandoned()).toBe(false);
    expect(queue.begin(40)).toBeUndefined();
    expect(queue.takeAbandoned()).toBe(true);
    expect(queue.begin(50)).toBe('b');
  });

  test('speech that goes on is one question; each result of a tool has its answer', () => {
    queue.owesAnswer('speech', 10);
    queue.owesAnswer('speech', 20);
    queue.owesAnswer('tool', 30);
    queue.owesAnswer('tool', 40);
    request('a', 50);
    expect([60, 70, 80, 90].map((now) => queue.begin(now))).toEqual([
      undefined,
      undefined,
      undefined,
      'a',
    ]);
  });

  test('a caller who speaks is answered together with what was asked before, not with a result that came later', () => {
    queue.owesAnswer('tool', 10);
    queue.owesAnswer('tool', 30);
    queue.callerSpoke(20);
    queue.owesAnswer('speech', 40);
    request('a', 50);
    expect([60, 70, 80].map((now) => queue.begin(now))).toEqual([undefined, undefined, 'a']);
  });

  test('the answer to speech is also for what was merged with it, of which it says what', () => {
    queue.owesAnswer('speech', 10, { said: ['one'] });
    queue.owesAnswer('tool', 20, { callIds: ['a'] });
    queue.callerSpoke(30);
    expect(queue.dueTo(40).map(({ to }) => to)).toEqual(['speech', 'tool']);
    queue.owesAnswer('tool', 50, { callIds: ['b'] });
    queue.owesAnswer('speech', 60, { said: ['two'] });
    expect(queue.dueTo(70)).toEqual([
      { to: 'tool', callIds: ['b'], said: [] },
      { to: 'speech', callIds: ['a'], said: ['one', 'two'] },
    ]);
    queue.restart();
    queue.askedAgain(80, joined(queue.lost));
    expect(queue.dueTo(90)).toEqual([{ to: 'text', callIds: ['b', 'a'], said: ['one', 'two'] }]);
    queue.callerSpoke(95);
    queue.spokeNoWords(false);
    queue.begin(100);
    expect(queue.dueTo(110)).toEqual([]);
  });

  test('what was lost is answered with the next words, unless the model has answered anything since its stream began', () => {
    const lose = () => {
      queue.owesAnswer('speech', 10, { said: ['one'] });
      queue.restart();
    };
    lose();
    queue.owesAnswer('speech', 20, { said: ['two'] });
    expect([queue.dueTo(30), queue.lost]).toEqual([
      [{ to: 'speech', callIds: [], said: ['one', 'two'] }],
      [],
    ]);
    queue.begin(40);
    lose();
    request('a', 50);
    queue.begin(60);
    queue.owesAnswer('speech', 70, { said: ['two'] });
    expect(queue.lost).toEqual([{ to: 'speech', callIds: [], said: ['one'] }]);
    queue.forgetLost();
    queue.begin(80);
    lose();
    request('b', 90);
    queue.cancel('b', true);
    queue.takeAbandoned();
    queue.owesAnswer('speech', 100, { said: ['two'] });
    expect(queue.lost).toHaveLength(1);
  });

  test('a text of ours asks for what was lost only where it says so', () => {
    queue.owesAnswer('speech', 10, { said: ['one'] });
    queue.owesAnswer('tool', 20, { callIds: ['a'] });
    queue.owesAnswer('tool', 30, { callIds: ['b'] });
    queue.restart();
    queue.owesAnswer('text', 40);
    expect(queue.lost).toHaveLength(3);
    queue.owesAnswer('text', 50, { callIds: ['a'] });
    expect(queue.lost.map(({ said, callIds }) => [...said, ...callIds])).toEqual([['one'], ['b']]);
    queue.askedAgain(60, joined(queue.lost));
    expect(queue.lost).toEqual([]);
    expect(queue.dueTo(70).at(-1)).toEqual({ to: 'text', callIds: ['b'], said: ['one'] });
  });

  test('a text that is sent while the caller speaks is not answered with what came before the speech', () => {
    queue.owesAnswer('tool', 10, { callIds: ['a'] });
    queue.callerSpoke(20);
    queue.owesAnswer('text', 30);
    queue.owesAnswer('speech', 40, { said: ['one'] });
    expect(queue.dueTo(50)).toEqual([
      { to: 'text', callIds: [], said: [] },
      { to: 'speech', callIds: ['a'], said: ['one'] },
    ]);
  });

  test('the rest of a reply is asked for again until the caller says something new', () => {
    queue.askedAgain(10, { callIds: [], said: ['one'], cut: 'reply' });
    queue.restart();
    expect(queue.lost).toEqual([{ to: 'text', callIds: [], said: ['one'], cut: 'reply' }]);
    queue.owesAnswer('speech', 20, { said: ['two'] });
    expect(queue.dueTo(30)).toEqual([{ to: 'speech', callIds: [], said: ['one', 'two'] }]);
    queue.spokeNoWords(true);
    expect(queue.lost).toMatchObject([{ cut: 'reply' }]);
  });

  test('what came before speech is due for as long as the caller speaks', () => {
    queue.owesAnswer('tool', 10, { callIds: ['a'] });
    queue.callerSpoke(20);
    expect(queue.dueTo(60_000)).toHaveLength(1);
  });

  test('what came before a sound without words has answers of its own, in their order', () => {
    request('a', 10);
    queue.cancel('a', true);
    queue.owesAnswer('tool', 20);
    request('b', 30);
    queue.callerSpoke(40);
    queue.release('b', 40);
    queue.owesAnswer('speech', 50);
    request('c', 60);
    expect(queue.dueTo(70).map(({ to }) => to)).toEqual(['speech']);
    queue.spokeNoWords(true);
    expect(queue.takeAbandoned()).toBe(true);
    expect(queue.dueTo(70).map(({ to }) => to)).toEqual(['tool', 'text']);
    expect([70, 80, 90].map((now) => queue.begin(now))).toEqual([undefined, undefined, 'c']);
  });

  test('what the model got first is answered first, whatever is known of it first', () => {
    queue.owesAnswer('tool', 30);
    request('a', 40);
    queue.owesAnswer('speech', 20);
    expect(queue.dueTo(50).map(({ to }) => to)).toEqual(['speech', 'tool']);
    expect([60, 70, 80].map((now) => queue.begin(now))).toEqual([undefined, undefined, 'a']);
  });

  test('a service that answers several questions at once leaves none waiting', () => {
    queue.owesAnswer('speech', 10);
    request('a', 20);
    queue.begin(1_000);
    expect(queue.silentSince(2_000, 5_999)).toEqual([]);
    expect(queue.silentSince(2_000, 6_000)).toEqual(['a']);
    request('b', 7_000);
    // Asked after the last reply: its answer may just be late.
    expect(queue.silentSince(7_000, 20_000)).toEqual([]);
    expect(queue.begin(21_000)).toBe('b');
  });

  test('a question of a lost stream is asked again with the first request', () => {
    queue.owesAnswer('speech', 10);
    request('a', 20);
    expect(queue.dueTo(30)).toEqual([{ to: 'speech', callIds: [], said: [] }]);
    expect(queue.dueTo(12_010)).toEqual([]);
    queue.restart();
    queue.repeat('said?');
    expect(queue.unsent).toEqual([{ id: 'a', text: 'said?\na?' }]);
    expect(queue.anyDue).toBe(false);
  });

  test('also when it is withdrawn before it is sent: the next request asks it, or it is asked alone', () => {
    queue.owesAnswer('speech', 10, { said: ['one'] });
    queue.add('a', 'a?');
    queue.restart();
    queue.repeat('said?');
    queue.cancel('a', false);
    expect(queue.unsent).toEqual([{ id: 'a-repeats', text: 'said?' }]);
    queue.add('b', 'b?');
    expect(queue.unsent).toEqual([{ id: 'b', text: 'said?\nb?' }]);
    queue.add('c', 'c?');
    queue.cancel('b', false);
    expect(queue.unsent).toEqual([{ id: 'c', text: 'said?\nc?' }]);
    queue.sent('c', 20);
    expect(queue.dueTo(30)).toEqual([{ to: 'text', callIds: [], said: ['one'] }]);
  });

  test('a question that was asked again with a request is answered although the request is withdrawn', () => {
    queue.owesAnswer('speech', 10, { said: ['one'] });
    request('a', 20);
    queue.restart();
    queue.repeat('said?');
    queue.sent('a', 30);
    queue.cancel('a', true);
    request('b', 40);
    expect(queue.dueTo(50)).toEqual([{ to: 'text', callIds: [], said: ['one'] }]);
    expect(queue.withdrawn).toEqual([]);
    expect(queue.takeAbandoned()).toBe(false);
    expect([60, 70].map((now) => queue.begin(now))).toEqual([undefined, 'b']);
  });

  test('a text whose asker went away while the caller spoke is answered like any other question', () => {
    request('a', 20);
    expect([queue.release('a', 10), queue.release('b', 10)]).toEqual([true, false]);
    expect(queue.dueTo(30)).toEqual([{ to: 'text', callIds: [], said: ['a'] }]);
    expect([queue.waiting, queue.sentWaiting, queue.anyDue]).toEqual([false, false, true]);
    expect(queue.begin(40)).toBeUndefined();
  });

  test('a request waits from the moment of asking, sent or not, until its reply begins or nobody wants it', () => {
    const states = () => [queue.waiting, queue.sentWaiting, queue.anyDue];
    expect(states()).toEqual([false, false, false]);
    queue.add('a', 'a?');
    expect(states()).toEqual([true, false, false]);
    queue.sent('a', 10);
    queue.sent('a', 11);
    expect(states()).toEqual([true, true, true]);
    queue.cancel('a', true);
    expect([...states(), queue.withdrawn]).toEqual([false, true, true, ['a']]);
    queue.callerSpoke(20);
    expect([...states(), queue.withdrawn]).toEqual([false, false, false, ['a']]);
    queue.cancel('a', true);
    queue.repeat('said?');
    expect(queue.unsent).toEqual([]);
  });

  test('a request without drop is forgotten: the next reply is for the next one', () => {
    request('a', 10);
    request('b', 20);
    queue.cancel('a', false);
    expect(queue.begin(30)).toBe('b');
  });
});
