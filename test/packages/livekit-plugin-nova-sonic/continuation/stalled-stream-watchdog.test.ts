// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { Watchdog } from '../../../../packages/livekit-plugin-nova-sonic/src/continuation/stalled-stream-watchdog.js';
import type { StreamSession } from '../../../../packages/livekit-plugin-nova-sonic/src/stream/stream-session.js';
import type { Conversation } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/conversation.js';

const PROGRESS_MS = 10_000;
const LOUD = 2_000;

/** A watchdog of a stream that is up since 0, and of a conversation in which nothing happens. */
function watch() {
  const watchdog = new Watchdog();
  const stream = { region: 'us-east-1', stalled: (_now: number) => false };
  const session = { stream, openedAt: 0 as number | undefined };
  const conversation = {
    pendingSince: undefined as number | undefined,
    replying: false,
    userSpeaking: false,
  };
  watchdog.restart(0);
  const hear = (from: number, ms: number, level = LOUD, connected = true) => {
    const pcm = new Uint8Array(new Int16Array(320).fill(level).buffer);
    for (let at = from + 20; at <= from + ms; at += 20)
      watchdog.audio({ pcm, at, ms: 20 }, connected);
  };
  const stall = (now: number, progressMs = PROGRESS_MS) =>
    watchdog.detectStall(
      session as unknown as StreamSession,
      conversation as Conversation,
      now,
      progressMs,
    );
  return {
    watchdog,
    session,
    stream,
    conversation,
    hear,
    stall,
    why: (now: number) => stall(now)?.message,
  };
}

describe('Watchdog', () => {
  test('a quiet call is no stall, however long it is quiet', () => {
    const { hear, why } = watch();
    hear(0, 60_000, 0);
    expect(why(3_600_000)).toBeUndefined();
  });

  test('a stream that takes nothing of what was sent has stalled, also before it is up', () => {
    const { stream, session, stall } = watch();
    session.openedAt = undefined;
    stream.stalled = (now) => now === 6_000;
    expect(stall(5_999)).toBeUndefined();
    expect(stall(6_000)).toMatchObject({ kind: 'no_response', region: 'us-east-1' });
    expect(stall(6_000)?.message).toContain('did not read what was sent');
  });

  test('nothing else is expected of a stream that is not up', () => {
    const { conversation, session, hear, why } = watch();
    session.openedAt = undefined;
    Object.assign(conversation, { pendingSince: 1, replying: true, userSpeaking: true });
    hear(0, 6_000);
    expect(why(60_000)).toBeUndefined();
  });

  test('a question must be answered within the time: since it was asked, and since the last event', () => {
    const { conversation, watchdog, why } = watch();
    conversation.pendingSince = 5_000;
    expect(why(15_000)).toBeUndefined();
    expect(why(15_001)).toContain('did not answer a question');
    watchdog.event(12_000, false);
    expect(why(22_000)).toBeUndefined();
    expect(why(22_001)).toContain('did not answer a question');
  });

  test.each([
    [10_000, 7_000],
    [3_000, 3_000],
  ])('a reply must go on: of a time of %i ms it gets %i ms', (progressMs, ms) => {
    const { conversation, watchdog, stall } = watch();
    watchdog.event(1_000, true);
    conversation.replying = true;
    expect(stall(1_000 + ms, progressMs)).toBeUndefined();
    expect(stall(1_001 + ms, progressMs)?.message).toContain('did not continue a reply');
  });

  test('the end of speech must be noticed: the time counts from when the caller fell silent', () => {
    const { conversation, hear, why } = watch();
    conversation.userSpeaking = true;
    hear(0, 4_000);
    expect(why(14_000)).toBeUndefined();
    expect(why(14_001)).toContain('did not detect the end of speech');
    // A caller who speaks for long is no stall.
    hear(4_000, 30_000);
    expect(why(34_000)).toBeUndefined();
  });

  describe('a caller who speaks and is not noticed', () => {
    const DEAF = 'did not detect the caller speaking';

    test('is a stall after five seconds of sound', () => {
      const { hear, why } = watch();
      hear(0, 5_000);
      expect(why(5_000)).toBeUndefined();
      hear(5_000, 20);
      expect(why(5_020)).toContain(DEAF);
    });

    test('is one once only: it may be noise', () => {
      const { hear, watchdog, why } = watch();
      hear(0, 6_000);
      expect(why(6_000)).toContain(DEAF);
      for (const at of [6_000, 20_000, 40_000]) {
        watchdog.restart(at);
        hear(at, 6_000);
        expect(why(at + 6_000)).toBeUndefined();
      }
    });

    test('is one again when the service had heard something in between, as often as that happens', () => {
      const { hear, watchdog, why } = watch();
      for (const at of [0, 20_000, 40_000, 60_000]) {
        watchdog.restart(at);
        hear(at, 6_000);
        expect(why(at + 6_000)).toContain(DEAF);
        watchdog.event(at + 10_000, true);
      }
    });

    test('an event that shows no hearing does not make it one again', () => {
      const { hear, watchdog, why } = watch();
      hear(0, 6_000);
      expect(why(6_000)).toContain(DEAF);
      watchdog.event(7_000, false);
      hear(7_000, 6_000);
      expect(why(13_000)).toBeUndefined();
    });

    test.each([
      ['quiet sound', 300, true],
      ['sound that no stream got', LOUD, false],
    ])('%s does not count', (_, level, connected) => {
      const { hear, why } = watch();
      hear(0, 20_000, level, connected);
      expect(why(20_000)).toBeUndefined();
    });

    test('any event begins the five seconds again', () => {
      const { hear, watchdog, why } = watch();
      hear(0, 4_000);
      watchdog.event(4_000, false);
      hear(4_000, 4_000);
      expect(why(8_000)).toBeUndefined();
    });
  });

  test('the caller is silent a second and a half after the last loud sound', () => {
    const { hear, watchdog } = watch();
    expect(watchdog.callerSilent(10_000)).toBe(true);
    hear(10_000, 1_000);
    hear(11_000, 500, 100);
    expect(watchdog.lastLoudAt).toBe(11_000);
    expect(watchdog.lastAudioAt).toBe(11_500);
    expect(watchdog.callerSilent(12_500)).toBe(false);
    expect(watchdog.callerSilent(12_501)).toBe(true);
  });
});
