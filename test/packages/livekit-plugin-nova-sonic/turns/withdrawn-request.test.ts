// SPDX-License-Identifier: Apache-2.0
// LiveKit aborts `generateReply` when somebody interrupts, at any moment: also between two events of the reply's first
// block.
import { describe, expect, test } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import { parseServerEvent } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/server-events.js';
import { Conversation } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/conversation.js';
import type { Effect } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/effects.js';
import * as serverEvents from '../support/server-events.js';

initializeLogger({ pretty: false, level: 'silent' });

const REPLIES = {
  'text and sound': () => serverEvents.reply('First answer.', 160),
  'only sound': () => serverEvents.audioContent(160, 'END_TURN'),
};

/** Withdraws the first of two requests before the event number `at` of its reply. */
function withdrawAt(at: number, reply: Record<string, unknown>[]) {
  let ids = 0;
  let now = 1_000_000;
  const conversation = new Conversation({
    newId: (prefix) => `${prefix}${++ids}`,
    outputSampleRate: 24_000,
  });
  const effects: Effect[] = [];
  const receive = (event: Record<string, unknown>) => {
    now += 20;
    effects.push(...conversation.apply(parseServerEvent({ event }), { now }));
  };
  const ask = (id: string) => {
    conversation.request(id, `Question ${id}?`);
    conversation.requestSent(id, now);
  };
  const opened = () =>
    effects.flatMap((effect) => (effect.type === 'generation_opened' ? [effect.requestId] : []));
  ask('1');
  for (const event of reply.slice(0, at)) receive(event);
  const hadBegun = opened().length > 0;
  conversation.cancelRequest('1', true);
  effects.push(...conversation.interrupt(now));
  for (const event of reply.slice(at)) receive(event);
  const owed = conversation.pendingSince !== undefined;
  const heard = effects.some(({ type }) => type === 'audio');
  now += 5_000;
  effects.push(...conversation.tick(now));
  ask('2');
  for (const event of serverEvents.reply('Second answer.', 160)) receive(event);
  return { opened: opened(), hadBegun, heard, owed };
}

describe.each(Object.entries(REPLIES))(
  'a request that is withdrawn, of a reply with %s',
  (_, reply) => {
    const length = reply().length;
    test.each(Array.from({ length: length + 1 }, (_, at) => at))(
      'before its event %i: settled, and the next request has the next reply',
      (at) => {
        const { opened, hadBegun, heard, owed } = withdrawAt(at, reply());
        expect(opened).toEqual(hadBegun ? ['1', '2'] : ['2']);
        if (!hadBegun) expect(heard).toBe(false);
        expect(owed).toBe(false);
      },
    );
  },
);

test('one whose text came after the beginning of the speech for which it is withdrawn is answered all the same', () => {
  let ids = 0;
  const conversation = new Conversation({
    newId: (prefix) => `${prefix}${++ids}`,
    outputSampleRate: 24_000,
  });
  const opened: Array<string | undefined> = [];
  const receive = (now: number, ...events: Record<string, unknown>[]) => {
    // Offsets are times here.
    const timing = { now, sampleAt: (ms: number) => ms, sentAt: (ms: number) => ms };
    for (const event of events)
      for (const effect of conversation.apply(parseServerEvent({ event }), timing))
        if (effect.type === 'generation_opened') opened.push(effect.requestId);
  };
  const ask = (id: string, now: number) => {
    conversation.request(id, `Question ${id}?`, {
      kind: 'user',
      id,
      at: now,
      text: `Question ${id}?`,
    });
    conversation.requestSent(id, now);
  };
  ask('1', 1_000);
  receive(1_300, serverEvents.speechStart(900));
  conversation.cancelRequest('1', true);
  receive(2_300, serverEvents.speechEnd(1_500, 2_200), ...serverEvents.userText('Spoken?'));
  ask('2', 2_400);
  for (const at of [3_000, 4_000, 5_000])
    receive(at, ...serverEvents.reply(`Answer at ${at}.`, 80));
  expect(opened).toEqual([undefined, undefined, '2']);
});
