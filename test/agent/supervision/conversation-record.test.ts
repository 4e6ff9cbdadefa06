// SPDX-License-Identifier: Apache-2.0

import { expect, test } from '@jest/globals';
import { ConversationRecord } from '../../../agent/src/supervision/conversation-record.js';

test('keeps each item once, as it was last, in the order in which they began', () => {
  const record = new ConversationRecord();
  record.add({ id: '1', text: 'Hel' });
  record.add({ id: '2', text: 'Hi.' });
  record.add({ id: '1', text: 'Hello.' });
  expect(record.items).toEqual([
    { id: '1', text: 'Hello.' },
    { id: '2', text: 'Hi.' },
  ]);
});

test('of a long conversation it keeps the newest', () => {
  const record = new ConversationRecord();
  for (let i = 0; i < 100; i++) record.add({ id: String(i), text: 'x'.repeat(10_000) });
  const { items } = record;
  expect(items.length).toBeGreaterThan(20);
  expect(items.at(-1)?.id).toBe('99');
  expect(JSON.stringify(items).length).toBeLessThan(257 * 1024);
});

test('says nothing in a log', () => {
  const record = new ConversationRecord();
  record.add({ id: '1', text: 'My card number is 1234.' });
  expect(JSON.stringify({ record })).toBe('{"record":{"items":1}}');
});
