// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import { rigContinuity } from './support/fake-streams.js';
import * as says from './support/sonic-says.js';

initializeLogger({ pretty: false, level: 'silent' });

const begin = (options: Parameters<typeof rigContinuity>[0] = {}) => {
  const rig = rigContinuity(options);
  rig.continuity.start();
  rig.stream(0).open();
  return rig;
};

describe('renewal', () => {
  test('the next stream opens beside the old one, which goes on serving until the other is up', () => {
    const rig = begin({ renewAfterMs: 10_000 });
    rig.hear(9_900);
    expect(rig.streams).toHaveLength(1);
    rig.hear(200);
    expect(rig.streams).toHaveLength(2);
    rig.hear(100);
    const mark = rig.lastSample;
    expect(rig.stream(0).audio).toContain(mark);
    expect(rig.stream(1).audio).toEqual([0]);
    rig.stream(1).open();
    expect(rig.types()).toEqual(['opening', 'opened', 'opening', 'opened', 'closed', 'renewed']);
    expect(rig.stream(0).names.slice(-3)).toEqual(['contentEnd', 'promptEnd', 'sessionEnd']);
    // The last second is heard again, in its order, and then what is new.
    const carried = rig.stream(1).audio.slice(1);
    expect(carried).toHaveLength(50);
    expect(carried.at(-1)).toBe(mark);
    rig.hear(20);
    expect(rig.stream(1).audio.at(-1)).toBe(rig.lastSample);
    expect(rig.reconnected).toBe(1);
    expect(rig.failures).toEqual([]);
  });

  test.each<
    [string, (rig: ReturnType<typeof begin>) => void, (rig: ReturnType<typeof begin>) => void]
  >([
    [
      'while the caller speaks',
      (rig) => rig.stream(0).say(says.speechStart(100)),
      (rig) =>
        rig.stream(0).say(says.speechEnd(200), ...says.userText('Hi.'), ...says.reply('Ho.', 80)),
    ],
    [
      'between the last word and the answer',
      (rig) =>
        rig.stream(0).say(says.speechStart(100), says.speechEnd(200), ...says.userText('Hi.')),
      (rig) => rig.stream(0).say(...says.reply('Ho.', 80)),
    ],
    [
      'in the middle of a reply',
      (rig) => rig.stream(0).say(...says.plan('Ho.'), ...says.audio(80)),
      (rig) => rig.stream(0).say(...says.audio(80, 'END_TURN')),
    ],
    [
      'while a reply is still being played',
      (rig) => rig.stream(0).say(...says.reply('Ho.', 6_000)),
      (rig) => rig.hear(6_000),
    ],
    [
      'while a tool runs',
      (rig) => rig.stream(0).say(...says.toolUse('x', {}, 'use-1')),
      (rig) => {
        rig.continuity.toolResult('use-1', '{}', '');
        rig.stream(0).say(...says.reply('Ho.', 80));
      },
    ],
    [
      'while typed words wait for their answer',
      (rig) => {
        rig.conversation.request('r', 'Hello', undefined);
        rig.continuity.sendRequests();
      },
      (rig) => rig.stream(0).say(...says.reply('Ho.', 80)),
    ],
    ['when the microphone is loud', (rig) => rig.hear(1_000, true), (rig) => rig.hear(1_500)],
  ])('not %s', (_, busy, done) => {
    const rig = begin({ renewAfterMs: 10_000 });
    rig.hear(9_000);
    busy(rig);
    rig.hear(_.includes('loud') ? 1_200 : 5_000);
    expect(rig.streams).toHaveLength(1);
    done(rig);
    rig.hear(2_000);
    expect(rig.streams).toHaveLength(2);
  });

  test('who begins to speak while the next stream opens is heard there from the first word', () => {
    const rig = begin({ renewAfterMs: 10_000 });
    rig.hear(10_100);
    expect(rig.streams).toHaveLength(2);
    rig.hear(200);
    const first = rig.lastSample + 1;
    rig.hear(600, true);
    rig.stream(0).say(says.speechStart(10_300));
    rig.stream(1).open();
    expect(rig.stream(1).audio).toContain(first);
    expect(rig.types().at(-1)).toBe('renewed');
    rig.stream(1).say(says.speechEnd(1_200), ...says.userText('Hi.'), ...says.reply('Ho.', 80));
    expect(rig.effects.filter((e) => e.type === 'speech_started')).toHaveLength(1);
    expect(rig.effects.filter((e) => e.type === 'transcript' && e.final)).toHaveLength(1);
  });

  test('a stream that was told an old history is not used', () => {
    const rig = begin({ renewAfterMs: 10_000 });
    rig.hear(10_100);
    rig.stream(0).say(...says.userText('Hi.'));
    rig.stream(1).open();
    expect(rig.types()).not.toContain('renewed');
    expect(rig.stream(1).ended).toBe(true);
    rig.stream(0).say(...says.reply('Ho.', 80));
    rig.hear(1_500);
    rig.stream(2).open();
    expect(rig.types().at(-1)).toBe('renewed');
    expect(rig.stream(2).texts).toEqual(['Be brief.', 'Hi.', 'Ho.']);
  });

  test('without a quiet moment the stream is exchanged before the service ends it', () => {
    const rig = begin({ renewAfterMs: 360_000 });
    rig.hear(200_000);
    rig.stream(0).say(...says.userText('Hi.'), ...says.reply('Ho.', 80));
    rig.hear(159_000);
    rig.stream(0).say(says.speechStart(1));
    rig.hear(90_000, true);
    expect(rig.streams).toHaveLength(1);
    rig.hear(2_000, true);
    expect(rig.streams).toHaveLength(2);
    // Who has been speaking all the time is carried over, as far as the memory goes.
    expect(rig.stream(1).audio.length).toBeGreaterThan(1_000);
  });

  test('a stream on which nobody speaks is exchanged before the 295 s rule', () => {
    const rig = begin();
    rig.hear(269_000);
    expect(rig.streams).toHaveLength(1);
    rig.hear(2_000);
    expect(rig.lifecycle.at(-1)).toMatchObject({ type: 'opening', reason: 'unused' });
  });

  test('credentials are exchanged before they end, and not over and over when they stay', () => {
    const rig = rigContinuity({ expiresAt: () => 1_000_000 + 120_000 });
    rig.continuity.start();
    rig.stream(0).open();
    rig.hear(59_800);
    expect(rig.streams).toHaveLength(1);
    rig.hear(400);
    expect(rig.lifecycle.at(-1)).toMatchObject({ type: 'opening', reason: 'credentials' });
    rig.stream(1).open();
    rig.hear(10_000);
    expect(rig.streams).toHaveLength(2);
  });

  test('a renewal that is throttled leaves the call where it is, and is tried again later', () => {
    const rig = begin({ renewAfterMs: 10_000, regions: ['us-east-1', 'us-west-2'] });
    rig.hear(10_200);
    rig.stream(1).break('throttled');
    expect(rig.failures).toEqual([]);
    rig.hear(600);
    expect(rig.stream(2).region).toBe('us-west-2');
    rig.stream(2).open();
    expect(rig.types().at(-1)).toBe('renewed');
  });

  test('several requests make one renewal, at the next quiet moment', async () => {
    const rig = begin();
    rig.stream(0).say(...says.plan('Ho.'), ...says.audio(80));
    const moved = Promise.all([rig.continuity.renew('tools'), rig.continuity.renew('tools')]);
    rig.hear(1_000);
    expect(rig.streams).toHaveLength(1);
    rig.stream(0).say(...says.audio(80, 'END_TURN'));
    rig.hear(1_000);
    rig.stream(1).open();
    await moved;
    rig.hear(2_000);
    expect(rig.streams).toHaveLength(2);
  });
});

describe('failure', () => {
  test('what is said meanwhile is kept, bounded, and heard by the next stream in order', () => {
    const rig = begin({ carryOverMs: 2_000 });
    rig.hear(1_000);
    rig.stream(0).break('throttled');
    rig.hear(400);
    const marks = rig.lastSample;
    rig.clock.advance(200);
    const carried = rig.stream(1).audio.slice(1);
    expect(carried.at(-1)).toBe(marks);
    expect(carried.length).toBeGreaterThanOrEqual(20);
    rig.stream(1).break('throttled');
    rig.hear(900);
    rig.hear(9_000);
    // However long it takes, no more than the carry-over is kept.
    expect(rig.stream(2).audio.length).toBeLessThan(102 + 500);
  });

  test('speech that was understood is not heard again, nor its fading end', () => {
    const rig = begin();
    rig.hear(1_000);
    rig.hear(1_000, true);
    rig.hear(800);
    const last = rig.lastSample;
    const end = {
      userSpeechEnd: { inputAudioOffsetMs: 1_900, inputAudioDetectionOffsetMs: 2_900 },
    };
    rig.stream(0).say(says.speechStart(1_100), end, ...says.userText('Hi.'));
    rig.stream(0).break();
    rig.clock.advance(10);
    expect(rig.stream(1).audio.filter((s) => s > 0 && s <= last)).toEqual([]);
    expect(rig.stream(1).texts).toEqual(['Be brief.', 'Hi.']);
  });

  test('a cough does not lend its time to what is said later', () => {
    const rig = begin();
    rig.hear(1_000);
    rig.stream(0).say(says.speechStart(500), says.speechEnd(700), ...says.reply('Yes?', 80));
    rig.hear(5_000);
    rig.stream(0).say(says.speechStart(5_600), says.speechEnd(5_900), ...says.userText('Hi.'));
    const [, spoken] = rig.conversation.snapshot().filter((e) => e.kind === 'user');
    expect(spoken).toMatchObject({ text: 'Hi.' });
    expect(spoken?.at).toBeGreaterThan(1_000_000 + 5_000);
  });

  test('a tool that finishes while there is no stream is told to the next, once', () => {
    const rig = begin();
    rig.stream(0).say(...says.toolUse('x', {}, 'use-1'), ...says.toolUse('y', {}, 'use-2'));
    rig.stream(0).break('throttled');
    rig.continuity.toolResult('use-1', '{"a":1}', 'note one');
    rig.clock.advance(600);
    rig.continuity.toolResult('use-2', '{"a":2}', 'note two');
    expect(rig.stream(1).texts.filter((t) => t.startsWith('note'))).toEqual([
      'note one',
      'note two',
    ]);
    // The connect fails after all: both are told again, there.
    rig.stream(1).break('throttled');
    rig.clock.advance(1_100);
    expect(rig.stream(2).texts.filter((t) => t.startsWith('note'))).toEqual(['note one\nnote two']);
    rig.stream(2).open();
    rig.hear(1_000);
    expect(rig.stream(2).texts.filter((t) => t.startsWith('note'))).toEqual(['note one\nnote two']);
    expect(rig.stream(2).names).not.toContain('toolResult');
  });

  test('a reply that was cut is finished, one of which nothing was heard is given anew', () => {
    const rig = begin();
    rig.stream(0).say(...says.userText('Tell me.'), ...says.plan('A story.'), ...says.audio(400));
    rig.stream(0).break();
    rig.clock.advance(10);
    expect(rig.stream(1).texts).toEqual([
      'Be brief.',
      'Tell me.',
      'A story.',
      expect.stringContaining('"A story."'),
    ]);
    rig.stream(1).open();
    rig.stream(1).say(...says.plan('The rest.'));
    rig.stream(1).break();
    rig.clock.advance(2_000);
    expect(rig.stream(2).texts.join()).not.toContain('The rest.');
  });

  test('words that were asked for are asked for again', () => {
    const rig = begin();
    rig.conversation.request('r', 'Greet.', {
      kind: 'instruction',
      id: 'r',
      at: 1,
      text: 'Greet.',
    });
    rig.continuity.sendRequests();
    rig.stream(0).break();
    rig.clock.advance(10);
    expect(rig.stream(1).texts).toEqual(['Be brief.', 'Greet.']);
  });

  test('the content filter does not meet the same exchange again', () => {
    const rig = begin();
    rig
      .stream(0)
      .say(...says.userText('Fine.'), ...says.reply('Good.', 80), ...says.userText('Bad words.'));
    rig.stream(0).break('content_filtered');
    rig.clock.advance(10);
    expect(rig.stream(1).texts).toEqual(['Be brief.', 'Fine.', 'Good.']);
  });

  test('a history that is too long is told shorter', () => {
    const rig = begin();
    for (let i = 0; i < 100; i += 1) {
      rig.conversation.history.addUser(`u${i}`, i, 'x'.repeat(500));
      rig.conversation.history.draft(`a${i}`, i, 'y'.repeat(500));
    }
    const size = (index: number) => rig.stream(index).texts.join('').length;
    rig.stream(0).break('history_too_long');
    rig.clock.advance(10);
    rig.stream(1).break('history_too_long');
    rig.clock.advance(1_000);
    expect(size(1)).toBeLessThanOrEqual(20_009);
    expect(size(2)).toBeLessThanOrEqual(10_009);
  });

  test('the call is ended when it cannot be served, and nothing goes on after that', () => {
    const rig = rigContinuity();
    rig.continuity.start();
    for (let i = 0; rig.failures.every((f) => f.recoverable) && i < 20; i += 1) {
      rig.streams.at(-1)?.break('throttled');
      rig.clock.advance(10_000);
    }
    expect(rig.failures.at(-1)).toEqual({ kind: 'gave_up', recoverable: false });
    const count = rig.streams.length;
    rig.hear(1_000);
    expect(rig.streams).toHaveLength(count);
    expect(rig.clock.pending).toBe(0);
  });
});

describe('watchdogs and silence', () => {
  test('an answer that is owed and does not come', () => {
    const rig = begin({ progressMs: 5_000 });
    rig.stream(0).say(...says.userText('Hello?'));
    rig.hear(4_900);
    expect(rig.failures).toEqual([]);
    rig.hear(300);
    expect(rig.failures).toEqual([{ kind: 'no_response', recoverable: true }]);
    expect(rig.stream(1).texts).toEqual(['Be brief.', 'Hello?']);
  });

  test.each<[string, (rig: ReturnType<typeof begin>) => void]>([
    ['speech that ended', (rig) => rig.stream(0).say(says.speechEnd(9_000))],
    ['speech whose end the service did not tell', () => {}],
  ])('%s, and then nothing: the audio is heard again, once', (_, end) => {
    const rig = begin({ progressMs: 5_000 });
    rig.hear(8_000);
    const first = rig.lastSample + 1;
    rig.hear(1_000, true);
    rig.stream(0).say(says.speechStart(8_100));
    end(rig);
    rig.hear(5_500);
    expect(rig.failures).toEqual([{ kind: 'no_response', recoverable: true }]);
    expect(rig.stream(1).audio).toContain(first);
    rig.stream(1).open();
    rig.stream(1).say(says.speechStart(1_000), says.speechEnd(1_900));
    rig.hear(30_000);
    expect(rig.failures).toHaveLength(1);
    expect(rig.conversation.userSpeaking).toBe(false);
  });

  test('a reply that stops in the middle is finished on another stream', () => {
    const rig = begin();
    rig.stream(0).say(...says.userText('Tell me.'), ...says.plan('A story.'), ...says.audio(400));
    rig.hear(7_300);
    expect(rig.failures).toEqual([{ kind: 'no_response', recoverable: true }]);
    expect(rig.stream(1).texts.at(-1)).toContain('"A story."');
  });

  test('a connection that takes nothing any more', () => {
    const rig = begin();
    rig.stream(0).stuck = true;
    rig.hear(200);
    expect(rig.failures).toEqual([{ kind: 'no_response', recoverable: true }]);
  });

  test('a caller whom the service does not notice, once, since it may be noise', () => {
    const rig = begin();
    rig.hear(5_200, true);
    expect(rig.failures).toHaveLength(1);
    rig.stream(1).open();
    rig.hear(40_000, true);
    expect(rig.failures).toHaveLength(1);
  });

  test('a gap in the audio is silence: all of it at first, then enough for the 55 s rule', () => {
    const rig = begin();
    rig.hear(1_000);
    const before = rig.stream(0).audio.length;
    rig.clock.advance(3_000);
    const filled = rig.stream(0).audio.length - before;
    expect(filled).toBeGreaterThan(25);
    rig.clock.advance(60_000);
    const kept = rig.stream(0).audio.length - before - filled;
    expect(kept).toBeGreaterThanOrEqual(5);
    expect(kept).toBeLessThanOrEqual(8);
  });

  test('words are sent next to audio: silence goes before them where none flows', () => {
    const rig = begin();
    rig.clock.advance(9_000);
    const before = rig.stream(0).written.length;
    rig.conversation.request('r', 'Hello', undefined);
    rig.continuity.sendRequests();
    const sent = rig
      .stream(0)
      .written.slice(before)
      .map((e) => Object.keys(e.event)[0]);
    expect(sent).toEqual(['audioInput', 'contentStart', 'textInput', 'contentEnd']);
  });
});

describe('close', () => {
  test.each<[string, (rig: ReturnType<typeof rigContinuity>) => void]>([
    ['before the start', () => {}],
    ['while connecting', (rig) => rig.continuity.start()],
    [
      'while waiting to connect',
      (rig) => {
        rig.continuity.start();
        rig.stream(0).break('throttled');
      },
    ],
    [
      'while renewing',
      (rig) => {
        rig.continuity.start();
        rig.stream(0).open();
        rig.hear(361_000);
      },
    ],
  ])('%s nothing is left', async (_, prepare) => {
    const rig = rigContinuity();
    prepare(rig);
    await rig.continuity.close();
    expect(rig.clock.pending).toBe(0);
    expect(rig.streams.every((s) => s.ended)).toBe(true);
    const count = rig.streams.length;
    rig.hear(20_000);
    expect(rig.streams).toHaveLength(count);
    for (const s of rig.streams.filter((x) => x.names.includes('sessionEnd'))) {
      expect(s.names.slice(-3)).toEqual(['contentEnd', 'promptEnd', 'sessionEnd']);
    }
  });
});
