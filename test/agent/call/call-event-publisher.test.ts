// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import type { Room } from '@livekit/rtc-node';
import { CallEventPublisher } from '../../../agent/src/call/call-event-publisher.js';
import { CALL_EVENTS_REPLAY_TOPIC } from '../../../agent/src/call/call-events.js';

type ReplayHandler = (
  reader: { readAll(): Promise<string> },
  from: { identity: string },
) => Promise<void>;

/** A room that keeps what is sent to it. */
function room(setAttributes: () => Promise<void> = async () => {}) {
  const sent: { type: string; seq: number; to?: string[] }[] = [];
  const attributes: Record<string, string>[] = [];
  const handlers = new Map<string, ReplayHandler>();
  const fake = {
    registerTextStreamHandler: (topic: string, handler: ReplayHandler) =>
      handlers.set(topic, handler),
    localParticipant: {
      sendText: async (text: string, { destinationIdentities: to }: Record<string, string[]>) => {
        sent.push({ ...JSON.parse(text), ...(to && { to }) });
      },
      setAttributes: (values: Record<string, string>) => {
        attributes.push(values);
        return setAttributes();
      },
    },
  };
  const requestReplay = (readAll: () => Promise<string>) =>
    handlers.get(CALL_EVENTS_REPLAY_TOPIC)?.({ readAll }, { identity: 'ann' });
  return {
    publisher: new CallEventPublisher(fake as unknown as Room),
    sent,
    fake: fake as unknown as Room,
    attributes,
    requestReplay,
  };
}

const short = (sent: ReturnType<typeof room>['sent']) =>
  sent.map(({ type, seq, to }) => `${seq} ${type}${to ? ` to ${to}` : ''}`);

describe('CallEventPublisher', () => {
  it('says which process of the call it is, unless it is the first', async () => {
    const { sent, fake } = room();
    const next = new CallEventPublisher(fake, 2);
    next.publish({ type: 'state', who: 'agent', state: 'a' });
    await next.end('done');
    expect(sent).toMatchObject([
      { seq: 0, run: 2 },
      { seq: 1, run: 2 },
    ]);
    const first = room();
    await first.publisher.end('done');
    expect(first.sent[0]).not.toHaveProperty('run');
  });

  it('publishes in order, and replays missed events on request', async () => {
    const { publisher, sent, requestReplay } = room();
    for (const state of ['a', 'b']) publisher.publish({ type: 'state', who: 'agent', state });
    await requestReplay(async () => '1');
    await publisher.end('done');
    expect(short(sent)).toEqual(['0 state', '1 state', '1 state to ann', '2 ended']);
  });

  it('ignores a request whose sender leaves before it is complete', async () => {
    const { publisher, sent, requestReplay } = room();
    publisher.publish({ type: 'state', who: 'agent', state: 'a' });
    await requestReplay(() => Promise.reject(new Error('left')));
    await publisher.end('done');
    expect(short(sent)).toEqual(['0 state', '1 ended']);
  });

  it.each([
    ['is set', async () => {}],
    ['cannot be set', () => Promise.reject(new Error('no connection'))],
    ['hangs', () => new Promise<void>(() => {})],
  ])(
    'publishes the reason at the end, also as an attribute, even when the attribute %s',
    async (_, set) => {
      const { publisher, sent, attributes } = room(set);
      await publisher.end('no access');
      expect(attributes).toEqual([{ 'nova-sonic.ended': 'no access' }]);
      expect(sent).toMatchObject([{ type: 'ended', reason: 'no access' }]);
    },
  );
});
