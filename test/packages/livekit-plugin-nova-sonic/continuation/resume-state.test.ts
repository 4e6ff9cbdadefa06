// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test } from '@jest/globals';
import { ResumeState } from '../../../../packages/livekit-plugin-nova-sonic/src/continuation/resume-state.js';
import type { HistoryEntry } from '../../../../packages/livekit-plugin-nova-sonic/src/history/entries.js';

const user = (text: string): HistoryEntry => ({ kind: 'user', id: text, at: 0, text });
const filtered = { kind: 'content_filtered' } as const;

let handover: ResumeState;
beforeEach(() => {
  handover = new ResumeState({ maxBytes: 40_000, maxTextBytes: 1_000 });
});

describe('Handover', () => {
  test('a plan is kept until a stream is up, its question until the answer begins', () => {
    handover.save({ history: [], prompt: 'What?', audioFrom: 5 });
    expect(handover.plan?.audioFrom).toBe(5);
    handover.streamOpened({ orphanedToolResultsSent: 0 });
    expect(handover.plan).toBeUndefined();
    expect(handover.pendingPrompt).toBe('What?');
    handover.replyStarted();
    expect(handover.pendingPrompt).toBeUndefined();
  });

  test('of a plan that reached no stream, question and audio are kept', () => {
    handover.save({ history: [user('Hi.')], prompt: 'What?', audioFrom: 5 });
    handover.save({ history: [], audioFrom: 9 });
    expect(handover.plan).toEqual({ history: [], prompt: 'What?', audioFrom: 5 });
    expect(handover.pendingPrompt).toBe('What?');
    handover.save({ history: [], prompt: 'And?', audioFrom: 9 });
    expect(handover.pendingPrompt).toBe('And?');
  });

  test('a history that is too long is halved each time', () => {
    handover.degradeAfter({ kind: 'history_too_long' }, 0);
    expect(handover.limits).toEqual({ maxBytes: 20_000, maxTextBytes: 1_000 });
    handover.degradeAfter({ kind: 'history_too_long' }, 0);
    expect(handover.limits.maxBytes).toBe(10_000);
  });

  test('the content filter does not meet the last exchange again', () => {
    const history = [user('Fine.'), user('Bad words.')];
    handover.save({ history, audioFrom: 1 });
    expect(handover.degradeAfter(filtered, 50)).toBe(true);
    expect(handover.plan).toEqual({ history: [user('Fine.')], audioFrom: 50 });
  });

  test('the content filter does not meet the question again, which is no history yet', () => {
    handover.save({ history: [user('Fine.')], prompt: 'Bad words.', audioFrom: 1 });
    handover.degradeAfter(filtered, 50);
    expect(handover.plan).toEqual({ history: [user('Fine.')], audioFrom: 50 });
    expect(handover.pendingPrompt).toBeUndefined();
  });

  test('the third time in a row that the filter stops it is the last', () => {
    const stopped = () => {
      handover.save({ history: [], audioFrom: 0 });
      return handover.degradeAfter(filtered, 0);
    };
    expect([stopped(), stopped()]).toEqual([true, true]);
    handover.replyCompleted();
    expect([stopped(), stopped(), stopped()]).toEqual([true, true, false]);
  });

  test('other failures change nothing', () => {
    handover.save({ history: [user('Hi.')], prompt: 'What?', audioFrom: 1 });
    expect(handover.degradeAfter({ kind: 'connection' }, 50)).toBe(true);
    expect(handover.plan).toEqual({ history: [user('Hi.')], prompt: 'What?', audioFrom: 1 });
    expect(handover.limits.maxBytes).toBe(40_000);
  });

  test('results of tools are told to each stream once, until one is up', () => {
    const [first, second] = [{ orphanedToolResultsSent: 0 }, { orphanedToolResultsSent: 0 }];
    handover.addOrphanedToolResult('one');
    handover.addOrphanedToolResult('two');
    expect(handover.takeOrphanedToolResults(first)).toBe('one\ntwo');
    expect(handover.takeOrphanedToolResults(first)).toBeUndefined();
    handover.addOrphanedToolResult('three');
    expect(handover.takeOrphanedToolResults(second)).toBe('one\ntwo\nthree');
    handover.streamOpened(second);
    handover.addOrphanedToolResult('four');
    expect(handover.takeOrphanedToolResults(second)).toBe('four');
  });
});
