// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import type { Room } from '@livekit/rtc-node';
import { CallEventPublisher } from '../../../agent/src/call/call-event-publisher.js';
import { CALL_EVENTS_REPLAY_TOPIC } from '../../../agent/src/call/call-events.js';

type Ask = (reader: { readAll(): Promise<string> }, from: { identity: string }) => Promise<void>;

/** A room that keeps what it is told. */
function room(setAttributes: () => Promise<void> = async () => {}) {
  const told: { type: string; seq: number; to?: string[] }[] = [];
  const attributes: Record<string, string>[] = [];
  const handlers = new Map<string, Ask>();
  const fake = {
    registerTextStreamHandler: (topic: string, handler: Ask) => handlers.set(topic, handler),
    localParticipant: {
      sendText: async (text: string, { destinationIdentities: to }: Record<string, string[]>) => {
        told.push({ ...JSON.parse(text), ...(to && { to }) });
      },
      setAttributes: (values: Record<string, string>) => {
        attributes.push(values);
        return setAttributes();
      },
    },
  };
  const ask = (readAll: () => Promise<string>) =>
    handlers.get(CALL_EVENTS_REPLAY_TOPIC)?.({ readAll }, { identity: 'ann' });
  return { feed: new CallEventPublisher(fake as unknown as Room), told, attributes, ask };
}

const short = (told: ReturnType<typeof room>['told']) =>
  told.map(({ type, seq, to }) => `${seq} ${type}${to ? ` to ${to}` : ''}`);

describe("the call's feed", () => {
  it('tells in order, and what was missed again, to who asks', async () => {
    const { feed, told, ask } = room();
    for (const state of ['a', 'b']) feed.publish({ type: 'state', who: 'agent', state });
    await ask(async () => '1');
    await feed.end('done');
    expect(short(told)).toEqual(['0 state', '1 state', '1 state to ann', '2 ended']);
  });

  it('tells nobody who is gone in the middle of asking', async () => {
    const { feed, told, ask } = room();
    feed.publish({ type: 'state', who: 'agent', state: 'a' });
    await ask(() => Promise.reject(new Error('left')));
    await feed.end('done');
    expect(short(told)).toEqual(['0 state', '1 ended']);
  });

  it.each([
    ['is set', async () => {}],
    ['cannot be set', () => Promise.reject(new Error('no connection'))],
    ['hangs', () => new Promise<void>(() => {})],
  ])('says at the end why, in an attribute too, whether that %s', async (_, set) => {
    const { feed, told, attributes } = room(set);
    await feed.end('no access');
    expect(attributes).toEqual([{ 'nova-sonic.ended': 'no access' }]);
    expect(told).toMatchObject([{ type: 'ended', reason: 'no access' }]);
  });
});
