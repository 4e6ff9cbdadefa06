// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { StalledStreamWatchdog } from '../../../../packages/livekit-plugin-nova-sonic/src/continuation/stalled-stream-watchdog.js';
import type { StreamSession } from '../../../../packages/livekit-plugin-nova-sonic/src/stream/stream-session.js';
import type { Conversation } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/conversation.js';

const PROGRESS_MS = 10_000;

/** A watchdog of a stream that is up since 0, and of a conversation in which nothing happens. */
function watch() {
  const watchdog = new StalledStreamWatchdog();
  const stream = { region: 'us-east-1', stalled: (_now: number): number | undefined => undefined };
  const session = { stream, openedAt: 0 as number | undefined };
  const conversation = {
    pendingSince: undefined as number | undefined,
    replying: false,
  };
  watchdog.restart(0);
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
    stall,
    why: (now: number) => stall(now)?.message,
  };
}

describe('StalledStreamWatchdog', () => {
  test('a quiet call is no stall, however long it is quiet', () => {
    const { why } = watch();
    expect(why(3_600_000)).toBeUndefined();
  });

  test('speech that may be noise is no stall', () => {
    const { conversation, why } = watch();
    Object.assign(conversation, { userSpeaking: true });
    expect(why(60_000)).toBeUndefined();
  });

  test('a stream that takes nothing of what was sent has stalled, also before it is up', () => {
    const { stream, session, stall } = watch();
    session.openedAt = undefined;
    stream.stalled = (now) => (now === 6_000 ? 5_500 : undefined);
    expect(stall(5_999)).toBeUndefined();
    expect(stall(6_000)).toMatchObject({ kind: 'no_response', region: 'us-east-1' });
    expect(stall(6_000)?.message).toContain('did not read what was sent');
  });

  test('nothing else is expected of a stream that is not up', () => {
    const { conversation, session, why } = watch();
    session.openedAt = undefined;
    Object.assign(conversation, { pendingSince: 1, replying: true });
    expect(why(60_000)).toBeUndefined();
  });

  test('a question must be answered within the time: since it was asked, and since the last event', () => {
    const { conversation, watchdog, why } = watch();
    conversation.pendingSince = 5_000;
    expect(why(15_000)).toBeUndefined();
    expect(why(15_001)).toContain('did not answer a question');
    watchdog.event(12_000);
    expect(why(22_000)).toBeUndefined();
    expect(why(22_001)).toContain('did not answer a question');
  });

  test.each([
    [10_000, 7_000],
    [3_000, 3_000],
  ])('a reply must go on: of a time of %i ms it gets %i ms', (progressMs, ms) => {
    const { conversation, watchdog, stall } = watch();
    watchdog.event(1_000);
    conversation.replying = true;
    expect(stall(1_000 + ms, progressMs)).toBeUndefined();
    expect(stall(1_001 + ms, progressMs)?.message).toContain('did not continue a reply');
  });
});
