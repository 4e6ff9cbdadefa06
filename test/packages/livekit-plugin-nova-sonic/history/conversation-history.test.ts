// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { ConversationHistory } from '../../../../packages/livekit-plugin-nova-sonic/src/history/conversation-history.js';

describe('ConversationHistory', () => {
  const texts = (h: ConversationHistory) => h.entries.map((e) => ('text' in e ? e.text : ''));
  const id = () => 'new';

  test('FINAL text replaces the planned text, in whichever reply it was, and is never added', () => {
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

  test('an interrupted reply keeps what was spoken, or the planned text when no FINAL text comes', () => {
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

  test.each<[string, (h: ConversationHistory) => void, string[]]>([
    [
      'in other words belongs to the newest reply that is being spoken',
      (h) => {
        for (const reply of ['r1', 'r2', 'r3']) h.addSpeculative(reply, 1, `I am ${reply}.`);
        h.markInterrupted('r3', true);
        h.addFinal("I'm two.", 2, id);
      },
      ['I am r1.', "I'm two.", 'I am r3.'],
    ],
    [
      'of a reply that was cut belongs to that reply, not to a later one that begins with it',
      (h) => {
        h.addSpeculative('r1', 1, 'Yes, of course.');
        h.markInterrupted('r1', false);
        h.addSpeculative('r2', 2, 'Yes, please.');
        h.addFinal('Yes,', 3, id);
      },
      ['Yes,', 'Yes, please.'],
    ],
    [
      'of a reply that was cut belongs to it also when its first sentence is never confirmed',
      (h) => {
        for (const one of ['One.', 'Two three.']) h.addSpeculative('r1', 1, one);
        h.markInterrupted('r1', false);
        h.addSpeculative('r2', 2, 'Two more.');
        h.addFinal('Two', 3, id);
      },
      ['Two', 'Two more.'],
    ],
    [
      'of a reply that was stopped changes nothing of what was planned',
      (h) => {
        for (const one of ['One.', 'Two.']) h.addSpeculative('r1', 1, one);
        h.markInterrupted('r1', true);
        for (const one of ['One.', 'Two', 'Three.']) h.addFinal(one, 2, id);
      },
      ['One. Two.'],
    ],
    [
      'in pieces of a sentence is that sentence',
      (h) => {
        h.addSpeculative('r1', 1, 'One two.');
        h.addSpeculative('r1', 1, 'Three.');
        h.addSpeculative('r2', 1, 'Four.');
        for (const piece of ['One', 'two.']) h.addFinal(piece, 2, id);
      },
      ['One two.', 'Four.'],
    ],
    [
      'that is a part of what was spoken is not repeated',
      (h) => {
        h.addSpeculative('r1', 1, 'One two.');
        h.addFinal('One two.', 2, id);
        h.addFinal('two.', 2, id);
      },
      ['One two.'],
    ],
    [
      'differs from the plan in white space only, and is nothing without words',
      (h) => {
        h.addSpeculative('r1', 1, ' One\n two. ');
        h.addFinal(' \n', 2, id);
        h.addFinal('One  two.', 2, id);
      },
      ['One two.'],
    ],
    [
      'of a reply that the application removed is not taken for another',
      (h) => {
        h.addSpeculative('r1', 1, 'One.');
        h.addSpeculative('r2', 1, 'Two.');
        h.remove('r2');
        h.addFinal('One.', 2, id);
        h.addFinal('Two.', 2, id);
      },
      ['One.', 'Two.'],
    ],
    [
      'of a reply that an edit took away is a reply of its own',
      (h) => {
        h.addSpeculative('r1', 1, 'One.');
        h.addSpeculative('r2', 1, 'Two.');
        h.replace(h.entries.slice(1));
        h.addFinal('Two.', 2, id);
        h.addFinal('One.', 2, id);
      },
      ['Two.', 'One.'],
    ],
    [
      'that comes before the caller interrupts leaves out what was only planned',
      (h) => {
        for (const one of ['One.', 'Two.', 'Three.']) h.addSpeculative('r1', 1, one);
        h.addFinal('One.', 2, id);
        h.markInterrupted(undefined, true);
        h.markInterrupted('r1', false);
      },
      ['One.'],
    ],
    [
      'that comes before the application stops the reply does not shorten it',
      (h) => {
        for (const one of ['One.', 'Two.']) h.addSpeculative('r1', 1, one);
        h.addFinal('One.', 2, id);
        h.markInterrupted('r1', true);
        h.markInterrupted('r1', false);
      },
      ['One. Two.'],
    ],
    [
      'of a reply that is older than eight others is not matched',
      (h) => {
        for (let i = 1; i <= 9; i += 1) h.addSpeculative(`r${i}`, i, `Reply ${i}.`);
        for (let i = 2; i <= 9; i += 1) h.addFinal(`Reply ${i}.`, i, id);
        h.addFinal('Reply 1.', 10, id);
      },
      [...Array.from({ length: 9 }, (_, i) => `Reply ${i + 1}.`), 'Reply 1.'],
    ],
  ])('FINAL text %s', (_, speak, expected) => {
    const h = new ConversationHistory();
    speak(h);
    expect(texts(h)).toEqual(expected);
  });

  test('entries have the ids and times that they were given', () => {
    const h = new ConversationHistory();
    h.addUser('u', 1);
    h.addSpeculative('r', 2, 'A');
    h.addSpeculative('r', 3, 'B');
    h.markInterrupted('r', false);
    h.addFinal('A', 4, id);
    h.addFinal('B', 4, id);
    h.addFinal('C', 5, id);
    expect(h.entries).toMatchObject([
      { kind: 'user', id: 'u', at: 1, text: '' },
      { kind: 'assistant', id: 'r', at: 2, text: 'A B', interrupted: true },
      { kind: 'assistant', id: 'new', at: 5, text: 'C', interrupted: false },
    ]);
  });
});
