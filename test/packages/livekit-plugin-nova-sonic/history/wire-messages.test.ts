// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import type { HistoryEntry } from '../../../../packages/livekit-plugin-nova-sonic/src/history/entries.js';
import {
  headOf,
  splitText,
  systemText,
  toolNote,
  toWireMessages,
} from '../../../../packages/livekit-plugin-nova-sonic/src/history/wire-messages.js';
import { assistantEntry, callEntry, resultEntry, userEntry } from '../support/history-entries.js';

const LIMITS = { maxBytes: 40_000, maxTextBytes: 1_000 };
const wire = (entries: HistoryEntry[], limits = LIMITS) =>
  toWireMessages(entries, limits).map((m) => [m.role, m.parts.join('')]);

describe('toWireMessages', () => {
  test('the user is first, neighbours are one message, empty ones are none', () => {
    expect(
      wire([
        assistantEntry('Hi.'),
        userEntry(' '),
        userEntry('A'),
        userEntry('B'),
        assistantEntry('C'),
      ]),
    ).toEqual([
      ['USER', '[The call begins.]'],
      ['ASSISTANT', 'Hi.'],
      ['USER', 'A\nB'],
      ['ASSISTANT', 'C'],
    ]);
    expect(wire([])).toEqual([]);
  });

  test('the newest are kept, and the first is still the user', () => {
    const entries = [
      userEntry('a'.repeat(60)),
      assistantEntry('b'.repeat(60)),
      userEntry('c'.repeat(60)),
      assistantEntry('d'.repeat(60)),
    ];
    expect(wire(entries, { maxBytes: 280, maxTextBytes: 100 })).toEqual([
      ['USER', `[…] ${'a'.repeat(49)}`],
      ['ASSISTANT', 'b'.repeat(60)],
      ['USER', 'c'.repeat(60)],
      ['ASSISTANT', 'd'.repeat(60)],
    ]);
    expect(wire([userEntry('ü'.repeat(100))], { maxBytes: 100, maxTextBytes: 1_000 })).toEqual([
      ['USER', `[…] ${'ü'.repeat(26)}`],
    ]);
  });

  const sizeOf = (messages: string[][]) =>
    messages.reduce((sum, [, text]) => sum + Buffer.byteLength(text as string), 0);

  test('results of tools never push out what people said, and keep the beginning of the call', () => {
    const entries: HistoryEntry[] = [userEntry('My name is Ann.'), assistantEntry('Hello Ann.')];
    for (let i = 0; i < 8; i += 1) {
      entries.push(
        callEntry(`c${i}`, `search_${i}`, '{"q":"cake"}'),
        resultEntry(`c${i}`, 'p '.repeat(40_000)),
        assistantEntry(`Answer ${i}.`),
        userEntry(`Question ${i + 1}?`),
      );
    }
    const messages = wire(entries, { maxBytes: 10_000, maxTextBytes: 1_000 });
    expect(sizeOf(messages)).toBeLessThanOrEqual(10_000);
    const all = messages.map(([, text]) => text).join('\n');
    expect(all).toContain('My name is Ann.');
    for (let i = 3; i < 8; i += 1) {
      expect(all).toContain(`[The tool search_${i} was called with {"q":"cake"} and returned p p`);
      expect(all).toContain(`Answer ${i}.`);
    }
    expect(all).toContain(' […] (cut here; 80000 bytes in all).]');
    // Beyond their share they are left out, and never cut at the beginning.
    expect(all).not.toContain('search_0');
    expect(all).not.toMatch(/^\[…\]/m);
    // Where there is room, more of a result is told.
    const whole = wire(entries.slice(0, 6), { maxBytes: 200_000, maxTextBytes: 50_000 });
    expect(sizeOf(whole)).toBeGreaterThan(3_900);
    expect(sizeOf(whole)).toBeLessThan(4_500);
  });

  test("an assistant's long last reply never empties the history; it is cut between words", () => {
    const messages = wire(
      [userEntry('Read me the book.'), assistantEntry('word '.repeat(100_000))],
      {
        maxBytes: 40_000,
        maxTextBytes: 1_000,
      },
    );
    expect(messages.map(([role]) => role)).toEqual(['USER', 'ASSISTANT']);
    expect(messages[0]?.[1]).toBe('Read me the book.');
    expect(messages[1]?.[1]).toMatch(/^(word )+word \[…\]$/);
    expect(sizeOf(messages)).toBeLessThanOrEqual(40_000);
  });

  test('what the application added to the instructions is part of the system text', () => {
    const note: HistoryEntry = { kind: 'system', role: 'system', id: 's', at: 1, text: 'Gold.' };
    expect(wire([userEntry('A'), note, assistantEntry('B')])).toEqual([
      ['USER', 'A'],
      ['ASSISTANT', 'B'],
    ]);
    expect(systemText('Be brief.', [userEntry('A'), note])).toBe('Be brief.\n\nGold.');
    expect(systemText('Be brief.', [])).toBe('Be brief.');
  });

  test('a tool is sent as text, also before its result has come', () => {
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

  test('a result of a call that is not in the history any more names its tool', () => {
    expect(wire([resultEntry('c', 'Yes.')])).toEqual([
      ['USER', '[The tool x was called with {} and returned Yes..]'],
    ]);
  });

  test.each([
    ['', { output: '', isError: false }, '{} and returned nothing.]'],
    [
      '{"a":1}',
      { output: 'x'.repeat(200), isError: false },
      `{"a":1} and returned ${'x'.repeat(200)}.]`,
    ],
    [
      '{}',
      { output: 'x'.repeat(201), isError: true },
      `{} and failed with ${'x'.repeat(194)} […] (cut here; 201 bytes in all).]`,
    ],
    ['y'.repeat(101), undefined, `${'y'.repeat(94)} […]; its result has not come yet.]`],
  ])('the note of a tool: %#', (args, result, text) => {
    expect(toolNote('t', args, result, { args: 100, result: 200 })).toBe(
      `[The tool t was called with ${text}`,
    );
  });

  /** Bytes that are kept for the note at the beginning. */
  const NOTE = Buffer.byteLength('[The beginning of the call is left out.]') + 1;
  test.each([
    ['between words', 'one two three four five', 20, '[…] four five'],
    ['inside a word that is longer than half', 'one two threefourfive', 20, '[…] threefourfive'],
    ['not at a space in its second half', 'one two abcdefghij kl', 20, '[…] abcdefghij kl'],
    ['at the space where it is cut', 'one two three fourab', 20, '[…] three fourab'],
    ['not at all when it fits', 'one two three four', 19, 'one two three four'],
    ['to one word', 'one two three four five', 11, '[…] five'],
    ['to nothing when there is no room', 'one two three four five', 10, undefined],
  ])('the oldest message is cut %s', (_, text, room, kept) => {
    const limits = { maxBytes: NOTE + room, maxTextBytes: 1_000 };
    expect(wire([userEntry(text)], limits)).toEqual(kept ? [['USER', kept]] : []);
  });

  test('people and tools together keep to the limit, and only replies to a part of it', () => {
    const entries = [
      callEntry('c', 't'),
      resultEntry('c', 'p '.repeat(200)),
      userEntry('x'.repeat(3_000)),
    ];
    const messages = wire(entries, { maxBytes: 3_000, maxTextBytes: 50_000 });
    expect(sizeOf(messages)).toBeLessThanOrEqual(3_000);
    expect(sizeOf(messages)).toBeGreaterThan(2_900);
    expect(wire([userEntry('x'.repeat(20_000))])).toEqual([['USER', 'x'.repeat(20_000)]]);
    const [, [, reply = ''] = []] = wire([userEntry('Hi.'), assistantEntry('x'.repeat(20_000))]);
    expect(reply.length).toBeGreaterThan(9_900);
    expect(reply.length).toBeLessThan(10_000);
  });

  test('a reply whose question is left out follows a note that says so', () => {
    const entries = [userEntry('Why? '.repeat(20)), assistantEntry('Because.'), userEntry('Oh.')];
    expect(wire(entries, { maxBytes: NOTE + 15, maxTextBytes: 1_000 })).toEqual([
      ['USER', '[The beginning of the call is left out.]'],
      ['ASSISTANT', 'Because.'],
      ['USER', 'Oh.'],
    ]);
  });

  test('a long result is told in full where there is room, also when a longer one is not', () => {
    const long = (id: string, size: number) => [
      callEntry(id, id),
      resultEntry(id, `${'p '.repeat(size / 2)}.`),
    ];
    const messages = wire([...long('small', 600), ...long('big', 3_900)], {
      maxBytes: 3_000,
      maxTextBytes: 50_000,
    });
    const [text = ''] = messages.map(([, one]) => one);
    expect(text).toMatch(/small was called with {} and returned (p ){300}\..]/);
    expect(text).toMatch(/big was called with {} and returned (p )+p \[…\] \(cut here; 3901/);
    expect(Buffer.byteLength(text)).toBeLessThan(1_200);
  });

  test('notes are no part of the instructions when they are empty, nor are these', () => {
    const note: HistoryEntry = { kind: 'system', role: 'system', id: 's', at: 1, text: ' ' };
    expect(systemText(' ', [note, { ...note, text: ' Gold. ' }])).toBe('Gold.');
  });

  test.each([
    ['at a line', 'one\ntwo', 6, ['one\n', 'two']],
    ['not at a space in the first half', 'ab cdefg', 6, ['ab cde', 'fg']],
    ['not when it fits', 'abc def', 7, ['abc def']],
    ['at no space of the limit itself', 'abc defg', 4, ['abc ', 'defg']],
    ['after a character that is longer than the limit', '👍a', 2, ['👍', 'a']],
  ])('a part is cut %s', (_, text, max, parts) => {
    expect(splitText(text, max)).toEqual(parts);
  });

  test('the beginning of a text ends with a word', () => {
    expect(headOf('one two three', 13)).toBe('one two three');
    expect(headOf('one two three', 12)).toBe('one […]');
    expect(headOf('ab', 1)).toBe('a […]');
  });

  test('parts are cut between words, never inside a character', () => {
    expect(splitText('one two three', 8)).toEqual(['one two ', 'three']);
    expect(splitText('äöü', 3)).toEqual(['ä', 'ö', 'ü']);
    expect(splitText('👍👍', 5)).toEqual(['👍', '👍']);
    expect(splitText('', 5)).toEqual([]);
  });
});
