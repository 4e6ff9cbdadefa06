// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { initializeLogger, llm } from '@livekit/agents';
import {
  diffChatContext,
  toChatContext,
} from '../../../../packages/livekit-plugin-nova-sonic/src/history/chat-context.js';
import type { HistoryEntry } from '../../../../packages/livekit-plugin-nova-sonic/src/history/entries.js';
import { assistantEntry, userEntry } from '../support/history-entries.js';

initializeLogger({ pretty: false, level: 'silent' });

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
