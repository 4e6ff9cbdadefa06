// SPDX-License-Identifier: Apache-2.0

import type { CallEvent } from '../../../../agent/src/call/call-events.js';
import {
  addToolCall,
  addTyped,
  completeToolCall,
  finalizeMessage,
  type TranscriptItem,
  updateTranscription,
} from '../../../../local/playground/state/transcript.js';

type Message = Extract<CallEvent, { type: 'message' }>;

const segment = (who: 'you' | 'agent', id: string, text: string, at: number, done = false) => ({
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
const shown = (items: readonly TranscriptItem[]) =>
  items.map((item) =>
    item.kind === 'tool'
      ? item.name
      : `${item.who}: ${item.text}${item.unspoken && ` (${item.unspoken})`}`,
  );

describe('the transcript', () => {
  it('grows while somebody speaks, each message in its place', () => {
    let items = updateTranscription([], segment('agent', 'a', 'Hello', 1));
    items = updateTranscription(items, segment('you', 'b', 'Hi', 2, true));
    items = updateTranscription(items, segment('agent', 'a', 'Hello there.', 3, true));
    expect(shown(items)).toEqual(['agent: Hello there.', 'you: Hi']);
    expect(items[0]).toMatchObject({ at: 1, done: true, final: false });
  });

  it('ignores segments without words', () => {
    expect(updateTranscription([], segment('agent', 'a', '  ', 1))).toEqual([]);
  });

  it('is finalized by the message of the chat context, once', () => {
    let items = updateTranscription([], segment('agent', 'a', 'Hello  there', 1, true));
    items = finalizeMessage(items, message('assistant', 'Hello there.'), 2);
    // Later segments change nothing.
    items = updateTranscription(items, segment('agent', 'a', 'Hello there. More', 3));
    expect(shown(items)).toEqual(['agent: Hello there.']);
    expect(items[0]).toMatchObject({ final: true, interrupted: false });
  });

  it('marks interrupted messages, and the words that were shown but never spoken', () => {
    let items = updateTranscription(
      [],
      segment('agent', 'a', 'The sea covers most of our planet', 1),
    );
    items = finalizeMessage(items, message('assistant', 'The sea covers', true), 2);
    expect(shown(items)).toEqual(['agent: The sea covers (most of our planet)']);
    expect(items[0]).toMatchObject({ interrupted: true });
  });

  it('finalizes an interrupted reply of which nothing was spoken', () => {
    let items = updateTranscription([], segment('agent', 'a', 'The sea', 1));
    items = finalizeMessage(items, message('assistant', '', true), 2);
    expect(shown(items)).toEqual(['agent:  (The sea)']);
  });

  it('matches messages of the chat context by their words, not by their order', () => {
    let items = updateTranscription([], segment('agent', 'a', 'One moment.', 1, true));
    items = updateTranscription(items, segment('agent', 'b', 'It is noon.', 2, true));
    items = finalizeMessage(items, message('assistant', 'It is noon.'), 3);
    expect(items.map((item) => item.kind === 'message' && item.final)).toEqual([false, true]);
  });

  it('adds a message without a transcription', () => {
    const items = finalizeMessage([], message('assistant', 'Good bye.'), 5);
    expect(shown(items)).toEqual(['agent: Good bye.']);
  });

  it('shows a message once when it enters the chat context before its transcription', () => {
    let items = finalizeMessage([], message('user', 'What time is it?'), 5);
    items = updateTranscription(items, segment('you', 'a', 'What time', 6));
    items = updateTranscription(items, segment('you', 'a', 'What time is it?', 7, true));
    expect(shown(items)).toEqual(['you: What time is it?']);
    // The same words a second time are another message.
    items = updateTranscription(items, segment('you', 'b', 'What time is it?', 8, true));
    expect(items).toHaveLength(2);
  });

  it('shows typed text at once, and not again when it enters the chat context', () => {
    let items = addTyped([], { id: 't', text: 'How far is it?', at: 1 });
    items = finalizeMessage(items, message('user', 'How far is it?'), 2);
    expect(shown(items)).toEqual(['you: How far is it?']);
    expect(items[0]).toMatchObject({ typed: true, final: true });
  });

  const call = { callId: 'c1', name: 'clock', args: '{"city":"Rome"}' };
  const ended = { ...call, type: 'tool', at: 40, result: '{}', isError: false, ms: 10 } as const;

  it('shows a tool while it runs, then its result, above what was said in the meantime', () => {
    let items = updateTranscription([], segment('you', 'a', 'What time is it?', 20, true));
    items = addToolCall(items, { type: 'tool_started', at: 30, ...call }, 30);
    expect(items[1]).toMatchObject({ name: 'clock', args: '{"city":"Rome"}', at: 30 });
    expect(items[1]).not.toHaveProperty('outcome');
    items = updateTranscription(items, segment('agent', 'b', 'One moment.', 35));
    items = completeToolCall(items, ended, 40);
    expect(shown(items)).toEqual(['you: What time is it?', 'clock', 'agent: One moment.']);
    expect(items[1]).toMatchObject({ at: 30, outcome: { result: '{}', isError: false, ms: 10 } });
  });

  it('keeps two calls of one tool apart', () => {
    let items: readonly TranscriptItem[] = [];
    for (const callId of ['c1', 'c2'])
      items = addToolCall(items, { type: 'tool_started', at: 30, ...call, callId }, 30);
    items = completeToolCall(items, { ...ended, callId: 'c2', isError: true }, 40);
    expect(items.map((item) => item.kind === 'tool' && item.outcome?.isError)).toEqual([
      undefined,
      true,
    ]);
  });

  it('shows a tool whose start was missed', () => {
    const items = completeToolCall([], ended, 40);
    expect(items).toMatchObject([{ name: 'clock', at: 30, outcome: { ms: 10 } }]);
  });
});
