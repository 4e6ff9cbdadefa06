// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { initializeLogger, llm } from '@livekit/agents';
import { AudioFrame } from '@livekit/rtc-node';
import {
  diffChatContext,
  fromChatContext,
  toChatContext,
  unsupportedContent,
} from '../../../../packages/livekit-plugin-nova-sonic/src/history/chat-context.js';
import type { HistoryEntry } from '../../../../packages/livekit-plugin-nova-sonic/src/history/entries.js';
import { assistantEntry, resultEntry, userEntry } from '../support/history-entries.js';

initializeLogger({ pretty: false, level: 'silent' });

const recording = (transcript?: string): llm.AudioContent => ({
  type: 'audio_content',
  frame: [AudioFrame.create(16_000, 1, 160)],
  ...(transcript !== undefined && { transcript }),
});
const image = llm.createImageContent({ image: 'data:image/png;base64,AAAA' });

describe('content that Sonic cannot take', () => {
  test.each<[string, llm.ChatContent[], string, string[]]>([
    ['a recording with its transcript', ['Hear:', recording('Hello. ')], 'Hear:\nHello.', []],
    ['a recording without', [recording(), 'A'], 'A', ['recordings without a transcript']],
    ['one without words', [recording(' ')], '', ['recordings without a transcript']],
    ['images', [image, 'Look.', image], 'Look.', ['images']],
    ['only an image', [image], '', ['images']],
  ])('%s', (_, content, text, unsupported) => {
    const context = new llm.ChatContext([llm.ChatMessage.create({ role: 'user', content })]);
    expect(fromChatContext(context).map((e) => 'text' in e && e.text)).toEqual(text ? [text] : []);
    expect(unsupportedContent(context)).toEqual(unsupported);
  });

  test('handoffs and configuration are no part of a history', () => {
    const context = new llm.ChatContext([
      llm.AgentHandoffItem.create({ newAgentId: 'b' }),
      llm.AgentConfigUpdate.create({ instructions: 'x' }),
    ]);
    expect(fromChatContext(context)).toEqual([]);
    expect(unsupportedContent(context)).toEqual([]);
  });
});

describe('diffChatContext', () => {
  const none = () => false;
  const ours: HistoryEntry[] = [
    userEntry('A'),
    assistantEntry('B'),
    { kind: 'instruction', id: 'i', at: 9, text: 'do' },
    userEntry('C'),
  ];

  test("the session's own context changes nothing", () => {
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

  const note = (text: string): HistoryEntry => ({
    ...{ kind: 'system', role: 'system', id: 's', at: 9 },
    text,
  });
  const instruction = ours[2] as HistoryEntry;
  const textsOf = (entries: readonly HistoryEntry[]) => entries.map((e) => 'text' in e && e.text);

  test.each<[string, HistoryEntry[], string[]]>([
    ['removed', ours.slice(3), ['do', 'C']],
    [
      'edited',
      [ours[0], { ...ours[1], text: 'Z' }, ours[3]] as HistoryEntry[],
      ['A', 'Z', 'do', 'C'],
    ],
    [
      'removed, and another inserted',
      [ours[1], userEntry('D'), ours[3]] as HistoryEntry[],
      ['B', 'do', 'D', 'C'],
    ],
  ])('an instruction stays where it was when what it followed was %s', (_, context, texts) => {
    const { changed, entries } = diffChatContext(ours, toChatContext(context), none);
    expect(changed).toBe(true);
    expect(textsOf(entries)).toEqual(texts);
    expect(entries).toContain(instruction);
  });

  test.each<[string, HistoryEntry, HistoryEntry, boolean]>([
    [
      'white space of a message',
      { ...userEntry('A  b'), id: 'x' },
      { ...userEntry(' A b'), id: 'x' },
      false,
    ],
    ['a note to the instructions', note('Gold.'), note('Silver.'), true],
    ['no note', note('Gold.'), note('Gold.'), false],
    [
      'words of the assistant',
      { ...assistantEntry('One two'), id: 'x' },
      { ...assistantEntry('Three'), id: 'x' },
      true,
    ],
    [
      'the end of a message of the user',
      { ...userEntry('One two'), id: 'x' },
      { ...userEntry('One'), id: 'x' },
      true,
    ],
  ])('another text: %s', (_, own, theirs, changed) => {
    const diff = diffChatContext([own, ...ours], toChatContext([theirs, ...ours]), none);
    expect(diff.changed).toBe(changed);
    expect(diff.entries).toEqual([
      changed ? expect.objectContaining({ text: (theirs as { text: string }).text }) : own,
      ...ours,
    ]);
  });

  test('a result of a call that was answered adds nothing; one that nobody awaits is history', () => {
    const answered = [...ours, resultEntry('c', '1')];
    const again = { ...resultEntry('c', '2'), id: 'again' };
    const known = diffChatContext(answered, toChatContext([...answered, again]), () => true);
    expect(known).toEqual({ entries: answered, changed: false, typed: [], results: [] });
    const other = diffChatContext(ours, toChatContext([...ours, again]), none);
    expect(other).toMatchObject({ changed: true, results: [] });
    expect(other.entries.at(-1)).toMatchObject({ callId: 'c', output: '2' });
  });

  test('notes at the end are typed with what the user typed; after the assistant they are history', () => {
    const typed = [note('Gold.'), { ...userEntry('New'), id: 't' }];
    const diff = diffChatContext(ours, toChatContext([...ours, ...typed]), none);
    expect(diff).toMatchObject({ changed: false, entries: ours });
    expect(textsOf(diff.typed)).toEqual(['Gold.', 'New']);
    const told = [...ours, typed[1], { ...assistantEntry('E'), id: 'e' }] as HistoryEntry[];
    expect(diffChatContext(ours, toChatContext(told), none)).toMatchObject({
      changed: true,
      typed: [],
    });
  });

  test('what has no text yet stays in an edited history', () => {
    const speaking = { ...userEntry(' '), id: 'speaking' };
    const history = [ours[0], speaking, ours[1], ours[3]] as HistoryEntry[];
    const { entries, changed } = diffChatContext(history, toChatContext(history), none);
    expect(entries).toEqual(history);
    expect(changed).toBe(false);
  });

  test.each([
    ['all that was planned', 'One two', ['One two three.'], 'One two three.', false],
    ['the beginning of it', 'One two', ['One', 'two three.'], 'One two th', false],
    ['the beginning of what was spoken', 'One two three', [], 'One two', false],
    ['the end of what was planned', 'One two', ['One two three.'], 'three.', true],
    ['the end of what was spoken', 'One two three', [], 'two three', true],
  ])('%s in the place of a reply: an edit or not', (_, text, drafts, theirs, changed) => {
    const base = { kind: 'assistant', id: 'l', at: 1, interrupted: true } as const;
    const edited = toChatContext([{ ...base, text: theirs }]);
    expect(diffChatContext([{ ...base, text, drafts }], edited, none).changed).toBe(changed);
  });

  test('the context shows no empty message, and each with its role', () => {
    const context = toChatContext([
      { ...note('Gold.'), role: 'developer' } as HistoryEntry,
      userEntry(' '),
      { ...assistantEntry('A'), interrupted: true } as HistoryEntry,
      userEntry('B'),
    ]);
    const shown = context.items.map((item) =>
      item.type === 'message' ? [item.role, item.textContent, item.interrupted] : [],
    );
    expect(shown).toEqual([
      ['developer', 'Gold.', false],
      ['assistant', 'A', true],
      ['user', 'B', false],
    ]);
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
