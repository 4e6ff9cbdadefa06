// SPDX-License-Identifier: Apache-2.0
// How a call lives on over many streams: renewal.
import { describe, expect, test } from '@jest/globals';
import { beginContinuation, rigContinuation } from '../support/fake-streams.js';
import * as serverEvents from '../support/server-events.js';

describe('renewal', () => {
  test('the next stream opens beside the old one, which serves the call until the other is up', () => {
    const rig = beginContinuation({ renewAfterMs: 10_000 });
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
    [
      string,
      (rig: ReturnType<typeof beginContinuation>) => void,
      (rig: ReturnType<typeof beginContinuation>) => void,
    ]
  >([
    [
      'while the caller speaks',
      (rig) => rig.stream(0).say(serverEvents.speechStart(100)),
      (rig) =>
        rig
          .stream(0)
          .say(
            serverEvents.speechEnd(200),
            ...serverEvents.userText('Hi.'),
            ...serverEvents.reply('Ho.', 80),
          ),
    ],
    [
      'between the last word and the answer',
      (rig) =>
        rig
          .stream(0)
          .say(
            serverEvents.speechStart(100),
            serverEvents.speechEnd(200),
            ...serverEvents.userText('Hi.'),
          ),
      (rig) => rig.stream(0).say(...serverEvents.reply('Ho.', 80)),
    ],
    [
      'in the middle of a reply',
      (rig) => rig.stream(0).say(...serverEvents.plan('Ho.'), ...serverEvents.audioContent(80)),
      (rig) => rig.stream(0).say(...serverEvents.audioContent(80, 'END_TURN')),
    ],
    [
      'while a reply is still being played',
      (rig) => rig.stream(0).say(...serverEvents.reply('Ho.', 6_000)),
      (rig) => rig.hear(6_000),
    ],
    [
      'while a tool runs',
      (rig) => rig.stream(0).say(...serverEvents.toolUse('x', {}, 'use-1')),
      (rig) => {
        rig.continuation.toolResult('use-1', '{}', '');
        rig.stream(0).say(...serverEvents.reply('Ho.', 80));
      },
    ],
    [
      'while typed words wait for their answer',
      (rig) => {
        rig.conversation.request('r', 'Hello', undefined);
        rig.continuation.sendRequests();
      },
      (rig) => rig.stream(0).say(...serverEvents.reply('Ho.', 80)),
    ],
    ['when the microphone is loud', (rig) => rig.hear(1_000, true), (rig) => rig.hear(1_500)],
  ])('not %s', (_, busy, done) => {
    const rig = beginContinuation({ renewAfterMs: 10_000 });
    rig.hear(9_000);
    busy(rig);
    rig.hear(_.includes('loud') ? 1_200 : 5_000);
    expect(rig.streams).toHaveLength(1);
    done(rig);
    rig.hear(2_000);
    expect(rig.streams).toHaveLength(2);
  });

  test('not while another answer is due behind a reply that was stopped', () => {
    const rig = beginContinuation({ renewAfterMs: 10_000 });
    rig.hear(9_000);
    const stream = rig.stream(0);
    stream.say(...serverEvents.userText('Look it up.'), ...serverEvents.toolUse('x', {}, 'use-1'));
    rig.continuation.toolResult('use-1', '{}', '');
    stream.say(...serverEvents.userText('And what is the time?'));
    stream.say(...serverEvents.plan('It is there.'), ...serverEvents.audioContent(80));
    rig.continuation.dispatch(rig.conversation.interrupt(rig.clock.now()));
    rig.hear(2_000);
    expect(rig.streams).toHaveLength(1);
    stream.say(...serverEvents.interruptedText(), ...serverEvents.reply('It is noon.', 80));
    rig.hear(2_000);
    expect(rig.streams).toHaveLength(2);
  });

  test('speech that begins while the next stream opens is replayed there from the first word', () => {
    const rig = beginContinuation({ renewAfterMs: 10_000 });
    rig.hear(10_100);
    expect(rig.streams).toHaveLength(2);
    rig.hear(200);
    const first = rig.lastSample + 1;
    rig.hear(600, true);
    rig.stream(0).say(serverEvents.speechStart(10_300));
    rig.stream(1).open();
    expect(rig.stream(1).audio).toContain(first);
    expect(rig.types().at(-1)).toBe('renewed');
    rig
      .stream(1)
      .say(
        serverEvents.speechEnd(1_200),
        ...serverEvents.userText('Hi.'),
        ...serverEvents.reply('Ho.', 80),
      );
    expect(rig.effects.filter((e) => e.type === 'speech_started')).toHaveLength(1);
    expect(rig.effects.filter((e) => e.type === 'transcript' && e.final)).toHaveLength(1);
  });

  test('a stream with an outdated history is not used', () => {
    const rig = beginContinuation({ renewAfterMs: 10_000 });
    rig.hear(10_100);
    rig.stream(0).say(...serverEvents.userText('Hi.'));
    rig.stream(1).open();
    expect(rig.types()).not.toContain('renewed');
    expect(rig.stream(1).ended).toBe(true);
    rig.stream(0).say(...serverEvents.reply('Ho.', 80));
    rig.hear(1_500);
    rig.stream(2).open();
    expect(rig.types().at(-1)).toBe('renewed');
    expect(rig.stream(2).texts).toEqual(['Be brief.', 'Hi.', 'Ho.']);
  });

  test('a stream that was opened with old settings is not used', () => {
    const rig = beginContinuation({ renewAfterMs: 10_000 });
    rig.hear(10_100);
    const { config } = rig.host.settings();
    rig.host.settings = () => ({ config, instructions: 'Be long.' });
    void rig.continuation.renew('settings changed');
    rig.stream(1).open();
    expect(rig.types()).not.toContain('renewed');
    rig.hear(200);
    rig.stream(2).open();
    expect(rig.types().at(-1)).toBe('renewed');
    expect(rig.stream(2).texts).toEqual(['Be long.']);
  });

  test('without a quiet moment the stream is exchanged before the service ends it', () => {
    const rig = beginContinuation({ renewAfterMs: 360_000 });
    rig.hear(200_000);
    rig.stream(0).say(...serverEvents.userText('Hi.'), ...serverEvents.reply('Ho.', 80));
    rig.hear(159_000);
    rig.stream(0).say(serverEvents.speechStart(1));
    rig.hear(90_000, true);
    expect(rig.streams).toHaveLength(1);
    rig.hear(2_000, true);
    expect(rig.streams).toHaveLength(2);
    // Who has been speaking all the time is carried over, as far as the memory goes.
    expect(rig.stream(1).audio.length).toBeGreaterThan(1_000);
  });

  test("a stream on which nobody speaks is replaced before the service's limit of 295 s", () => {
    const rig = beginContinuation();
    rig.hear(269_000);
    expect(rig.streams).toHaveLength(1);
    rig.hear(2_000);
    expect(rig.lifecycle.at(-1)).toMatchObject({ type: 'opening', reason: 'unused' });
  });

  test('credentials are exchanged before they end, and not over and over when they stay', () => {
    const rig = rigContinuation({ expiresAt: () => 1_000_000 + 120_000 });
    rig.continuation.start();
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
    const rig = beginContinuation({ renewAfterMs: 10_000, regions: ['us-east-1', 'us-west-2'] });
    rig.hear(10_200);
    rig.stream(1).break('throttled');
    expect(rig.failures).toEqual([]);
    rig.hear(600);
    expect(rig.stream(2).region).toBe('us-west-2');
    rig.stream(2).open();
    expect(rig.types().at(-1)).toBe('renewed');
  });

  test('several requests make one renewal, at the next quiet moment', async () => {
    const rig = beginContinuation();
    rig.stream(0).say(...serverEvents.plan('Ho.'), ...serverEvents.audioContent(80));
    const moved = Promise.all([rig.continuation.renew('tools'), rig.continuation.renew('tools')]);
    rig.hear(1_000);
    expect(rig.streams).toHaveLength(1);
    rig.stream(0).say(...serverEvents.audioContent(80, 'END_TURN'));
    rig.hear(1_000);
    rig.stream(1).open();
    await moved;
    rig.hear(2_000);
    expect(rig.streams).toHaveLength(2);
  });
});
