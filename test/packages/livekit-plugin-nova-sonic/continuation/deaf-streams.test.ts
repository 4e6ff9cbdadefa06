// SPDX-License-Identifier: Apache-2.0
// A service that hears nothing, or is suspected of it. A suspicion moves the call to another stream and is no failure.
import { describe, expect, test } from '@jest/globals';
import { beginContinuation } from '../support/fake-streams.js';
import * as serverEvents from '../support/server-events.js';

type Rig = ReturnType<typeof beginContinuation>;

/** Nothing that an operator would be woken for. */
const expectNoFailure = (rig: Rig) => {
  expect(rig.failures).toEqual([]);
  expect(rig.types()).not.toContain('failed');
  for (const stream of rig.streams.filter(({ ended }) => ended))
    expect(stream.names.slice(-3)).toEqual(['contentEnd', 'promptEnd', 'sessionEnd']);
};

/** The caller says something, and the service answers. */
const conversation = (rig: Rig, index: number) => {
  rig.hear(1_500, true);
  rig
    .stream(index)
    .say(
      serverEvents.speechStart(),
      serverEvents.speechEnd(),
      ...serverEvents.userText('Hi.'),
      ...serverEvents.reply('Ho.', 80),
    );
  rig.hear(2_000);
};

describe('a stream that has gone deaf', () => {
  test('is replaced after a question and a pause; the other stream gets the question from its first word', () => {
    const rig = beginContinuation();
    conversation(rig, 0);
    const first = rig.lastSample + 1;
    rig.hear(2_500, true);
    rig.hear(3_000);
    expect(rig.lifecycle.at(-1)).toMatchObject({ type: 'opening', reason: 'speech was not heard' });
    rig.stream(1).open();
    expect(rig.types().at(-1)).toBe('renewed');
    expect(rig.stream(1).audio).toContain(first);
    expectNoFailure(rig);
  });

  test('is replaced also at the beginning of a call, and while the caller goes on speaking', () => {
    const first = beginContinuation();
    first.hear(2_500, true);
    first.hear(4_500);
    expect(first.streams).toHaveLength(2);
    const rig = beginContinuation();
    conversation(rig, 0);
    rig.hear(6_000, true);
    expect(rig.streams).toHaveLength(2);
    expectNoFailure(rig);
  });

  test('is replaced again as soon as it happens again, when the suspicion was right', () => {
    const rig = beginContinuation();
    for (let i = 0; i < 3; i += 1) {
      conversation(rig, i);
      rig.hear(2_500, true);
      rig.hear(3_000);
      expect(rig.streams).toHaveLength(i + 2);
      rig.stream(i + 1).open();
      rig
        .stream(i + 1)
        .say(
          serverEvents.speechStart(700),
          ...serverEvents.userText('Hi.'),
          ...serverEvents.reply('Ho.', 80),
        );
      rig.hear(1_000);
    }
    expectNoFailure(rig);
  });

  test('does not lose the call when the other stream cannot be opened', () => {
    const rig = beginContinuation();
    rig.hear(2_000, true);
    rig.hear(4_500);
    rig.stream(1).break('throttled');
    expect(rig.failures).toEqual([]);
    rig.hear(3_000);
    expect(rig.stream(0).ended).toBe(false);
    expect(rig.streams.length).toBeGreaterThan(2);
  });
});

describe('speech that is not suspected yet to be unheard', () => {
  /** The caller says something, of which the stream reports nothing. */
  const speak = (rig: Rig) => {
    conversation(rig, 0);
    const first = rig.lastSample + 1;
    rig.hear(1_500, true);
    return first;
  };

  test('is heard by the stream that a planned renewal opens meanwhile', () => {
    const rig = beginContinuation();
    const first = speak(rig);
    rig.hear(1_600);
    void rig.continuation.renew('requested');
    rig.hear(200);
    expect(rig.lifecycle.at(-1)).toMatchObject({ type: 'opening', reason: 'requested' });
    rig.stream(1).open();
    expect(rig.stream(1).audio).toContain(first);
    expectNoFailure(rig);
  });

  test('also when the next stream was opened before it, and took its time', () => {
    const rig = beginContinuation();
    conversation(rig, 0);
    rig.hear(2_000);
    void rig.continuation.renew('requested');
    rig.hear(100);
    expect(rig.streams).toHaveLength(2);
    const first = rig.lastSample + 1;
    rig.hear(1_500, true);
    rig.hear(6_000);
    rig.stream(1).open();
    expect(rig.types().at(-1)).toBe('renewed');
    expect(rig.stream(1).audio).toContain(first);
  });

  test('is heard by the next stream when this one fails, however busy it seemed', () => {
    const rig = beginContinuation();
    const first = speak(rig);
    rig.hear(2_000);
    rig.stream(0).say(...serverEvents.spokenReply('Ho.'));
    rig.stream(0).break();
    rig.clock.advance(10);
    expect(rig.stream(1).audio).toContain(first);
  });
});

describe('a wrong suspicion', () => {
  test('is dropped when the service reports the speech after all', () => {
    const rig = beginContinuation();
    rig.hear(2_000, true);
    rig.hear(4_500);
    expect(rig.streams).toHaveLength(2);
    rig.stream(0).say(serverEvents.speechStart(500));
    rig.stream(1).open();
    expect(rig.types()).not.toContain('renewed');
    expect(rig.stream(0).ended).toBe(false);
    expectNoFailure(rig);
  });

  test('is followed by ever longer pauses', () => {
    const rig = beginContinuation();
    for (let s = 0; s < 600; s += 10) {
      rig.hear(2_000, true);
      rig.hear(8_000);
      const last = rig.streams.at(-1);
      if (last && !last.live && !last.ended) last.open();
    }
    // Every ten seconds somebody else speaks, who means nothing to the service.
    expect(rig.streams.length).toBeGreaterThan(3);
    expect(rig.streams.length).toBeLessThan(9);
    expectNoFailure(rig);
  });

  test('teaches what is background: the next one needs a louder voice', () => {
    let level = 2_000;
    const rig = beginContinuation({
      detector: { predict: (samples) => (samples.some((s) => Math.abs(s) > 500) ? 1 : 0) },
    });
    const television = (ms: number) => {
      for (let t = 0; t < ms; t += 20) {
        rig.clock.advance(20);
        const samples = new Int16Array(320).fill(level);
        rig.continuation.audio({
          pcm: new Uint8Array(samples.buffer),
          at: rig.clock.now(),
          ms: 20,
        });
        const last = rig.streams.at(-1);
        if (last && !last.live && !last.ended) last.open();
      }
    };
    conversation(rig, 0);
    television(120_000);
    expect(rig.streams).toHaveLength(2);
    // The service goes deaf: whoever speaks louder than the television is missed.
    level = 6_000;
    television(2_500);
    level = 2_000;
    television(3_000);
    expect(rig.streams).toHaveLength(3);
    expectNoFailure(rig);
  });
});

describe('long speech', () => {
  test.each([
    ['that is reported when it begins', true],
    ['that is not reported before its end', false],
  ])('%s is one stream, answered once', (_, reported) => {
    const rig = beginContinuation();
    rig.hear(1_000);
    rig.hear(500, true);
    if (reported) rig.stream(0).say(serverEvents.speechStart(1_100));
    rig.hear(124_500, true);
    rig.hear(1_800);
    rig
      .stream(0)
      .say(
        serverEvents.speechEnd(126_000),
        ...serverEvents.userText('A long story.'),
        ...serverEvents.reply('I see.', 80),
      );
    rig.hear(20_000);
    expect(rig.streams).toHaveLength(1);
    expect(rig.effects.filter(({ type }) => type === 'generation_opened')).toHaveLength(1);
    expect(rig.effects.filter((e) => e.type === 'transcript' && e.final)).toHaveLength(1);
    expectNoFailure(rig);
  });
});

describe('noise that the service takes for speech', () => {
  test('is no question: no failure, and no other stream', () => {
    const rig = beginContinuation();
    for (let i = 0; i < 20; i += 1) {
      rig.hear(1_000);
      rig
        .stream(0)
        .say(serverEvents.speechStart(i * 12_000), serverEvents.speechEnd(i * 12_000 + 500));
      rig.hear(11_000);
    }
    expect(rig.streams).toHaveLength(1);
    expectNoFailure(rig);
  });

  test('does not delay the renewal, and does not make a stream count as used', () => {
    const rig = beginContinuation({ renewAfterMs: 60_000 });
    for (let i = 0; i < 13; i += 1) {
      rig.stream(0).say(serverEvents.speechStart(), serverEvents.speechEnd());
      rig.hear(5_000);
    }
    expect(rig.streams).toHaveLength(2);
    const unused = beginContinuation();
    for (let i = 0; i < 55; i += 1) {
      unused.stream(0).say(serverEvents.speechStart(), serverEvents.speechEnd());
      unused.hear(5_000);
    }
    expect(unused.lifecycle.at(-1)).toMatchObject({ type: 'opening', reason: 'unused' });
  });
});
