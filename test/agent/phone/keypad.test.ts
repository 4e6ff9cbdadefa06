// SPDX-License-Identifier: Apache-2.0

import { expect, it } from '@jest/globals';
import { Keypad, type KeypadEntryOptions } from '../../../agent/src/phone/keypad.js';
import { ManualClock } from '../../support/manual-clock.js';

/** `.` is a pause of a second. */
it.each<[string, KeypadEntryOptions, string, string[]]>([
  ['a sequence ends with #', {}, '1234#', ['1234']],
  ['a sequence ends with a pause of two seconds', {}, '12.34..', ['1234']],
  ['a sequence that goes on is not told', {}, '12.', []],
  ['two sequences', {}, '12#34#', ['12', '34']],
  ['a # alone is told', {}, '#', ['#']],
  ['a * is part of a sequence', {}, '*9#', ['*9']],
  ['a pause of its own', { pauseMs: 1_000 }, '1.2.', ['1', '2']],
  ['each digit', { entry: 'digit' }, '1#*', ['1', '#', '*']],
  ['what is no key is ignored', { entry: 'digit' }, '1x2', ['1', '2']],
  ['a sequence without an end is told in parts', {}, '7'.repeat(65), ['7'.repeat(64)]],
])('%s', async (_title, options, pressed, expected) => {
  const clock = new ManualClock();
  const entries: string[] = [];
  const keypad = new Keypad(options, (keys) => entries.push(keys), clock);
  for (const key of pressed) {
    if (key === '.') await clock.pass(1_000);
    else keypad.press(key);
  }
  expect(entries).toEqual(expected);
});

it('tells nothing when the call is over', async () => {
  const clock = new ManualClock();
  const entries: string[] = [];
  const keypad = new Keypad({}, (keys) => entries.push(keys), clock);
  keypad.press('1');
  keypad.close();
  await clock.pass(10_000);
  expect(entries).toEqual([]);
  expect(clock.pending).toBe(0);
});
