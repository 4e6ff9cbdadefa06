// SPDX-License-Identifier: Apache-2.0
// Long because every rule of the detector is here, at its edges.
// When a stream is suspected of hearing nothing, to the millisecond. What becomes of a suspicion: deaf-streams.test.ts.
import { describe, expect, test } from '@jest/globals';
import type { CallerVoice } from '../../../../packages/livekit-plugin-nova-sonic/src/audio/caller-voice.js';
import {
  DeafStreamDetector,
  type Suspicion,
} from '../../../../packages/livekit-plugin-nova-sonic/src/continuation/deaf-stream-detector.js';
import type { Conversation } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/conversation.js';

const PROGRESS_MS = 10_000;

/** A caller whose voice is a list of stretches, each of one level. */
function listen() {
  let stretches: Array<{ from: number; to: number; level: number }> = [];
  /** Nobody knows what will be said. */
  let present = 0;
  const voice = {
    since(time: number, level = 0, until = Number.POSITIVE_INFINITY) {
      const heard = stretches
        .filter((s) => s.level > level && s.from < until)
        .map((s) => ({ from: Math.max(s.from, time), to: Math.min(s.to, until, present) }))
        .filter(({ from, to }) => to > from);
      const ms = heard.reduce((sum, { from, to }) => sum + to - from, 0);
      return ms > 0 ? { ms, from: heard[0]?.from, to: heard.at(-1)?.to } : undefined;
    },
    stretchFrom: (now: number) => stretches.find((s) => s.from <= now && now <= s.to)?.from,
    level: (from: number, to: number) =>
      Math.max(0, ...stretches.filter((s) => s.to > from && s.from <= to).map((s) => s.level)),
    get lastAt() {
      return stretches.at(-1)?.to;
    },
  };
  const conversation = {
    replying: false,
    userSpeaking: false,
    serviceReportsSpeech: true,
    imminent: false,
    unfinished: undefined as { from: number; to?: number } | undefined,
    answerImminent: () => conversation.imminent,
    unfinishedSpeech: () => conversation.unfinished,
  };
  const detector = new DeafStreamDetector(voice as unknown as CallerVoice);
  const suspect = (now: number, silentMs = 0) => {
    present = now;
    return detector.suspect(conversation as unknown as Conversation, now, silentMs, PROGRESS_MS);
  };
  detector.restart(0);
  return {
    detector,
    conversation,
    suspect,
    says: (from: number, to: number, level = 1_000) => {
      stretches.push({ from, to, level });
    },
    forget: () => {
      stretches = [];
    },
  };
}

/** Voices of level 1 000 that two streams ignored; forgotten at 617 101. */
function known() {
  const rig = listen();
  rig.says(5_000, 9_000, 1_000);
  const suspicion = rig.suspect(9_000) as Suspicion;
  rig.detector.moved(suspicion, 9_100);
  rig.suspect(17_101);
  rig.forget();
  return rig;
}

describe('a turn that was not heard', () => {
  test.each([
    ['reports the beginning of speech', true, 2_500],
    ['does not', false, 4_000],
  ])('by a service that %s: after a second of voice and a pause', (_, reports, pauseMs) => {
    const { suspect, says, conversation } = listen();
    conversation.serviceReportsSpeech = reports;
    says(5_000, 6_000);
    expect(suspect(6_000 + pauseMs - 1)).toBeUndefined();
    expect(suspect(6_000 + pauseMs)).toEqual({
      reason: 'speech was not heard',
      from: 4_500,
      at: 6_000 + pauseMs,
      cause: 'planned',
      level: 1_000,
      voiceMs: 1_000,
      sustained: false,
    });
  });

  test('is not a word of less than a second, nor what was said more than 15 s ago', () => {
    const { suspect, says, forget } = listen();
    says(5_000, 5_999);
    expect(suspect(9_000)).toBeUndefined();
    forget();
    says(5_000, 6_500);
    expect(suspect(20_500)).toBeDefined();
    expect(suspect(20_501)).toBeUndefined();
  });

  test.each([
    ['while the agent replies', { replying: true }],
    ['while the service hears the caller', { userSpeaking: true }],
    ['while an answer may begin at any moment', { imminent: true }],
  ])('is not suspected %s', (_, state) => {
    const { suspect, says, conversation } = listen();
    says(5_000, 6_000);
    Object.assign(conversation, state);
    expect(suspect(9_000)).toBeUndefined();
  });

  test('is only what was said since the service heard something, or since the stream began', () => {
    const { suspect, says, detector } = listen();
    says(5_000, 6_500);
    detector.began(5_200, 5_600);
    expect(suspect(9_000)).toBeUndefined();
    detector.restart(9_000);
    says(9_000, 10_000);
    expect(suspect(12_500)?.from).toBe(8_500);
    detector.understood(12_500);
    expect(suspect(12_600)).toBeUndefined();
  });
});

describe('a voice without a pause', () => {
  test('is suspect after four of the last six seconds, with its level', () => {
    const { suspect, says } = listen();
    says(5_000, 60_000, 700);
    expect(suspect(8_999)).toBeUndefined();
    expect(suspect(9_000)).toMatchObject({ from: 4_500, level: 700, sustained: true });
  });

  test('is not for a service that tells nothing before the end of speech', () => {
    const { suspect, says, conversation } = listen();
    conversation.serviceReportsSpeech = false;
    says(5_000, 600_000);
    expect(suspect(500_000)).toBeUndefined();
  });
});

describe('a suspicion', () => {
  /** Suspects at 9 000 and moves the call at 9 100. */
  const moved = () => {
    const rig = listen();
    rig.says(5_000, 6_000);
    const suspicion = rig.suspect(9_000) as Suspicion;
    rig.detector.moved(suspicion, 9_100);
    rig.forget();
    return { ...rig, suspicion };
  };

  test('is refuted by anything that is heard after it', () => {
    const { detector, says, suspect } = listen();
    says(5_000, 6_000);
    const suspicion = suspect(9_000) as Suspicion;
    expect(detector.refuted(suspicion)).toBe(false);
    detector.began(8_000, 9_000);
    expect(detector.refuted(suspicion)).toBe(false);
    detector.ended(8_000, 9_001);
    expect(detector.refuted(suspicion)).toBe(true);
  });

  test('is on trial for eight seconds on the other stream; nothing else is suspected meanwhile', () => {
    const { suspect, says } = moved();
    says(9_200, 10_500);
    expect(suspect(17_100)).toBeUndefined();
    // Wrong: the next one has to wait for 20 s.
    expect(suspect(17_101)).toBeUndefined();
    says(30_000, 31_500);
    expect(suspect(37_100)).toBeUndefined();
    expect(suspect(37_101)).toBeDefined();
  });

  test('is right when what was said before the move is understood, and the next one need not wait', () => {
    const { detector, suspect, says } = moved();
    detector.began(9_100, 9_500);
    detector.understood(9_600);
    says(10_000, 11_000);
    expect(suspect(13_500)).toBeDefined();
  });

  test('is wrong when only what was said after the move is', () => {
    const { detector, suspect, says } = moved();
    detector.began(9_101, 9_500);
    detector.understood(9_600);
    says(10_000, 11_000);
    expect(suspect(13_500)).toBeUndefined();
    says(25_000, 26_000);
    expect(suspect(29_599)).toBeUndefined();
    expect(suspect(29_600)).toBeDefined();
  });

  test.each([
    ['half of it', [[8_000, 8_500]], true],
    ['less', [[8_000, 8_499]], false],
    [
      'half of it in two parts',
      [
        [8_000, 8_250],
        [8_500, 8_750],
      ],
      true,
    ],
  ] as Array<[string, Array<[number, number]>, boolean]>)(
    'of a second of voice is right when %s was understood',
    (_, parts, right) => {
      const { detector, suspect, says } = moved();
      for (const [from, to] of parts) {
        detector.began(from, 9_200);
        detector.ended(to, 9_300);
        detector.understood(9_400);
      }
      says(18_000, 19_000);
      // A trial that has not succeeded by 17 100 was about nothing.
      suspect(17_101);
      expect(suspect(21_500) !== undefined).toBe(right);
    },
  );

  /** A proof, words said to the new stream at a level (0: none), and the same again. */
  const again = (rig: ReturnType<typeof moved>, understood: number, missed: number, ms: number) => {
    const { detector, says, suspect } = rig;
    detector.began(7_900, 9_200);
    detector.ended(8_900, 9_300);
    detector.understood(9_300);
    if (understood > 0) {
      says(11_000, 12_000, understood);
      detector.began(11_000, 11_400);
      detector.ended(12_000, 13_600);
      detector.understood(13_600);
    }
    says(14_000, 14_000 + ms, missed);
    return ms >= 4_000 ? suspect(14_000 + ms) : suspect(14_000 + ms + 2_500);
  };

  test.each([
    ['a voice without a pause, of which nothing was heard since', 0, 1_000, 4_000, false],
    ['a turn, and nothing was heard since', 0, 1_000, 1_500, true],
    ['a turn of a voice like one that was heard since', 1_000, 1_000, 1_500, true],
    ['a voice without a pause like one that was heard since', 1_000, 900, 4_000, true],
    ['a turn of a quieter voice than was heard since', 1_300, 1_000, 1_500, false],
    ['a voice without a pause, quieter than was heard since', 1_300, 1_000, 4_000, false],
  ])(
    'that was right, and the new stream misses %s: %i over %i for %i ms is suspected: %s',
    (_, understood, missed, ms, suspected) => {
      const rig = moved();
      expect(again(rig, understood, missed, ms) !== undefined).toBe(suspected);
      if (suspected) return;
      // The first one was wrong, too: 20 s without any.
      rig.forget();
      const now = 14_000 + ms + (ms < 4_000 ? 2_500 : 0);
      rig.says(now + 15_000, now + 16_000, 2_000);
      expect(rig.suspect(now + 19_999)).toBeUndefined();
      expect(rig.suspect(now + 20_000)).toBeDefined();
    },
  );

  test('is followed by a wait from the fourth in ten minutes on, also when each was right', () => {
    const { detector, suspect, suspicion, says, forget } = moved();
    let now = 9_100;
    const waits: number[] = [];
    for (let i = 0; i < 6; i += 1) {
      forget();
      detector.moved(suspicion, now);
      detector.understood(now);
      detector.restart(now);
      const rightAt = now;
      says(rightAt + 1, rightAt + 1_000_000, 1_000);
      while (now - rightAt < 600_000 && !suspect(now)) now += 500;
      waits.push(now - rightAt);
    }
    expect(waits).toEqual([4_500, 4_500, 20_000, 40_000, 80_000, 160_000]);
  });

  test('is off the trial when the call has another stream', () => {
    const { detector, suspect, says } = moved();
    detector.restart(9_200);
    says(10_000, 11_000);
    expect(suspect(13_500)).toBeDefined();
  });

  test('that is wrong again makes the next one wait twice as long, up to four minutes', () => {
    const { detector, suspect, suspicion, says } = moved();
    let now = 9_100;
    const waits: number[] = [];
    for (let i = 0; i < 6; i += 1) {
      detector.moved(suspicion, now);
      now += 8_001;
      suspect(now);
      const wrongAt = now;
      says(0, 1_000_000_000, 1_000);
      while (now - wrongAt < 600_000 && !suspect(now)) now += 1_000;
      waits.push(now - wrongAt);
    }
    expect(waits).toEqual([20_000, 40_000, 80_000, 160_000, 240_000, 240_000]);
  });

  test('waits for as long as the other stream could not be opened, the longest time counts', () => {
    const { detector, suspect, says } = listen();
    says(5_000, 6_000);
    detector.postpone(3_000, 9_000);
    detector.postpone(1_000, 9_000);
    expect(suspect(11_999)).toBeUndefined();
    expect(suspect(12_000)).toBeDefined();
  });
});

describe('background', () => {
  test.each([
    [1_200, false],
    [1_201, true],
  ])('a voice of level %i over one of 1 000 is missed: %s', (level, missed) => {
    const { suspect, says } = known();
    says(40_000, 41_000, level);
    expect(suspect(44_000) !== undefined).toBe(missed);
  });

  test.each([
    [617_100, false],
    [617_101, true],
  ])('is forgotten after ten minutes without it: at %i a voice is missed: %s', (now, missed) => {
    const { suspect, says } = known();
    says(now - 4_000, now - 2_600, 1_000);
    expect(suspect(now) !== undefined).toBe(missed);
  });

  test('that goes on stays known', () => {
    const { suspect, says } = known();
    says(400_000, 900_000, 1_000);
    for (let now = 404_000; now < 1_400_000; now += 1_000)
      expect([now, suspect(now)]).toEqual([now, undefined]);
  });
});

describe('speech that the service noticed and told nothing more of', () => {
  test('its end was not heard: no event and no voice for longer than an answer may take', () => {
    const { suspect, says, conversation } = listen();
    conversation.userSpeaking = true;
    conversation.unfinished = { from: 5_000 };
    says(5_000, 6_000);
    expect(suspect(16_001, 10_000)).toBeUndefined();
    expect(suspect(16_000, 10_001)).toBeUndefined();
    expect(suspect(16_001, 10_001)).toEqual({
      reason: 'the end of speech was not heard',
      from: 5_000,
      at: 16_001,
      cause: 'silence',
      level: 0,
      voiceMs: 0,
      sustained: false,
    });
  });

  test('its end was not heard, though people around go on', () => {
    const { suspect, says, conversation } = known();
    conversation.userSpeaking = true;
    conversation.unfinished = { from: 40_000 };
    says(40_000, 41_000, 3_000);
    says(41_000, 90_000, 1_000);
    expect(suspect(51_000, 10_001)).toBeUndefined();
    expect(suspect(51_001, 10_001)).toMatchObject({ reason: 'the end of speech was not heard' });
  });

  test('it was not understood, when there was a voice in it', () => {
    const { suspect, says, conversation, forget } = listen();
    conversation.unfinished = { from: 5_000, to: 5_400 };
    says(5_000, 5_299);
    expect(suspect(20_000, 15_000)).toBeUndefined();
    forget();
    says(5_000, 5_300);
    expect(suspect(20_000, 15_000)).toMatchObject({
      reason: 'speech was not understood',
      cause: 'silence',
    });
  });
});

describe('a voice that the service may still report', () => {
  test('delays a renewal, from half a second before it on; one that it ignores for three seconds does not', () => {
    const { detector, says } = listen();
    says(5_000, 60_000);
    expect(detector.unreportedSpeech(true, 4_999)).toBeUndefined();
    expect(detector.unreportedSpeech(true, 7_999)).toBe(4_500);
    expect(detector.unreportedSpeech(true, 8_000)).toBeUndefined();
    expect(detector.unreportedSpeech(false, 50_000)).toBe(4_500);
  });
});
