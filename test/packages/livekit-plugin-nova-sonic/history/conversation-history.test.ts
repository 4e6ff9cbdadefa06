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
});
