// SPDX-License-Identifier: Apache-2.0
// Several tools for one question, while another question waits: the calls are one answer and not two.
import { expect, test } from '@jest/globals';
import { parseServerEvent } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/server-events.js';
import { Conversation } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/conversation.js';
import * as serverEvents from '../support/server-events.js';

/** Two typed questions are sent before either is answered. @returns the requests that each generation answers */
function talk() {
  let ids = 0;
  let now = 1_000_000;
  const conversation = new Conversation({
    newId: (prefix) => `${prefix}${++ids}`,
    outputSampleRate: 24_000,
  });
  const opened: Array<string | undefined> = [];
  const receive = (events: Record<string, unknown>[], gapMs = 5) => {
    for (const event of events) {
      now += gapMs;
      for (const effect of conversation.apply(parseServerEvent({ event }), { now }))
        if (effect.type === 'generation_opened') opened.push(effect.requestId);
    }
  };
  for (const id of ['1', '2']) {
    conversation.request(id, `Question ${id}?`);
    conversation.requestSent(id, now);
  }
  return {
    conversation,
    opened,
    receive,
    wait: (ms: number) => {
      now += ms;
    },
    returned: (callId: string) => conversation.toolAnswered(callId, now),
  };
}

test('the second of two calls does not take the request that follows', () => {
  const { receive, returned, opened } = talk();
  receive([...serverEvents.toolUse('a', {}, 'use-1'), ...serverEvents.toolUse('b', {}, 'use-2')]);
  receive(serverEvents.reply('To the second.', 80));
  returned('use-1');
  returned('use-2');
  receive(serverEvents.reply('To the first.', 80));
  expect(opened).toEqual(['1', undefined, '2', undefined]);
});

test('nor does it when the request of both is withdrawn', () => {
  const { conversation, receive, opened } = talk();
  conversation.cancelRequest('1', true);
  receive([...serverEvents.toolUse('a', {}, 'use-1'), ...serverEvents.toolUse('b', {}, 'use-2')]);
  receive(serverEvents.reply('To the second.', 80));
  expect(opened).toEqual([undefined, undefined, '2']);
});

test('the results of both have one answer, which no later request takes', () => {
  const { conversation, receive, returned, opened } = talk();
  receive([...serverEvents.toolUse('a', {}, 'use-1'), ...serverEvents.toolUse('b', {}, 'use-2')]);
  returned('use-1');
  returned('use-2');
  receive(serverEvents.reply('To the second.', 80));
  conversation.request('3', 'Question 3?');
  conversation.requestSent('3', 1_001_000);
  receive(serverEvents.reply('To the first.', 80));
  receive(serverEvents.reply('To the third.', 80));
  expect(opened).toEqual(['1', undefined, '2', undefined, '3']);
});

test('a call that comes later, or after words, is for the next question', () => {
  const later = talk();
  later.receive(serverEvents.toolUse('a', {}, 'use-1'));
  later.wait(400);
  later.receive(serverEvents.toolUse('b', {}, 'use-2'));
  expect(later.opened).toEqual(['1', '2']);
  const after = talk();
  after.receive(serverEvents.toolUse('a', {}, 'use-1'));
  after.receive(serverEvents.plan('One moment.'));
  after.receive(serverEvents.toolUse('b', {}, 'use-2'));
  expect(after.opened).toEqual(['1', '2']);
});
