// SPDX-License-Identifier: Apache-2.0
// A cough counts as speech: LiveKit withdraws what was typed. The service finds no words, and answers what it got before.
import { expect, test } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import { parseServerEvent } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/server-events.js';
import { Conversation } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/conversation.js';
import * as serverEvents from '../support/server-events.js';

initializeLogger({ pretty: false, level: 'silent' });

function talk() {
  let ids = 0;
  let now = 1_000;
  const conversation = new Conversation({
    newId: (prefix) => `${prefix}${++ids}`,
    outputSampleRate: 24_000,
  });
  const replies: Array<string | undefined> = [];
  const receive = (...events: Record<string, unknown>[]) => {
    // Offsets are times here.
    const timing = { now, sampleAt: (ms: number) => ms, sentAt: (ms: number) => ms };
    for (const event of events)
      for (const effect of conversation.apply(parseServerEvent({ event }), timing))
        if (effect.type === 'generation_opened') replies.push(effect.requestId);
  };
  const pass = (ms: number) => {
    for (const end = now + ms; now < end; now += 100) conversation.tick(now);
  };
  return {
    replies,
    pass,
    type: (id: string) => {
      conversation.request(id, `${id}?`, { kind: 'user', id, at: now, text: `${id}?` });
      conversation.requestSent(id, now);
    },
    /** As `AgentSession`, which interrupts when it is told that somebody speaks. */
    withdraw: (id: string) => conversation.cancelRequest(id, true),
    coughBegins: () => receive(serverEvents.speechStart(now - 300)),
    coughEnds: () => {
      pass(1_000);
      receive(serverEvents.speechEnd(now - 800, now - 100));
    },
    reply: () => receive(...serverEvents.reply('So be it.', 80)),
  };
}

test('a typed question that a cough withdrew has its answer, and the next one its own', () => {
  const call = talk();
  call.type('one');
  call.pass(400);
  call.coughBegins();
  call.withdraw('one');
  call.coughEnds();
  call.pass(200);
  call.type('two');
  call.reply();
  call.pass(200);
  call.reply();
  expect(call.replies).toEqual([undefined, 'two']);
});

test('one that was withdrawn before the cough is not answered aloud', () => {
  const call = talk();
  call.type('one');
  call.withdraw('one');
  call.type('two');
  call.pass(400);
  call.coughBegins();
  call.withdraw('two');
  call.coughEnds();
  call.reply();
  expect(call.replies).toEqual([]);
  call.pass(200);
  call.reply();
  expect(call.replies).toEqual([undefined]);
});

test('two that are typed one after the other, too', () => {
  const call = talk();
  call.coughBegins();
  call.coughEnds();
  call.pass(300);
  call.type('one');
  call.pass(400);
  call.withdraw('one');
  call.type('two');
  call.reply();
  call.pass(200);
  call.reply();
  expect(call.replies).toEqual(['two']);
});

test.each([200, 1_500])(
  'one that is typed right after a cough has the next reply: after %i ms',
  (thinks) => {
    const call = talk();
    call.coughBegins();
    call.coughEnds();
    call.pass(300);
    call.type('one');
    call.pass(thinks);
    call.reply();
    expect(call.replies).toEqual(['one']);
  },
);
