// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { parseServerEvent } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/server-events.js';
import { Conversation } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/conversation.js';
import { DiscardedReply } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/discarded-reply.js';
import type { Effect } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/effects.js';
import * as serverEvents from '../support/server-events.js';

describe('the rest of a reply that is not to be played', () => {
  const until = (discarded: DiscardedReply, at: number) => {
    discarded.tick(at);
    return discarded.arriving;
  };

  test('ends by silence only after longer than a connection stalls', () => {
    const discarded = new DiscardedReply();
    discarded.begin(0);
    discarded.received(1_000);
    expect([5_000, 5_001].map((at) => until(discarded, at))).toEqual([true, false]);
  });

  test('ends sooner when a result was sent, to which the answer comes unmarked', () => {
    const discarded = new DiscardedReply();
    discarded.begin(0);
    discarded.resultSent();
    expect([700, 701].map((at) => until(discarded, at))).toEqual([true, false]);
  });

  test('ends at last, whatever comes', () => {
    const discarded = new DiscardedReply();
    discarded.begin(0);
    discarded.received(15_000);
    expect([15_000, 15_001].map((at) => until(discarded, at))).toEqual([true, false]);
  });
});

test('a connection that stalls while a question is typed over a reply gives it no part of that reply', () => {
  let ids = 0;
  let now = 1_000_000;
  const effects: Effect[] = [];
  const conversation = new Conversation({
    newId: (prefix) => `${prefix}${++ids}`,
    outputSampleRate: 24_000,
  });
  const receive = (events: Record<string, unknown>[]) => {
    for (const event of events)
      effects.push(...conversation.apply(parseServerEvent({ event }), { now }));
  };
  const [first, second] = [serverEvents.plan('One.'), serverEvents.plan('Two.')];
  receive([...first, ...serverEvents.audioContent(400)]);
  conversation.interrupt(now);
  conversation.request('typed', 'Typed?');
  conversation.requestSent('typed', now);
  for (let i = 0; i < 30; i += 1) {
    now += 100;
    effects.push(...conversation.tick(now));
  }
  receive([...second, ...serverEvents.audioContent(400), ...serverEvents.interruptedText()]);
  now += 500;
  receive(serverEvents.reply('To the text.', 400));
  const opened = effects.flatMap((e) => (e.type === 'generation_opened' ? [e.requestId] : []));
  expect(opened).toEqual([undefined, 'typed']);
  expect(effects.filter(({ type }) => type === 'barge_in' || type === 'speech_started')).toEqual(
    [],
  );
});
