// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { initializeLogger, llm } from '@livekit/agents';
import {
  diffChatContext,
  toChatContext,
} from '../../../../packages/livekit-plugin-nova-sonic/src/history/chat-context.js';
import { ConversationHistory } from '../../../../packages/livekit-plugin-nova-sonic/src/history/conversation-history.js';
import type { HistoryEntry } from '../../../../packages/livekit-plugin-nova-sonic/src/history/entries.js';
import {
  splitText,
  toWireMessages,
} from '../../../../packages/livekit-plugin-nova-sonic/src/history/wire-messages.js';

initializeLogger({ pretty: false, level: 'silent' });

const LIMITS = { maxBytes: 40_000, maxTextBytes: 1_000 };
let n = 0;
const user = (text: string): HistoryEntry => ({ kind: 'user', id: `u${++n}`, at: n, text });
const assistant = (text: string): HistoryEntry => ({
  kind: 'assistant',
  id: `a${++n}`,
  at: n,
  text,
  interrupted: false,
});
const wire = (entries: HistoryEntry[], limits = LIMITS) =>
  toWireMessages(entries, limits).map((m) => [m.role, m.parts.join('')]);

describe('toWire', () => {
  test('the user is first, neighbours are one message, empty ones are none', () => {
    expect(wire([assistant('Hi.'), user(' '), user('A'), user('B'), assistant('C')])).toEqual([
      ['USER', '[The call begins.]'],
      ['ASSISTANT', 'Hi.'],
      ['USER', 'A\nB'],
      ['ASSISTANT', 'C'],
    ]);
    expect(wire([])).toEqual([]);
  });

  test('the newest are kept, and the first is still the user', () => {
    const entries = [
      user('a'.repeat(60)),
      assistant('b'.repeat(60)),
      user('c'.repeat(60)),
      assistant('d'.repeat(60)),
    ];
    expect(wire(entries, { maxBytes: 150, maxTextBytes: 100 })).toEqual([
      ['USER', 'c'.repeat(60)],
      ['ASSISTANT', 'd'.repeat(60)],
    ]);
    expect(wire([user('ü'.repeat(100))], { maxBytes: 51, maxTextBytes: 1_000 })).toEqual([
      ['USER', 'ü'.repeat(25)],
    ]);
  });

  test('a tool is told in words, also before its result has come', () => {
    const call: HistoryEntry = {
      kind: 'tool_call',
      id: 'x',
      at: 1,
      callId: 'c',
      name: 'look_up',
      args: '{"a":1}',
    };
    const result: HistoryEntry = {
      kind: 'tool_result',
      id: 'y',
      at: 2,
      callId: 'c',
      name: 'look_up',
      output: 'No.',
      isError: true,
    };
    expect(wire([call])).toEqual([
      ['USER', '[The tool look_up was called with {"a":1}; its result has not come yet.]'],
    ]);
    expect(wire([call, result])).toEqual([
      ['USER', '[The tool look_up was called with {"a":1} and failed with No..]'],
    ]);
  });

  test('parts are cut between words, never inside a character', () => {
    expect(splitText('one two three', 8)).toEqual(['one two ', 'three']);
    expect(splitText('äöü', 3)).toEqual(['ä', 'ö', 'ü']);
    expect(splitText('👍👍', 5)).toEqual(['👍', '👍']);
    expect(splitText('', 5)).toEqual([]);
  });
});

describe('CallHistory', () => {
  const texts = (h: ConversationHistory) => h.entries.map((e) => ('text' in e ? e.text : ''));
  const id = () => 'new';

  test('FINAL text replaces the plan, in whichever reply it was, and is never added', () => {
    const h = new ConversationHistory();
    h.addSpeculative('r1', 1, 'One.');
    h.addSpeculative('r1', 1, 'Two.');
    h.addSpeculative('r2', 2, 'Three.');
    h.addFinal('One.', 3, id);
    h.addFinal('Three.', 3, id);
    h.addFinal('Two.', 3, id);
    h.addFinal('Two.', 3, id);
    expect(texts(h)).toEqual(['One. Two.', 'Three.']);
  });

  test('an interrupted reply keeps what was spoken, or the plan when nobody tells', () => {
    const h = new ConversationHistory();
    h.addSpeculative('r1', 1, 'A long story.');
    h.markInterrupted('r1', false);
    expect(texts(h)).toEqual(['A long story.']);
    h.addFinal('A long', 2, id);
    expect(texts(h)).toEqual(['A long']);
  });

  test('a reply that we stopped keeps what was planned until then', () => {
    const h = new ConversationHistory();
    h.addSpeculative('r1', 1, 'One.');
    h.markInterrupted('r1', true);
    h.addFinal('One.', 2, id);
    h.addFinal('Two.', 2, id);
    expect(texts(h)).toEqual(['One.']);
  });

  test('FINAL text without a plan is a reply', () => {
    const h = new ConversationHistory();
    h.addFinal('Hello.', 1, id);
    expect(texts(h)).toEqual(['Hello.']);
  });
});

describe('compareContext', () => {
  const none = () => false;
  const ours: HistoryEntry[] = [
    user('A'),
    assistant('B'),
    { kind: 'instruction', id: 'i', at: 9, text: 'do' },
    user('C'),
  ];

  test('our own context says nothing new', () => {
    const same = diffChatContext(ours, toChatContext(ours), none);
    expect(same).toMatchObject({ changed: false, typed: [], results: [] });
    expect(same.entries).toEqual(ours);
  });

  test('the newest may be missing: the framework adds a reply when it was played', () => {
    expect(diffChatContext(ours, toChatContext(ours.slice(0, 2)), none)).toMatchObject({
      changed: false,
      entries: ours,
    });
  });

  test('an edit, a removal and an insertion in the past are changes', () => {
    const edited = toChatContext(ours);
    edited.items[0] = llm.ChatMessage.create({
      id: ours[0]?.id as string,
      role: 'user',
      content: 'Z',
    });
    expect(diffChatContext(ours, edited, none).changed).toBe(true);
    const removed = toChatContext(ours);
    removed.items.splice(0, 1);
    expect(diffChatContext(ours, removed, none)).toMatchObject({ changed: true });
    const cleared = diffChatContext(ours, llm.ChatContext.empty(), none);
    expect(cleared).toMatchObject({ changed: true, entries: [] });
  });

  test('a part of what was planned is no edit: the framework keeps what was played', () => {
    const long: HistoryEntry[] = [
      {
        kind: 'assistant',
        id: 'l',
        at: 1,
        text: 'One two',
        interrupted: true,
        drafts: ['One two three.'],
      },
    ];
    const cut = new llm.ChatContext([
      llm.ChatMessage.create({ id: 'l', role: 'assistant', content: 'One two three.' }),
    ]);
    expect(diffChatContext(long, cut, none).changed).toBe(false);
  });

  test('new words of the user at the end wait for a reply, an awaited result is one', () => {
    const ctx = toChatContext(ours);
    ctx.addMessage({ role: 'user', content: 'New' });
    ctx.items.push(
      llm.FunctionCallOutput.create({ callId: 'c', name: 't', output: '1', isError: false }),
    );
    const found = diffChatContext(ours, ctx, (callId) => callId === 'c');
    expect(found.results).toHaveLength(1);
    expect(found.typed.map((t) => t.text)).toEqual([]);
    ctx.items.pop();
    expect(diffChatContext(ours, ctx, none).typed.map((t) => t.text)).toEqual(['New']);
  });
});
