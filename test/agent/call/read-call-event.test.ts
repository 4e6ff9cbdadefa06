// SPDX-License-Identifier: Apache-2.0

import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readCallEvent } from '../../../agent/src/call/read-call-event.js';

it('reads what an agent publishes', () => {
  const event = { type: 'ended', at: 7, reason: 'caller_idle' };
  expect(readCallEvent(JSON.stringify(event))).toEqual(event);
});

it.each(['', '{', '"ready"', 'null', '[]', '{"type":"ready"}', '{"type":7,"at":7}', '{"at":7}'])(
  'takes %j from anybody in the room for no event',
  (text) => expect(readCallEvent(text)).toBeUndefined(),
);

it('throws at no text', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      readCallEvent(text);
    }),
  );
});
