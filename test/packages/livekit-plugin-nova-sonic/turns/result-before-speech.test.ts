// SPDX-License-Identifier: Apache-2.0
// A tool's result and the beginning of speech cross: what counts is the order in which the service got them.
import { expect, test } from '@jest/globals';
import { parseServerEvent } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/server-events.js';
import { Conversation } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/conversation.js';
import * as serverEvents from '../support/server-events.js';

/**
 * A tool returns at 1,000. The caller began to speak at 990, in a chunk of audio that was sent later.
 * @returns the request that each reply answers: to what was said, and to a text that is typed after it
 */
function talk(chunkSentAt: number, replies: string[]): Array<string | undefined> {
  let ids = 0;
  const conversation = new Conversation({
    newId: (prefix) => `${prefix}${++ids}`,
    outputSampleRate: 24_000,
  });
  const opened: Array<string | undefined> = [];
  let now = 900;
  const receive = (events: Record<string, unknown>[]) => {
    for (const event of events) {
      const timing = { now, sampleAt: () => 990, sentAt: () => chunkSentAt };
      for (const effect of conversation.apply(parseServerEvent({ event }), timing))
        if (effect.type === 'generation_opened') opened.push(effect.requestId);
    }
    now += 100;
  };
  receive(serverEvents.toolUse('a', {}, 'use-1'));
  conversation.toolAnswered('use-1', now);
  receive([serverEvents.speechStart(50)]);
  receive([serverEvents.speechEnd(60), ...serverEvents.userText('And now?')]);
  conversation.request('typed', 'Typed?');
  conversation.requestSent('typed', now);
  for (const reply of replies) receive(serverEvents.reply(reply, 80));
  return opened.slice(1);
}

test('a result that was sent before the beginning of speech is answered with it', () => {
  expect(talk(1_010, ['To both.', 'To the text.'])).toEqual([undefined, 'typed']);
});

test('one that was sent after it has an answer of its own', () => {
  const replies = ['To the result.', 'To what was said.', 'To the text.'];
  expect(talk(995, replies)).toEqual([undefined, undefined, 'typed']);
});
