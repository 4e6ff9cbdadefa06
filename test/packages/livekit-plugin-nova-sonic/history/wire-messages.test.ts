// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import type { HistoryEntry } from '../../../../packages/livekit-plugin-nova-sonic/src/history/entries.js';
import {
  splitText,
  toWireMessages,
} from '../../../../packages/livekit-plugin-nova-sonic/src/history/wire-messages.js';

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

describe('toWireMessages', () => {
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

  test('parts are cut between words, never inside a character', () => {
    expect(splitText('one two three', 8)).toEqual(['one two ', 'three']);
    expect(splitText('äöü', 3)).toEqual(['ä', 'ö', 'ü']);
    expect(splitText('👍👍', 5)).toEqual(['👍', '👍']);
    expect(splitText('', 5)).toEqual([]);
  });
});
