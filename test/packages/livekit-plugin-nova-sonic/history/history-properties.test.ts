// SPDX-License-Identifier: Apache-2.0
// What holds for any history, however it came about.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  diffChatContext,
  fromChatContext,
  toChatContext,
} from '../../../../packages/livekit-plugin-nova-sonic/src/history/chat-context.js';
import { ConversationHistory } from '../../../../packages/livekit-plugin-nova-sonic/src/history/conversation-history.js';
import type { HistoryEntry } from '../../../../packages/livekit-plugin-nova-sonic/src/history/entries.js';
import {
  headOf,
  splitText,
  toolNote,
  toWireMessages,
} from '../../../../packages/livekit-plugin-nova-sonic/src/history/wire-messages.js';
import { holds } from '../../../support/properties.js';

const bytes = (text: string) => Buffer.byteLength(text);
/** Text of people: words, with some characters of several bytes. */
const text = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: fc.string({ maxLength: 12 }) },
      { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 8 }) },
      { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }) },
    ),
    { maxLength: 30 },
  )
  .map((words) => words.join(' '));
const callId = fc.constantFrom('c1', 'c2', 'c3');

/** Entries of one call, with ids of their own. */
const entries: fc.Arbitrary<HistoryEntry[]> = fc
  .array(
    fc.oneof(
      fc.record({ kind: fc.constant('user' as const), text }),
      fc.record({ kind: fc.constant('assistant' as const), text, interrupted: fc.boolean() }),
      fc.record({ kind: fc.constant('instruction' as const), text }),
      // These come from a chat context only, which leaves out what is empty.
      fc.record({
        kind: fc.constant('system' as const),
        role: fc.constant('system' as const),
        text: text.map((one) => `Note ${one}`.trim()),
      }),
      fc.record({
        kind: fc.constant('tool_call' as const),
        callId,
        name: fc.constant('book'),
        args: text,
      }),
      fc.record({
        kind: fc.constant('tool_result' as const),
        callId,
        name: fc.constant('book'),
        output: text,
        isError: fc.boolean(),
      }),
    ),
    { maxLength: 25 },
  )
  .map((list) => list.map((entry, i) => ({ ...entry, id: `e${i}`, at: i }) as HistoryEntry));
const limits = fc.record({
  maxBytes: fc.integer({ min: 300, max: 20_000 }),
  maxTextBytes: fc.integer({ min: 8, max: 1_000 }),
});

describe('splitText', () => {
  test('loses nothing, cuts no character, and keeps to the limit', () => {
    holds(
      fc.property(text, fc.integer({ min: 4, max: 200 }), (whole, max) => {
        const parts = splitText(whole, max);
        expect(parts.join('')).toBe(whole);
        expect(parts.filter((part) => part === '' || bytes(part) > max)).toEqual([]);
        const split = parts.filter((part) => /^[\uDC00-\uDFFF]/.test(part));
        // Only where the text itself has half a character.
        if (!/\p{Surrogate}/u.test(whole)) expect(split).toEqual([]);
      }),
    );
  });

  test('headOf gives the beginning, within the limit', () => {
    holds(
      fc.property(text, fc.integer({ min: 12, max: 200 }), (whole, max) => {
        const head = headOf(whole, max);
        if (bytes(whole) <= max) expect(head).toBe(whole);
        else {
          expect(bytes(head)).toBeLessThanOrEqual(max);
          expect(head.endsWith(' […]')).toBe(true);
          expect(whole.startsWith(head.slice(0, -' […]'.length))).toBe(true);
        }
      }),
    );
  });

  test('the note of a tool names it, whatever it was called with and returned', () => {
    holds(
      fc.property(text, text, fc.boolean(), (args, output, isError) => {
        const note = toolNote('book', args, { output, isError }, { args: 100, result: 200 });
        expect(note.startsWith('[The tool book was called with ')).toBe(true);
        expect(note.endsWith('.]')).toBe(true);
        expect(bytes(note)).toBeLessThan(400);
      }),
    );
  });
});

describe('toWireMessages', () => {
  test('the user comes first, roles alternate, and everything keeps to the limits', () => {
    holds(
      fc.property(entries, limits, (list, { maxBytes, maxTextBytes }) => {
        const messages = toWireMessages(list, { maxBytes, maxTextBytes });
        expect(messages.map(({ role }) => role)).toEqual(
          messages.map((_, i) => (i % 2 === 0 ? 'USER' : 'ASSISTANT')),
        );
        const parts = messages.flatMap((message) => message.parts);
        expect(parts.filter((part) => !part || bytes(part) > maxTextBytes)).toEqual([]);
        expect(parts.reduce((sum, part) => sum + bytes(part), 0)).toBeLessThanOrEqual(maxBytes);
      }),
      { numRuns: 300 },
    );
  });

  test('where there is room, each word that was said is there, in order, and once', () => {
    holds(
      fc.property(entries, (list) => {
        const messages = toWireMessages(list, { maxBytes: 1_000_000, maxTextBytes: 1_000 });
        const whole = messages.map(({ parts }) => parts.join('')).join('\n');
        let from = 0;
        for (const entry of list) {
          const said =
            entry.kind === 'user' || entry.kind === 'assistant' || entry.kind === 'instruction';
          if (!said || !entry.text.trim()) continue;
          const at = whole.indexOf(entry.text.trim(), from);
          expect(at).toBeGreaterThanOrEqual(from);
          from = at + entry.text.trim().length;
        }
        const calls = new Set(
          list.flatMap((e) =>
            e.kind === 'tool_call' || e.kind === 'tool_result' ? [e.callId] : [],
          ),
        );
        const notes = whole.match(/\[The tool book was called with/g) ?? [];
        expect(notes.length).toBeGreaterThanOrEqual(calls.size);
      }),
    );
  });

  test('changes none of the entries that it is given', () => {
    holds(
      fc.property(entries, limits, (list, limit) => {
        const before = structuredClone(list);
        toWireMessages(list, limit);
        expect(list).toEqual(before);
      }),
      { numRuns: 50 },
    );
  });
});

describe('the chat context', () => {
  test('of a history is that history again, without what is empty or hidden', () => {
    holds(
      fc.property(entries, (list) => {
        const shown = list.flatMap((entry): HistoryEntry[] => {
          if (entry.kind === 'instruction') return [];
          if (!('text' in entry)) return [entry];
          return entry.text.trim() ? [{ ...entry, text: entry.text.trim() }] : [];
        });
        expect(fromChatContext(toChatContext(list))).toEqual(shown);
      }),
    );
  });

  test('that nobody edited changes nothing', () => {
    holds(
      fc.property(entries, (list) => {
        const diff = diffChatContext(list, toChatContext(list), () => true);
        expect(diff).toMatchObject({ changed: false, typed: [], results: [] });
        // A context without anything shown looks like one that was emptied.
        if (toChatContext(list).items.length > 0) expect(diff.entries).toEqual(list);
      }),
    );
  });

  test('that lacks the newest entries changes nothing: they have not reached it yet', () => {
    holds(
      fc.property(entries, fc.nat({ max: 25 }), (list, keep) => {
        const older = list.slice(0, Math.max(1, keep));
        // Without anything shown it was emptied.
        fc.pre(toChatContext(older).items.length > 0);
        const diff = diffChatContext(list, toChatContext(older), () => true);
        expect(diff.changed).toBe(false);
        expect(diff.entries.map(({ id }) => id)).toEqual(list.map(({ id }) => id));
      }),
    );
  });

  test('to which messages were added at the end has them as typed, and no edited past', () => {
    holds(
      fc.property(entries, fc.array(text, { minLength: 1, maxLength: 4 }), (list, added) => {
        const typed = added.map(
          (one, i): HistoryEntry => ({ kind: 'user', id: `t${i}`, at: 100 + i, text: `${one}x` }),
        );
        fc.pre(toChatContext(list).items.length > 0);
        const diff = diffChatContext(list, toChatContext([...list, ...typed]), () => true);
        expect(diff.changed).toBe(false);
        expect(diff.typed.map(({ id }) => id)).toEqual(typed.map(({ id }) => id));
        expect(diff.entries).toEqual(list);
      }),
    );
  });
});

describe('ConversationHistory', () => {
  /** Sentences of which none is the beginning of another, as a model's mostly are. */
  const sentences = fc
    .uniqueArray(fc.integer({ min: 1, max: 999 }), { minLength: 1, maxLength: 8 })
    .map((numbers) => numbers.map((n) => `Sentence ${String(n).padStart(3, '0')}.`));

  test('each sentence is there once, whether and whenever it is confirmed', () => {
    holds(
      fc.property(
        fc.array(fc.record({ sentences, confirmed: fc.nat({ max: 8 }), late: fc.boolean() }), {
          minLength: 1,
          maxLength: 4,
        }),
        (replies) => {
          const history = new ConversationHistory();
          let ids = 0;
          const pending: string[] = [];
          const confirm = (list: string[]) => {
            for (const one of list) history.addFinal(one, 0, () => `new${++ids}`);
          };
          replies.forEach((reply, i) => {
            // Different replies say different things.
            const said = reply.sentences.map((one) => `${i}: ${one}`);
            for (const one of said) history.addSpeculative(`r${i}`, i, one);
            confirm(pending.splice(0));
            const heard = said.slice(0, reply.confirmed);
            if (reply.late) pending.push(...heard);
            else confirm(heard);
          });
          confirm(pending);
          expect(history.entries.map((entry) => 'text' in entry && entry.text)).toEqual(
            replies.map((reply, i) => reply.sentences.map((one) => `${i}: ${one}`).join(' ')),
          );
        },
      ),
    );
  });
});
