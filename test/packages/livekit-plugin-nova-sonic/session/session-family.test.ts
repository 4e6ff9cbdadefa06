// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { SessionFamily } from '../../../../packages/livekit-plugin-nova-sonic/src/session/session-family.js';

const call = (callId: string) => ({ callId, name: 'book', args: '{}', since: 1 });
const result = {
  kind: 'tool_result',
  id: 'x',
  at: 1,
  callId: 'c',
  name: 'book',
  output: '',
  isError: false,
} as const;

describe('SessionFamily', () => {
  test('a call is adopted by each session that has it in its history, until its result is there', () => {
    const family = new SessionFamily();
    family.leave([call('c')]);
    expect(family.adopt('other')).toBeUndefined();
    expect(family.adopt('c')).toEqual(call('c'));
    expect(family.adopt('c')).toEqual(call('c'));
    family.deliver(result);
    expect(family.adopt('c')).toBeUndefined();
  });

  test('the oldest of more than a hundred calls are forgotten', () => {
    const family = new SessionFamily();
    family.leave(Array.from({ length: 103 }, (_, i) => call(`c${i}`)));
    expect([0, 1, 2].map((i) => family.adopt(`c${i}`))).toEqual([undefined, undefined, undefined]);
    expect(family.adopt('c3')).toEqual(call('c3'));
    expect(family.adopt('c102')).toEqual(call('c102'));
  });

  test('the newest session that waits for a result takes it, and no other', () => {
    const asked: string[] = [];
    const member = (name: string, waits: boolean) => ({
      takeResult: () => {
        asked.push(name);
        return waits;
      },
    });
    const family = new SessionFamily<ReturnType<typeof member>>();
    const sessions = [member('a', true), member('b', true), member('c', false)];
    for (const session of sessions) family.open.add(session);
    expect(family.deliver(result)).toBe(true);
    expect(asked).toEqual(['c', 'b']);
    family.open.clear();
    expect(family.deliver(result)).toBe(false);
  });
});
