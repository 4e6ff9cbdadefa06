// SPDX-License-Identifier: Apache-2.0

import type { CallEvent } from '../../../../agent/src/call/call-events.js';
import {
  type Line,
  said,
  settled,
  toolEnded,
  toolStarted,
  typed,
} from '../../../../local/playground/state/transcript.js';

type Message = Extract<CallEvent, { type: 'message' }>;

const words = (who: 'you' | 'agent', id: string, text: string, at: number, done = false) => ({
  who,
  id,
  text,
  at,
  done,
});
const message = (role: Message['role'], text: string, interrupted = false): Message => ({
  type: 'message',
  at: 9,
  role,
  text,
  interrupted,
});
const shown = (lines: readonly Line[]) =>
  lines.map((line) =>
    line.kind === 'tool'
      ? line.name
      : `${line.who}: ${line.text}${line.unsaid && ` (${line.unsaid})`}`,
  );

describe('captions', () => {
  it('grow while somebody speaks, and keep their place', () => {
    let lines = said([], words('agent', 'a', 'Hello', 1));
    lines = said(lines, words('you', 'b', 'Hi', 2, true));
    lines = said(lines, words('agent', 'a', 'Hello there.', 3, true));
    expect(shown(lines)).toEqual(['agent: Hello there.', 'you: Hi']);
    expect(lines[0]).toMatchObject({ at: 1, done: true, settled: false });
  });

  it('ignore segments without a word', () => {
    expect(said([], words('agent', 'a', '  ', 1))).toEqual([]);
  });

  it('are settled by the message of the history, once', () => {
    let lines = said([], words('agent', 'a', 'Hello  there', 1, true));
    lines = settled(lines, message('assistant', 'Hello there.'), 2);
    // Late words of the transcription change nothing.
    lines = said(lines, words('agent', 'a', 'Hello there. More', 3));
    expect(shown(lines)).toEqual(['agent: Hello there.']);
    expect(lines[0]).toMatchObject({ settled: true, interrupted: false });
  });

  it('mark what was interrupted, and the words that were shown but never said', () => {
    let lines = said([], words('agent', 'a', 'The sea covers most of our planet', 1));
    lines = settled(lines, message('assistant', 'The sea covers', true), 2);
    expect(shown(lines)).toEqual(['agent: The sea covers (most of our planet)']);
    expect(lines[0]).toMatchObject({ interrupted: true });
  });

  it('settle an interrupted reply of which nothing is in the history', () => {
    let lines = said([], words('agent', 'a', 'The sea', 1));
    lines = settled(lines, message('assistant', '', true), 2);
    expect(shown(lines)).toEqual(['agent:  (The sea)']);
  });

  it('match messages to captions by their words, not by their order', () => {
    let lines = said([], words('agent', 'a', 'One moment.', 1, true));
    lines = said(lines, words('agent', 'b', 'It is noon.', 2, true));
    lines = settled(lines, message('assistant', 'It is noon.'), 3);
    expect(lines.map((line) => line.kind === 'caption' && line.settled)).toEqual([false, true]);
  });

  it('show a message that no transcription brought', () => {
    const lines = settled([], message('assistant', 'Good bye.'), 5);
    expect(shown(lines)).toEqual(['agent: Good bye.']);
  });

  it('are shown once when the history comes sooner than the words', () => {
    let lines = settled([], message('user', 'What time is it?'), 5);
    lines = said(lines, words('you', 'a', 'What time', 6));
    lines = said(lines, words('you', 'a', 'What time is it?', 7, true));
    expect(shown(lines)).toEqual(['you: What time is it?']);
    // The same words a second time are another caption.
    lines = said(lines, words('you', 'b', 'What time is it?', 8, true));
    expect(lines).toHaveLength(2);
  });

  it('show typed text at once, and not again when it enters the history', () => {
    let lines = typed([], { id: 't', text: 'How far is it?', at: 1 });
    lines = settled(lines, message('user', 'How far is it?'), 2);
    expect(shown(lines)).toEqual(['you: How far is it?']);
    expect(lines[0]).toMatchObject({ typed: true, settled: true });
  });

  const call = { callId: 'c1', name: 'clock', args: '{"city":"Rome"}' };
  const ended = { ...call, type: 'tool', at: 40, result: '{}', isError: false, ms: 10 } as const;

  it('show a tool while it runs, then what it gave, above what was said meanwhile', () => {
    let lines = said([], words('you', 'a', 'What time is it?', 20, true));
    lines = toolStarted(lines, { type: 'tool_started', at: 30, ...call }, 30);
    expect(lines[1]).toMatchObject({ name: 'clock', args: '{"city":"Rome"}', at: 30 });
    expect(lines[1]).not.toHaveProperty('end');
    lines = said(lines, words('agent', 'b', 'One moment.', 35));
    lines = toolEnded(lines, ended, 40);
    expect(shown(lines)).toEqual(['you: What time is it?', 'clock', 'agent: One moment.']);
    expect(lines[1]).toMatchObject({ at: 30, end: { result: '{}', isError: false, ms: 10 } });
  });

  it('keep two calls of one tool apart', () => {
    let lines: readonly Line[] = [];
    for (const callId of ['c1', 'c2'])
      lines = toolStarted(lines, { type: 'tool_started', at: 30, ...call, callId }, 30);
    lines = toolEnded(lines, { ...ended, callId: 'c2', isError: true }, 40);
    expect(lines.map((line) => line.kind === 'tool' && line.end?.isError)).toEqual([
      undefined,
      true,
    ]);
  });

  it('show a tool whose beginning was missed', () => {
    const lines = toolEnded([], ended, 40);
    expect(lines).toMatchObject([{ name: 'clock', at: 30, end: { ms: 10 } }]);
  });
});
