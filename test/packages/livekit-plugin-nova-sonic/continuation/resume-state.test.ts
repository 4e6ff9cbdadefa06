// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test } from '@jest/globals';
import { ResumeState } from '../../../../packages/livekit-plugin-nova-sonic/src/continuation/resume-state.js';
import type { HistoryEntry } from '../../../../packages/livekit-plugin-nova-sonic/src/history/entries.js';

const user = (text: string): HistoryEntry => ({ kind: 'user', id: text, at: 0, text });
const filtered = { kind: 'content_filtered' } as const;

let resume: ResumeState;
beforeEach(() => {
  resume = new ResumeState({ maxBytes: 40_000, maxTextBytes: 1_000 });
});

describe('ResumeState', () => {
  test('a plan is kept until a stream is up', () => {
    resume.save({ history: [], prompt: 'What?', audioFrom: 5 });
    expect(resume.plan?.audioFrom).toBe(5);
    resume.streamOpened({ orphanedToolResultsSent: 0 });
    expect(resume.plan).toBeUndefined();
  });

  test('the audio of a plan that reached no stream is kept, its question is the later one', () => {
    resume.save({ history: [user('Hi.')], prompt: 'What?', audioFrom: 5 });
    resume.save({ history: [], prompt: 'What?\nAnd?', audioFrom: 9 });
    expect(resume.plan).toEqual({ history: [], prompt: 'What?\nAnd?', audioFrom: 5 });
    resume.save({ history: [], audioFrom: 3 });
    expect(resume.plan).toEqual({ history: [], audioFrom: 3 });
  });

  test('a history that is too long is halved each time', () => {
    resume.degradeAfter({ kind: 'history_too_long' }, 0);
    expect(resume.limits).toEqual({ maxBytes: 20_000, maxTextBytes: 1_000 });
    resume.degradeAfter({ kind: 'history_too_long' }, 0);
    expect(resume.limits.maxBytes).toBe(10_000);
  });

  test('the content filter does not meet the last exchange again', () => {
    const history = [user('Fine.'), user('Bad words.')];
    resume.save({ history, audioFrom: 1 });
    expect(resume.degradeAfter(filtered, 50)).toBe(true);
    expect(resume.plan).toEqual({ history: [user('Fine.')], audioFrom: 50 });
  });

  test('the content filter does not meet the question again, which is no history yet', () => {
    resume.save({ history: [user('Fine.')], prompt: 'Bad words.', audioFrom: 1 });
    resume.degradeAfter(filtered, 50);
    expect(resume.plan).toEqual({ history: [user('Fine.')], audioFrom: 50 });
  });

  test('the third time in a row that the filter stops it is the last', () => {
    const stopped = () => {
      resume.save({ history: [], audioFrom: 0 });
      return resume.degradeAfter(filtered, 0);
    };
    expect([stopped(), stopped()]).toEqual([true, true]);
    resume.replyCompleted();
    expect([stopped(), stopped(), stopped()]).toEqual([true, true, false]);
  });

  test('other failures leave the plan unchanged', () => {
    resume.save({ history: [user('Hi.')], prompt: 'What?', audioFrom: 1 });
    expect(resume.degradeAfter({ kind: 'connection' }, 50)).toBe(true);
    expect(resume.plan).toEqual({ history: [user('Hi.')], prompt: 'What?', audioFrom: 1 });
    expect(resume.limits.maxBytes).toBe(40_000);
  });

  test('tool results are sent once on each stream, until one is up', () => {
    const [first, second] = [{ orphanedToolResultsSent: 0 }, { orphanedToolResultsSent: 0 }];
    resume.addOrphanedToolResult('use-1', 'one');
    resume.addOrphanedToolResult('use-2', 'two');
    expect(resume.takeOrphanedToolResults(first)).toBe('one\ntwo');
    expect(resume.takeOrphanedToolResults(first)).toBeUndefined();
    resume.addOrphanedToolResult('use-3', 'three');
    expect(resume.takeOrphanedToolResults(second)).toBe('one\ntwo\nthree');
    expect([...resume.orphanedCalls]).toEqual(['use-1', 'use-2', 'use-3']);
    resume.streamOpened(second);
    expect([...resume.orphanedCalls]).toEqual([]);
    resume.addOrphanedToolResult('use-4', 'four');
    expect(resume.takeOrphanedToolResults(second)).toBe('four');
  });

  test('results for one question are sent together, and known before that', () => {
    const stream = { orphanedToolResultsSent: 0 };
    resume.addOrphanedToolResult('use-1', 'one', 1, false);
    resume.addOrphanedToolResult('use-2', 'two', 2, false);
    expect(resume.takeOrphanedToolResults(stream)).toBeUndefined();
    expect([...resume.orphanedCalls]).toEqual(['use-1', 'use-2']);
    resume.addOrphanedToolResult('use-3', 'three', 1, true);
    expect(resume.takeOrphanedToolResults(stream)).toBe('one\nthree');
  });
});
