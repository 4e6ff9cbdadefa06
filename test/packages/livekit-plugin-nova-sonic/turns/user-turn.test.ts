// SPDX-License-Identifier: Apache-2.0
// The caller's side: who speaks since when, whose words are still to come, and from when audio is replayed.

import { describe, expect, test } from '@jest/globals';
import { ConversationHistory } from '../../../../packages/livekit-plugin-nova-sonic/src/history/conversation-history.js';
import type { Effect } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/effects.js';
import {
  type ResumeCause,
  sampleTime,
  sentTime,
  UserTurnTracker,
} from '../../../../packages/livekit-plugin-nova-sonic/src/turns/user-turn.js';

function begin() {
  const history = new ConversationHistory();
  const effects: Effect[] = [];
  let ids = 0;
  const user = new UserTurnTracker(
    history,
    () => `item_${++ids}`,
    12_000,
    (effect) => effects.push(effect),
  );
  /** Speech of the caller that the service reports 300 ms after its beginning, and 100 ms after its end. */
  const speak = (from: number, to: number) => {
    user.speechStarted(from, from + 300);
    user.speechEnded(to, to + 50, to + 100);
  };
  const said = () => history.entries.map((e) => [e.id, e.at, 'text' in e && e.text]);
  return { user, history, effects, speak, said, take: () => effects.splice(0) };
}

describe('speech and its words', () => {
  test('are one message, at the time when the speech began, final when the model answers', () => {
    const { user, speak, said, take } = begin();
    expect([user.reportsSpeech, user.awaitsLateText, user.passed, user.heardUntil]).toEqual([
      ...[false, false, false, 0],
    ]);
    user.speechStarted(1_000, 1_300);
    expect([user.speaking, user.reportsSpeech, user.heardUntil]).toEqual([true, true, 1_000]);
    speak(1_500, 2_000);
    expect([user.speaking, user.heardUntil, user.itemIds]).toEqual([false, 2_050, ['item_1']]);
    expect(take()).toEqual([{ type: 'speech_started' }, { type: 'speech_stopped' }]);
    user.text(' Hello ', 2_101, false);
    user.text('there.', 2_102, false);
    expect(said()).toEqual([['item_1', 1_000, 'Hello there.']]);
    user.responseStarted();
    user.finish();
    const transcript = { type: 'transcript', itemId: 'item_1', startedAt: 1_000 };
    expect(take()).toEqual([
      { ...transcript, text: 'Hello', final: false },
      { ...transcript, text: 'Hello there.', final: false },
      { ...transcript, text: 'Hello there.', final: true },
    ]);
    speak(5_000, 6_000);
    expect(user.itemIds).toEqual(['item_2']);
  });

  test('are due for a second after the end, while nobody speaks', () => {
    const { user, speak } = begin();
    const due = (...times: number[]) => times.map((now) => user.textDue(now));
    expect(due(0)).toEqual([false]);
    user.speechStarted(1_000, 1_300);
    expect(due(1_301)).toEqual([false]);
    speak(1_000, 2_000);
    expect(due(2_100, 3_099, 3_100)).toEqual([true, true, false]);
    expect(user.wordlessSince).toBe(2_100);
    user.text('Hi.', 2_101, false);
    expect(due(2_102)).toEqual([false]);
    expect(user.wordlessSince).toBeUndefined();
  });

  test('that the model did not wait for are words of that speech, and final at once', () => {
    const { user, speak, said, take } = begin();
    speak(1_000, 2_000);
    user.responseStarted();
    expect([user.passed, user.textDue(2_101), user.unfinished]).toEqual([true, false, undefined]);
    take();
    user.text('Hi.', 2_500, true);
    expect(said()).toEqual([['item_1', 1_000, 'Hi.']]);
    expect(take().map((effect) => effect.type === 'transcript' && effect.final)).toEqual([
      false,
      true,
    ]);
  });

  test.each([
    ['that the model passed over', 2_500, true, 'item_2'],
    ['of a moment ago', 14_000, false, 'item_1'],
    ['of long ago', 14_001, false, 'item_2'],
  ])('do not begin with a cough %s', (_, now, passed, item) => {
    const { user, speak } = begin();
    speak(1_000, 2_000);
    if (passed) user.responseStarted();
    user.speechStarted(now, now);
    expect(user.itemIds).toEqual([item]);
  });

  test('without any report of speech are a message of their own', () => {
    const { user, said } = begin();
    user.text('Hi.', 3_000, false);
    expect(said()).toEqual([['item_1', 3_000, 'Hi.']]);
    expect([user.heardUntil, user.reportsSpeech]).toEqual([3_000, false]);
  });
});

test('speech begins once and ends once', () => {
  const { user, take } = begin();
  user.stop();
  user.start(1, 2);
  user.start(3, 4);
  user.stop();
  user.stop();
  expect(take()).toEqual([{ type: 'speech_started' }, { type: 'speech_stopped' }]);
});

describe('speech whose end is not reported', () => {
  test.each<[string, boolean, number, number, boolean]>([
    ['goes on for two minutes', true, 120_000, 0, true],
    ['is over after them', true, 120_001, 0, false],
    ['goes on after them while there was a voice', true, 125_000, 113_000, true],
    ['is over after them when the voice is gone', true, 125_000, 112_999, false],
    ['goes on with a voice as long as a stream lives', true, 480_000, 480_000, true],
    ['is over after that, whoever speaks', true, 480_001, 480_001, false],
    ['that we assumed goes on for a while', false, 12_000, 0, true],
    ['that we assumed is over after it', false, 12_001, 0, false],
    ['that we assumed goes on with a voice', false, 12_001, 1, true],
  ])('%s', (_, reported, now, lastVoiceAt, speaking) => {
    const { user } = begin();
    if (reported) user.speechStarted(0, 0);
    else user.start(0, 0);
    user.tick(now, lastVoiceAt);
    expect(user.speaking).toBe(speaking);
  });
});

describe('the audio that another stream hears again', () => {
  const NOW = 100_000;
  type Rig = ReturnType<typeof begin>;
  const replay = ({ user }: Rig, cause: ResumeCause = 'failure', pending = false, from = NOW) =>
    user.replayFrom(NOW, cause, pending, from);

  test.each<[string, (rig: Rig) => void, ResumeCause, boolean, number, boolean]>([
    ['ten seconds where speech is not reported', () => {}, 'failure', false, 90_000, false],
    ['one second at a quiet moment', () => {}, 'planned', false, 99_000, false],
    [
      'one second where speech is reported',
      ({ speak }) => speak(1, 2),
      'failure',
      false,
      99_000,
      false,
    ],
    [
      'speech that goes on, from before it',
      ({ user }) => user.speechStarted(80_000, 80_300),
      'failure',
      false,
      79_000,
      true,
    ],
    [
      'speech that we assumed, from before it',
      ({ user, speak }) => {
        speak(1, 2);
        user.responseStarted();
        user.start(80_000, 80_300);
      },
      'failure',
      false,
      79_000,
      false,
    ],
    [
      'speech without words that an answer is due to',
      ({ speak }) => speak(80_000, 81_000),
      'failure',
      true,
      79_000,
      true,
    ],
    [
      'no speech without words that needs no answer',
      ({ speak }) => speak(80_000, 81_000),
      'failure',
      false,
      99_000,
      false,
    ],
    [
      'no speech that the model passed over',
      ({ user, speak }) => {
        speak(80_000, 81_000);
        user.responseStarted();
      },
      'failure',
      true,
      99_000,
      false,
    ],
    [
      'nothing that was understood',
      ({ user, speak }) => {
        speak(99_000, 99_500);
        user.text('Hi.', 99_601, false);
      },
      'failure',
      true,
      99_550,
      false,
    ],
    [
      'nothing that was understood before its end was reported',
      ({ user }) => {
        user.speechStarted(99_000, 99_300);
        user.text('Hi.', 99_400, false);
        user.speechEnded(99_700, 99_800, 99_900);
      },
      'failure',
      true,
      99_800,
      false,
    ],
  ])('is %s', (_, happens, cause, pending, audioFrom, untranscribed) => {
    const rig = begin();
    happens(rig);
    expect(replay(rig, cause, pending)).toEqual({ audioFrom, untranscribed });
  });

  test('goes back to what was not heard', () => {
    const rig = begin();
    expect(replay(rig, 'planned', false, 50_000).audioFrom).toBe(50_000);
  });

  test('is tried on two streams: if neither detects anything, it was noise', () => {
    const rig = begin();
    rig.user.speechStarted(90_000, 90_300);
    expect(rig.user.unfinished).toEqual({ from: 90_000 });
    replay(rig, 'failure');
    expect(rig.user.unfinished).toBeDefined();
    replay(rig, 'silence');
    expect([rig.user.speaking, rig.user.unfinished]).toEqual([true, undefined]);
    replay(rig, 'failure');
    expect(rig.user.speaking).toBe(true);
    replay(rig, 'silence');
    expect(rig.user.speaking).toBe(false);
  });

  test('is that of unfinished speech, up to its end', () => {
    const { user, speak } = begin();
    expect(user.unfinished).toBeUndefined();
    user.speechStarted(1_000, 1_300);
    user.stop();
    expect(user.unfinished).toEqual({ from: 1_000, to: 1_000 });
    speak(1_000, 2_000);
    expect(user.unfinished).toEqual({ from: 1_000, to: 2_000 });
    user.text('Hi.', 2_101, false);
    expect(user.unfinished).toBeUndefined();
  });
});

test.each([
  ['arrived', sampleTime],
  ['was sent', sentTime],
])('when a sample %s is now where it is not known', (_, time) => {
  const at = (offset: number) => (offset === 5 ? 77 : undefined);
  const timing = { now: 9, sampleAt: at, sentAt: at };
  const times = [time(5, timing), time(6, timing), time(undefined, timing), time(5, { now: 9 })];
  expect(times).toEqual([77, 9, 9, 9]);
});
