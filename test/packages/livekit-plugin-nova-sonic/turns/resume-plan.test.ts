// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import type { HistoryEntry } from '../../../../packages/livekit-plugin-nova-sonic/src/history/entries.js';
import { planResume } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/resume-plan.js';

const user = (text: string): HistoryEntry => ({ kind: 'user', id: text, at: 0, text });
const agent = (text: string): HistoryEntry => ({
  kind: 'assistant',
  id: text,
  at: 0,
  text,
  interrupted: false,
});
const instruction = (text: string): HistoryEntry => ({
  kind: 'instruction',
  id: text,
  at: 0,
  text,
});
const called: HistoryEntry[] = [
  { kind: 'tool_call', id: 'c', at: 0, callId: '1', name: 'x', args: '{}' },
  { kind: 'tool_result', id: 'r', at: 0, callId: '1', name: 'x', output: '4', isError: false },
];

const result = (callId: string) => ({ to: 'tool', callIds: [callId], said: [] }) as const;
const speech = (...said: string[]) => ({ to: 'speech', callIds: [], said }) as const;

describe('planResume', () => {
  test('nothing is repeated when nothing is pending', () => {
    const history = [user('Hi.'), agent('Ho.'), user('Mm.')];
    expect(planResume(history, undefined, false)).toEqual({ history });
  });

  test('everything since the last answer is repeated, and leaves the history', () => {
    const history = [user('Hi.'), agent('Ho.'), user('And'), instruction('Be kind.'), user('now?')];
    expect(planResume(history, undefined, true)).toEqual({
      history: [user('Hi.'), agent('Ho.')],
      prompt: 'And\nBe kind.\nnow?',
      asks: { callIds: [], said: ['And', 'Be kind.', 'now?'] },
    });
  });

  test('empty text is not repeated', () => {
    const history = [user('Hi.'), agent('Ho.'), user('  ')];
    expect(planResume(history, undefined, true)).toEqual({ history });
  });

  test('with a tool result the history stays whole: only the answer is requested', () => {
    const history = [user('Look it up.'), ...called];
    const { prompt: ask, ...rest } = planResume(history, undefined, true);
    expect(rest).toEqual({ history, asks: { callIds: ['1'], said: [] } });
    expect(ask).toContain('answer the question that it was called for');
  });

  test('an answer that is still due is asked for, whatever was said since', () => {
    const history = [user('Look it up.'), ...called, user('And?'), agent('Later.')];
    expect(planResume(history, undefined, true, [result('1'), speech('And?')])).toEqual({
      history: [user('Look it up.'), ...called, agent('Later.')],
      prompt: expect.stringMatching(/^\[.* tool .* has returned .*\]\nAnd\?$/),
      asks: { callIds: ['1'], said: ['And?'] },
    });
    const cut = { messageId: 'Later.', interrupted: false, audioMs: 400 };
    expect(planResume(history, cut, true, [speech('And?')]).prompt).toMatch(/"Later\.".*\nAnd\?$/);
  });

  test('of two tools whose answers are both due, both are asked for', () => {
    const call = (n: number, question: string): HistoryEntry[] => [
      { kind: 'tool_call', id: `c${n}`, at: 0, callId: `${n}`, name: 'x', args: question },
      { ...(called[1] as HistoryEntry), id: `r${n}`, callId: `${n}` } as HistoryEntry,
    ];
    const history = [user('One?'), ...call(1, 'one'), user('Two?'), ...call(2, 'two')];
    const { prompt } = planResume(history, undefined, true, [result('1'), result('2')]);
    expect(prompt).toMatch(/returned for one:.*\n.*returned for two:/);
    // Whichever was called last.
    for (const [callId, other] of [
      ['1', 'two'],
      ['2', 'one'],
    ] as const)
      expect(planResume(history, undefined, true, [result(callId)]).prompt).not.toContain(other);
  });

  test('what was said and has no answer is asked again, whatever the model answered since', () => {
    const history = [user('One?'), user('Two?'), agent('To one.'), user('Three?')];
    expect(planResume(history, undefined, true, [speech('Two?', 'Three?')])).toEqual({
      history: [user('One?'), agent('To one.')],
      prompt: 'Two?\nThree?',
      asks: { callIds: [], said: ['Two?', 'Three?'] },
    });
  });

  test('what a tool still runs for is not asked again', () => {
    const history = [user('Look it up.'), called[0] as HistoryEntry];
    expect(planResume(history, undefined, true)).toEqual({ history });
  });

  test('a partly played reply is finished', () => {
    const history = [user('Tell me.'), agent('A story.')];
    const cut = { messageId: 'A story.', interrupted: false, audioMs: 400 };
    const { prompt: ask, ...rest } = planResume(history, cut, false);
    const asks = { callIds: [], said: [], cut: 'A story.' };
    expect(rest).toEqual({ history, asks });
    expect(ask).toContain('"A story."');
    // Also when the stream that was asked for it is lost, too.
    const due = [{ to: 'text', ...asks }] as const;
    expect(planResume(history, undefined, true, due).prompt).toBe(ask);
    const unheard = { messageId: 'gone', interrupted: false, audioMs: 0 };
    expect(planResume(history, unheard, true, due).prompt).toBe(ask);
  });

  test('a reply that the caller had interrupted is not finished', () => {
    const history = [user('Tell me.'), agent('A story.')];
    const cut = { messageId: 'A story.', interrupted: true, audioMs: 400 };
    expect(planResume(history, cut, false)).toEqual({ history });
  });

  test('a reply without audio is generated again', () => {
    const cut = { messageId: 'gone', interrupted: false, audioMs: 0 };
    expect(planResume([user('Tell me.')], cut, false)).toEqual({
      history: [],
      prompt: 'Tell me.',
      asks: { callIds: [], said: ['Tell me.'] },
    });
  });
});
