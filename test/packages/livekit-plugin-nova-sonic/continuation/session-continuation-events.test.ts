// SPDX-License-Identifier: Apache-2.0
// What the owner of a call is told of its streams, and what it can ask.
import { describe, expect, test } from '@jest/globals';
import { settingsFingerprint } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/session-config.js';
import { beginContinuation, rigContinuation } from '../support/fake-streams.js';
import * as serverEvents from '../support/server-events.js';

type Rig = ReturnType<typeof rigContinuation>;

/** The streams of a call with the names that it gives them, `a`, `b`, …, and times since its start. */
function told(rig: Rig, startedAt: number) {
  const names = new Map(rig.streams.map(({ id }, index) => [id, 'abc'[index]]));
  return rig.lifecycle.map(({ type, streamId, at, ...more }) => [
    `${type} ${names.get(streamId)} at ${at - startedAt}`,
    more,
  ]);
}
const US = { region: 'us-east-1', lane: 'us-east-1' };
const WEST = { region: 'us-west-2', lane: 'us-west-2' };

describe('the lifecycle of streams', () => {
  test('of a call that renews its stream and ends', async () => {
    const rig = rigContinuation();
    const at = rig.clock.now();
    rig.continuation.start();
    rig.clock.advance(80);
    rig.stream(0).open();
    rig.clock.advance(920);
    void rig.continuation.renew('asked');
    rig.clock.advance(100);
    rig.stream(1).open();
    rig.clock.advance(900);
    await rig.continuation.close('hung up');
    expect(told(rig, at)).toEqual([
      ['opening a at 0', { ...US, reason: 'start' }],
      ['opened a at 80', { ...US, reason: 'start', openMs: 5 }],
      ['opening b at 1100', { ...US, reason: 'asked' }],
      ['opened b at 1100', { ...US, reason: 'asked', openMs: 5 }],
      ['closed a at 1100', { ...US, reason: 'start', livedMs: 1_020 }],
      ['renewed b at 1100', { ...US, reason: 'asked', livedMs: 1_020 }],
      ['closed b at 2000', { ...US, reason: 'hung up', livedMs: 900 }],
    ]);
    expect(rig.reconnected).toBe(1);
  });

  test('of a call that moves to another lane when its stream fails, and throttles there first', () => {
    const rig = beginContinuation({ regions: ['us-east-1', 'us-west-2'] });
    const at = rig.clock.now();
    rig.clock.advance(1_000);
    rig.stream(0).break('throttled');
    rig.clock.advance(600);
    rig.stream(1).break('connection');
    rig.clock.advance(1_000);
    rig.stream(2).open();
    const failure = { reason: 'failure' };
    expect(told(rig, at).slice(2)).toEqual([
      [
        'throttled a at 1000',
        { ...US, reason: 'start', kind: 'throttled', error: 'throttled', livedMs: 1_000 },
      ],
      ['opening b at 1000', { ...WEST, ...failure }],
      [
        'failed b at 1600',
        { ...WEST, ...failure, kind: 'connection', error: 'connection', livedMs: 0 },
      ],
      ['opening c at 1600', { ...US, ...failure }],
      ['opened c at 2600', { ...US, ...failure, openMs: 5 }],
      ['failed_over c at 2600', { ...US, ...failure }],
    ]);
    expect(rig.failures).toEqual([
      { kind: 'throttled', recoverable: true },
      { kind: 'connection', recoverable: true },
    ]);
    expect(rig.reconnected).toBe(1);
  });

  test('of a call that is moved at once: it was renewed, not failed over', async () => {
    const rig = beginContinuation();
    const moved = rig.continuation.renew('instructions', { immediately: true });
    rig.stream(1).open();
    await moved;
    expect(rig.types()).toEqual(['opening', 'opened', 'closed', 'opening', 'opened', 'renewed']);
    expect(rig.lifecycle.at(-1)).toMatchObject({ reason: 'instructions' });
  });
});

describe('what passes through a stream', () => {
  test('is told with its id, and a tool by the name that the application gave it', () => {
    const rig = rigContinuation();
    const sent: string[] = [];
    const received: string[] = [];
    rig.host.sent = (event, id) => sent.push(`${Object.keys(event.event)[0]} ${id}`);
    rig.host.received = (_, id) => received.push(id);
    rig.host.toolName = (name) => `the application's ${name}`;
    rig.continuation.start();
    const { id, sink } = rig.stream(0);
    rig.stream(0).open();
    sink.sent({ event: { sessionStart: {} } });
    rig.stream(0).say(...serverEvents.toolUse('order', {}, 'use-1'));
    expect(sent).toEqual([`sessionStart ${id}`]);
    expect(new Set(received)).toEqual(new Set([id]));
    expect(rig.effects).toContainEqual(
      expect.objectContaining({ type: 'tool_call', name: "the application's order" }),
    );
  });

  test('a stream that is cut is told with its place', () => {
    const rig = beginContinuation({ regions: ['us-west-2'] });
    const cut: object[] = [];
    rig.host.cut = (place) => cut.push(place);
    rig.stream(0).sink.cut();
    expect(cut).toEqual([{ id: rig.stream(0).id, ...WEST }]);
  });
});

describe('what the owner can ask', () => {
  test('whether there is a stream, since when a reply can be expected, and what the stream knows', async () => {
    const rig = rigContinuation();
    const { continuation, clock } = rig;
    const asked = () => {
      const { started, live, readyAt, settings, version } = continuation;
      return { started, live, readyAt, settings, version };
    };
    const none = { settings: undefined, version: undefined };
    expect(asked()).toEqual({ started: false, live: false, readyAt: 0, ...none });
    continuation.start();
    clock.advance(300);
    const known = { settings: settingsFingerprint(rig.host.settings()), version: 0 };
    expect(asked()).toEqual({ started: true, live: false, readyAt: clock.now(), ...known });
    rig.stream(0).open();
    const openedAt = clock.now();
    clock.advance(5_000);
    expect(asked()).toEqual({ started: true, live: true, readyAt: openedAt, ...known });
    rig.stream(0).break();
    expect(asked()).toEqual({ started: true, live: false, readyAt: openedAt, ...none });
    await continuation.close();
    expect(asked()).toEqual({ started: true, live: false, readyAt: openedAt, ...none });
  });

  test('a call that ended before its first stream is not waited for', async () => {
    const rig = rigContinuation();
    rig.continuation.start();
    await rig.continuation.close();
    expect(rig.continuation.readyAt).toBe(0);
  });

  test('a renewal that is cancelled is not made; one that is asked for before the start is none', async () => {
    const rig = rigContinuation();
    await rig.continuation.renew('early');
    rig.continuation.start();
    rig.stream(0).open();
    void rig.continuation.renew('asked');
    rig.continuation.cancelRenewal('asked');
    rig.clock.advance(1_000);
    expect(rig.streams).toHaveLength(1);
  });

  test('audio that is discarded is not heard by the next stream', () => {
    const rig = beginContinuation();
    rig.hear(1_000, true);
    rig.continuation.clearAudio();
    rig.hear(100);
    const kept = rig.lastSample - 4;
    rig.stream(0).break();
    rig.clock.advance(1_000);
    expect(rig.stream(1).audio.filter((first) => first > 0 && first < kept)).toEqual([]);
  });
});
