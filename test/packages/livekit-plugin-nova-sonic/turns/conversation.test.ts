// SPDX-License-Identifier: Apache-2.0
// What the service shows, in which order, and what follows from it: interruptions, the end of replies, tools, silence.

import { describe, expect, test } from '@jest/globals';
import { parseServerEvent } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/server-events.js';
import { Conversation } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/conversation.js';
import type { Effect } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/effects.js';
import * as serverEvents from '../support/server-events.js';

type Json = Record<string, unknown>;

function begin() {
  let ids = 0;
  const conversation = new Conversation({
    newId: (prefix) => `${prefix}${++ids}`,
    outputSampleRate: 24_000,
  });
  const clock = { now: 1_000_000 };
  const effects: Effect[] = [];
  const receive = (...events: Json[]) => {
    for (const event of events)
      effects.push(...conversation.apply(parseServerEvent({ event }), { now: clock.now }));
  };
  const pass = (ms: number) => {
    clock.now += ms;
    effects.push(...conversation.tick(clock.now));
  };
  const ask = (id: string) => {
    conversation.request(id, `${id}?`);
    conversation.requestSent(id, clock.now);
  };
  const stop = () => effects.push(...conversation.interrupt(clock.now));
  /** Effects since the last call; of those that matter here, how or for what. */
  const take = () =>
    effects.splice(0).map((effect) => {
      if (effect.type === 'generation_closed') return `closed: ${effect.reason}`;
      if (effect.type === 'barge_in') return `barge_in: ${effect.sign}`;
      if (effect.type === 'generation_opened') return `opened: ${effect.requestId ?? 'unasked'}`;
      return effect.type;
    });
  return { conversation, clock, receive, pass, ask, stop, take };
}
type Rig = ReturnType<typeof begin>;

/** A reply that is being sent: its audio content stays open. */
function replying() {
  const rig = begin();
  const contentId = serverEvents.newContentId();
  rig.receive(...serverEvents.plan('One.'), serverEvents.audioContentStart(contentId));
  rig.receive(...serverEvents.audioData(contentId, 80));
  rig.take();
  return { ...rig, contentId, more: () => rig.receive(...serverEvents.audioData(contentId, 80)) };
}

describe('an interruption', () => {
  const SIGNS: [string, (contentId: string) => Json[]][] = [
    ['user_speech_start', () => [serverEvents.speechStart()]],
    ['interrupted_text', () => serverEvents.interruptedText()],
    ['stop_reason', (contentId) => [serverEvents.audioEnd(contentId, 'INTERRUPTED')]],
  ];

  test.each(SIGNS)('shows as %s, once, and ends the reply', (sign, events) => {
    const { conversation, receive, take, contentId, more } = replying();
    receive(...events(contentId));
    expect(take()).toEqual(['closed: interrupted', `barge_in: ${sign}`, 'speech_started']);
    expect([conversation.userSpeaking, conversation.replying]).toEqual([true, false]);
    expect(conversation.history.entries[0]).toMatchObject({ text: 'One.', interrupted: true });
    for (const [, again] of SIGNS) receive(...again(contentId));
    more();
    expect(take()).toEqual([]);
  });

  test('shows by the words of the caller alone where speech is not reported', () => {
    const { receive, take } = replying();
    receive(...serverEvents.userText('Stop.'));
    expect(take()).toEqual(['closed: interrupted', 'barge_in: user_text', 'transcript']);
  });

  test('reported by speech leaves the rest of the reply on its way: it is not played, the next one is', () => {
    const { receive, take, more } = replying();
    receive(serverEvents.speechStart());
    take();
    more();
    receive(...serverEvents.plan('Two.'), ...serverEvents.audioContent(80));
    expect(take()).toEqual([]);
    receive(...serverEvents.interruptedText(), serverEvents.speechEnd());
    receive(...serverEvents.userText('And?'), ...serverEvents.reply('Three.', 80));
    expect(take()).toEqual([
      ...['speech_stopped', 'transcript', 'transcript', 'opened: unasked'],
      ...['text', 'audio', 'closed: end_turn'],
    ]);
  });

  test.each([
    ['while its sound is played', 999, ['barge_in: user_speech_start', 'speech_started']],
    ['a moment after it', 1_599, ['barge_in: user_speech_start', 'speech_started']],
    ['not when all was heard', 1_600, ['speech_started']],
  ])('of a reply that was sent whole is one %s', (_, ms, expected) => {
    const { receive, pass, take } = begin();
    receive(...serverEvents.reply('One.', 1_000));
    pass(ms);
    take();
    receive(serverEvents.speechStart());
    expect(take()).toEqual(expected);
  });

  test('by a text of ours is none of the caller: the reply is stopped, and the text has the next one', () => {
    const { ask, receive, take, contentId } = replying();
    ask('typed');
    receive(...serverEvents.interruptedText(), serverEvents.audioEnd(contentId, 'INTERRUPTED'));
    expect(take()).toEqual(['closed: stopped']);
    receive(...serverEvents.reply('Two.', 80));
    expect(take()).toEqual(['opened: typed', 'text', 'audio', 'closed: end_turn']);
  });

  test('by a text of ours is nothing at all when the reply was sent whole', () => {
    const { ask, receive, take } = begin();
    receive(...serverEvents.reply('One.', 4_000));
    take();
    ask('typed');
    receive(...serverEvents.interruptedText());
    expect(take()).toEqual([]);
    receive(serverEvents.speechStart());
    expect(take()).toEqual(['barge_in: user_speech_start', 'speech_started']);
  });

  test('by the application discards the rest of the reply, and not the next one', () => {
    const { conversation, receive, stop, take, contentId, more } = replying();
    stop();
    expect(take()).toEqual(['closed: stopped']);
    more();
    receive(serverEvents.audioEnd(contentId, 'PARTIAL_TURN'), ...serverEvents.plan('Two.'));
    receive(...serverEvents.audioContent(80, 'END_TURN'));
    expect(take()).toEqual([]);
    expect(conversation.history.entries).toMatchObject([{ text: 'One.', interrupted: true }]);
    receive(...serverEvents.reply('Three.', 80));
    expect(take()).toContain('opened: unasked');
    stop();
    expect(take()).toEqual([]);
    expect(conversation.quiet(1_000_000)).toBe(true);
  });
});

describe('a reply ends', () => {
  test.each<[string, (rig: Rig & { contentId: string }) => void, string[]]>([
    [
      'with the end of its turn',
      ({ receive, contentId }) => receive(serverEvents.audioEnd(contentId, 'END_TURN')),
      ['closed: end_turn'],
    ],
    [
      'with its last content, also where the first went unended',
      ({ receive }) => receive(...serverEvents.audioContent(0, 'END_TURN')),
      ['closed: end_turn'],
    ],
    [
      'not with the end of one sentence',
      ({ receive, contentId }) => receive(serverEvents.audioEnd(contentId, 'PARTIAL_TURN')),
      [],
    ],
    [
      'not with the end of a text',
      ({ receive }) => receive(...serverEvents.interruptedText('Two.', 'END_TURN')),
      [],
    ],
    [
      'with the session',
      ({ receive }) => receive({ completionEnd: { stopReason: 'END_TURN' } }),
      ['closed: closed'],
    ],
    ['when nothing more of it comes', ({ pass }) => pass(8_001), ['closed: stalled']],
    ['not before that', ({ pass }) => pass(8_000), []],
    [
      'for a tool, whose result may be told then',
      ({ receive }) => receive(...serverEvents.toolUse('a', {}, 'use')),
      ['tool_call', 'closed: tool_call'],
    ],
  ])('%s', (_, happens, expected) => {
    const rig = replying();
    happens(rig);
    expect(rig.take()).toEqual(expected);
  });

  test('for a tool, and what is said after the call is another', () => {
    const { receive, take, more } = replying();
    const use = serverEvents.toolUse('a', { b: 1 }, 'use');
    receive(...use, ...use);
    take();
    more();
    expect(take()).toEqual(['opened: unasked', 'audio']);
  });

  test('with the call; tokens that no reply accounts for are left over', () => {
    const { conversation, clock, receive, contentId } = replying();
    const used = (speechTokens: number) =>
      receive({ usageEvent: { details: { delta: { output: { speechTokens } } } } });
    used(3);
    receive(serverEvents.audioEnd(contentId, 'END_TURN'));
    used(4);
    const { effects, leftover } = conversation.end(clock.now);
    expect(effects).toEqual([]);
    expect(leftover).toEqual({ inputAudio: 0, inputText: 0, outputAudio: 4, outputText: 0 });
    const other = replying();
    expect(other.conversation.end(1_000_000).effects).toMatchObject([{ reason: 'closed' }]);
  });
});

describe('texts', () => {
  test('of a reply are told as they are planned; as they were spoken they are history only', () => {
    const { conversation, receive, take } = begin();
    receive(
      ...serverEvents.plan('One.'),
      ...serverEvents.plan(' '),
      ...serverEvents.spokenReply('One'),
    );
    expect(take()).toEqual(['opened: unasked', 'text']);
    expect(conversation.history.entries).toMatchObject([{ text: 'One' }]);
  });

  test('without a content of their own are those of their role', () => {
    const { conversation, receive, take } = begin();
    receive({ textOutput: { contentId: 'x', role: 'USER', content: 'Hi.' } });
    receive({ textOutput: { contentId: 'x', role: 'ASSISTANT', content: 'Ho.' } });
    receive({ textOutput: { contentId: 'x', role: 'SYSTEM', content: 'Hm.' } });
    expect(take()).toEqual(['transcript', 'transcript', 'opened: unasked', 'text']);
    expect(conversation.history.entries).toMatchObject([{ text: 'Hi.' }, { text: 'Ho.' }]);
  });

  test('of the caller that look like the signal of an interruption are words', () => {
    const { receive, take } = begin();
    receive(...serverEvents.userText('{"interrupted":true}'));
    expect(take()).toEqual(['transcript']);
  });

  test('of the caller that come when the reply has begun interrupt nothing', () => {
    const { receive, take } = begin();
    receive(serverEvents.speechStart(), serverEvents.speechEnd());
    receive(...serverEvents.plan('One.'), ...serverEvents.userText('Hi.'));
    expect(take().slice(2)).toEqual(['opened: unasked', 'text', 'transcript', 'transcript']);
  });
});

test.each<[string, (rig: Rig) => void, boolean]>([
  ['before anything happened', () => {}, true],
  ['while the caller speaks', ({ receive }) => receive(serverEvents.speechStart()), false],
  [
    'after speech that may be answered',
    ({ receive }) => receive(serverEvents.speechStart(), serverEvents.speechEnd()),
    false,
  ],
  [
    'long after speech without words',
    ({ receive, pass }) => {
      receive(serverEvents.speechStart(), serverEvents.speechEnd());
      pass(4_000);
    },
    true,
  ],
  ['while a reply is sent', ({ receive }) => receive(...serverEvents.plan('One.')), false],
  [
    'while it is played',
    ({ receive, pass }) => {
      receive(...serverEvents.reply('One.', 1_000));
      pass(999);
    },
    false,
  ],
  [
    'when it was played',
    ({ receive, pass }) => {
      receive(...serverEvents.reply('One.', 1_000));
      pass(1_000);
    },
    true,
  ],
  ['while a tool runs', ({ receive }) => receive(...serverEvents.toolUse('a', {}, 'use')), false],
  ['while a request is to be sent', ({ conversation }) => conversation.request('a', 'a?'), false],
  [
    'while a request is to be answered',
    ({ ask, pass }) => {
      ask('a');
      pass(60_000);
    },
    false,
  ],
])('a moment to replace a stream, or none: %s', (_, happens, quiet) => {
  const rig = begin();
  happens(rig);
  expect(rig.conversation.quiet(rig.clock.now)).toBe(quiet);
});
