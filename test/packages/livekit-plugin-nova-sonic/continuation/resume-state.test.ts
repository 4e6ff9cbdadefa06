// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test } from '@jest/globals';
import { Handover } from '../../../../packages/livekit-plugin-nova-sonic/src/continuation/resume-state.js';
import type { HistoryEntry } from '../../../../packages/livekit-plugin-nova-sonic/src/history/chat-context.js';

const user = (text: string): HistoryEntry => ({ kind: 'user', id: text, at: 0, text });
const filtered = { kind: 'content_filtered' } as const;

let handover: Handover;
beforeEach(() => {
  handover = new Handover({ maxBytes: 40_000, maxTextBytes: 1_000 });
});

describe('Handover', () => {
  test('a plan is kept until a stream is up, its question until the answer begins', () => {
    handover.remember({ history: [], ask: 'What?', audioFrom: 5 });
    expect(handover.plan?.audioFrom).toBe(5);
    handover.reached({ notesSent: 0 });
    expect(handover.plan).toBeUndefined();
    expect(handover.ask).toBe('What?');
    handover.answered();
    expect(handover.ask).toBeUndefined();
  });

  test('of a plan that reached no stream, question and audio are kept', () => {
    handover.remember({ history: [user('Hi.')], ask: 'What?', audioFrom: 5 });
    handover.remember({ history: [], audioFrom: 9 });
    expect(handover.plan).toEqual({ history: [], ask: 'What?', audioFrom: 5 });
    expect(handover.ask).toBe('What?');
    handover.remember({ history: [], ask: 'And?', audioFrom: 9 });
    expect(handover.ask).toBe('And?');
  });

  test('a history that is too long is halved each time', () => {
    handover.adapt({ kind: 'history_too_long' }, 0);
    expect(handover.limits).toEqual({ maxBytes: 20_000, maxTextBytes: 1_000 });
    handover.adapt({ kind: 'history_too_long' }, 0);
    expect(handover.limits.maxBytes).toBe(10_000);
  });

  test('the content filter does not meet the last exchange again', () => {
    const history = [user('Fine.'), user('Bad words.')];
    handover.remember({ history, audioFrom: 1 });
    expect(handover.adapt(filtered, 50)).toBe(true);
    expect(handover.plan).toEqual({ history: [user('Fine.')], audioFrom: 50 });
  });

  test('the content filter does not meet the question again, which is no history yet', () => {
    handover.remember({ history: [user('Fine.')], ask: 'Bad words.', audioFrom: 1 });
    handover.adapt(filtered, 50);
    expect(handover.plan).toEqual({ history: [user('Fine.')], audioFrom: 50 });
    expect(handover.ask).toBeUndefined();
  });

  test('the third time in a row that the filter stops it is the last', () => {
    const stopped = () => {
      handover.remember({ history: [], audioFrom: 0 });
      return handover.adapt(filtered, 0);
    };
    expect([stopped(), stopped()]).toEqual([true, true]);
    handover.healthy();
    expect([stopped(), stopped(), stopped()]).toEqual([true, true, false]);
  });

  test('other failures change nothing', () => {
    handover.remember({ history: [user('Hi.')], ask: 'What?', audioFrom: 1 });
    expect(handover.adapt({ kind: 'connection' }, 50)).toBe(true);
    expect(handover.plan).toEqual({ history: [user('Hi.')], ask: 'What?', audioFrom: 1 });
    expect(handover.limits.maxBytes).toBe(40_000);
  });

  test('results of tools are told to each stream once, until one is up', () => {
    const [first, second] = [{ notesSent: 0 }, { notesSent: 0 }];
    handover.note('one');
    handover.note('two');
    expect(handover.takeNotes(first)).toBe('one\ntwo');
    expect(handover.takeNotes(first)).toBeUndefined();
    handover.note('three');
    expect(handover.takeNotes(second)).toBe('one\ntwo\nthree');
    handover.reached(second);
    handover.note('four');
    expect(handover.takeNotes(second)).toBe('four');
  });
});
