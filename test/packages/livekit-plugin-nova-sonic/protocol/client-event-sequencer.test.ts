// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, test } from '@jest/globals';
import { ClientEventSequencer } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/client-event-sequencer.js';
import type { ClientEvent } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/client-events.js';

const CONFIG = {
  inputSampleRate: 16_000,
  outputSampleRate: 24_000,
  voice: 'matthew',
  tools: [],
} as unknown as ConstructorParameters<typeof ClientEventSequencer>[0];

/** Names of events, with the role or type of a content. */
const names = (events: readonly ClientEvent[]) =>
  events.map((event) => {
    const [[name, body] = ['', {}]] = Object.entries(event.event);
    const { role, type } = body as { role?: string; type?: string };
    return [name, name === 'contentStart' && (role ?? type)].filter(Boolean).join(' ');
  });

let sequencer: ClientEventSequencer;
beforeEach(() => {
  sequencer = new ClientEventSequencer(CONFIG);
});

describe('the opening', () => {
  test('has the system text first, then the history, then one open audio content with sound', () => {
    const history = [{ role: 'USER' as const, parts: ['Hello.'] }];
    expect(names(sequencer.opening('Be brief.', history))).toEqual([
      ...['sessionStart', 'promptStart'],
      ...['contentStart SYSTEM', 'textInput', 'contentEnd'],
      ...['contentStart USER', 'textInput', 'contentEnd'],
      ...['contentStart USER', 'audioInput'],
    ]);
  });

  test.each(['', '  \n'])('has a system text also when there are no instructions (%j)', (none) => {
    const events = sequencer.opening(none, []);
    expect(names(events).slice(2, 5)).toEqual(['contentStart SYSTEM', 'textInput', 'contentEnd']);
    expect(JSON.stringify(events[3])).toMatch(/"content":"\w/);
  });

  test('has the speech prompt between the system text and the history', () => {
    const speechPrompt = 'Hindi in Latin script.';
    const events = new ClientEventSequencer({ ...CONFIG, speechPrompt }).opening('Be brief.', [
      { role: 'USER', parts: ['Hello.'] },
    ]);
    expect(names(events).filter((name) => name.startsWith('contentStart'))).toEqual([
      'contentStart SYSTEM',
      'contentStart SYSTEM_SPEECH',
      'contentStart USER',
      'contentStart USER',
    ]);
    expect(JSON.stringify(events[6])).toContain(`"content":"${speechPrompt}"`);
  });

  test('is made once', () => {
    sequencer.opening('Be brief.', []);
    expect(sequencer.opening('Be brief.', [])).toEqual([]);
  });
});

test('before the opening nothing is sent, and nothing has to be closed', () => {
  expect(sequencer.audio(new Uint8Array(2))).toEqual([]);
  expect(sequencer.text(['Hello.'])).toEqual([]);
  expect(sequencer.closing()).toEqual([]);
  expect(sequencer.opening('Be brief.', [])).toEqual([]);
});

test('a tool is answered once, and only on the stream that called it', () => {
  sequencer.opening('Be brief.', []);
  expect(sequencer.toolResult('t1', '{}')).toEqual([]);
  sequencer.toolUsed('t1');
  expect(names(sequencer.toolResult('t1', '{}'))).toEqual([
    'contentStart TOOL',
    'toolResult',
    'contentEnd',
  ]);
  expect(sequencer.toolResult('t1', '{}')).toEqual([]);
});

test('the closing ends what was begun, once', () => {
  sequencer.opening('Be brief.', []);
  expect(names(sequencer.closing())).toEqual(['contentEnd', 'promptEnd', 'sessionEnd']);
  expect(sequencer.closing()).toEqual([]);
  expect(sequencer.audio(new Uint8Array(2))).toEqual([]);
});
