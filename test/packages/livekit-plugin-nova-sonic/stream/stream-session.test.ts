// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { ClientEventSequencer } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/client-event-sequencer.js';
import {
  type ClientEvent,
  clientEventName,
} from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/client-events.js';
import type { SonicStream } from '../../../../packages/livekit-plugin-nova-sonic/src/stream/sonic-stream.js';
import { StreamSession } from '../../../../packages/livekit-plugin-nova-sonic/src/stream/stream-session.js';
import { SESSION_CONFIG } from '../support/session-config.js';

/** A stream that is opened at 1 000 and up since 1 080. */
function open({ up = true } = {}) {
  const written: ClientEvent[] = [];
  const stream = { write: (events: ClientEvent[]) => written.push(...events) };
  const session = new StreamSession(
    stream as unknown as SonicStream,
    new ClientEventSequencer(SESSION_CONFIG),
    {
      settings: 's',
      version: 1,
      reason: 'start',
      limits: { maxBytes: 40_000, maxTextBytes: 10 },
      now: 1_000,
    },
  );
  session.open('Be brief.', [], 1_000);
  if (up) session.openedAt = 1_080;
  const take = () => written.splice(0);
  const names = () => take().map(clientEventName);
  return { session, take, names };
}

const audioMs = (event: ClientEvent) => {
  const { content } = event.event.audioInput as unknown as { content: string };
  return Buffer.from(content, 'base64').length / 32;
};

describe('StreamSession', () => {
  test('opens with the system text and 100 ms of silence, which count as audio', () => {
    const { session, take } = open();
    const events = take();
    expect(events.map(clientEventName)).toEqual([
      'sessionStart',
      'promptStart',
      'contentStart',
      'textInput',
      'contentEnd',
      'contentStart',
      'audioInput',
    ]);
    expect(audioMs(events.at(-1) as ClientEvent)).toBe(100);
    session.audio({ pcm: new Uint8Array(640), at: 2_020, ms: 20 }, 2_030);
    expect(session.arrival(110)).toBe(2_010);
    expect(session.sentAt(2_020)).toBe(2_030);
    expect(audioMs(take()[0] as ClientEvent)).toBe(20);
  });

  test('after it was closed nothing is written and no audio counts', () => {
    const { session, names } = open();
    session.sequencer.closing();
    names();
    session.audio({ pcm: new Uint8Array(640), at: 2_020, ms: 20 }, 2_030);
    expect(session.toolResult('c', '{}', 2_000)).toBe(false);
    expect(names()).toEqual([]);
    expect(session.sentAt(2_020)).toBe(1_000);
  });

  test('a gap is silence of 100 ms, every 100 ms for three seconds and then every ten', () => {
    const { session, names } = open();
    names();
    const filledAt: number[] = [];
    for (let now = 1_100; now <= 35_000; now += 100) {
      session.fillGap(0, now);
      if (names().length > 0) filledAt.push(now);
    }
    // From 150 ms after the opening.
    expect(filledAt[0]).toBe(1_300);
    expect(filledAt.filter((at) => at < 4_080)).toEqual(
      Array.from({ length: 28 }, (_, i) => 1_300 + i * 100),
    );
    expect(filledAt.filter((at) => at >= 4_080)).toEqual([14_000, 24_000, 34_000]);
  });

  test('audio that flows is no gap', () => {
    const { session, names } = open();
    names();
    for (let now = 1_100; now <= 10_000; now += 100) session.fillGap(now - 149, now);
    expect(names()).toEqual([]);
    session.fillGap(9_850, 10_000);
    expect(names()).toEqual(['audioInput']);
  });

  test('before the service has answered no gap is filled', () => {
    const { session, names } = open({ up: false });
    names();
    for (let now = 1_100; now <= 60_000; now += 100) session.fillGap(0, now);
    expect(names()).toEqual([]);
  });

  test('a text is sent in parts that fit, next to audio', () => {
    const { session, names, take } = open();
    names();
    session.text('one two three four', 1_900, 2_000);
    const events = take();
    expect(events.map(clientEventName)).toEqual([
      'contentStart',
      ...Array(events.length - 2).fill('textInput'),
      'contentEnd',
    ]);
    expect(events.length).toBeGreaterThan(3);
    expect(session.lastActivityAt).toBe(2_000);
    // 151 ms after the last audio silence comes first; right after that silence it does not come again.
    session.text('five', 2_000, 2_151);
    expect(names()[0]).toBe('audioInput');
    session.text('six', 2_000, 2_301);
    expect(names()[0]).toBe('contentStart');
    session.text('seven', 4_000, 4_150);
    expect(names()[0]).toBe('contentStart');
  });

  test('a tool’s result is sent once, and only where the tool was called', () => {
    const { session, names } = open();
    names();
    expect(session.toolResult('c', '{}', 2_000)).toBe(false);
    session.sequencer.toolUsed('c');
    expect(session.toolResult('c', '{}', 3_000)).toBe(true);
    expect(names()).toEqual(['contentStart', 'toolResult', 'contentEnd']);
    expect(session.lastActivityAt).toBe(3_000);
    expect(session.toolResult('c', '{}', 4_000)).toBe(false);
    expect(session.lastActivityAt).toBe(3_000);
  });

  test('its age counts from the first event', () => {
    expect(open().session.age(2_080)).toBe(1_000);
    expect(open({ up: false }).session.age(2_080)).toBe(0);
  });
});
