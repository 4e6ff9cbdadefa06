// SPDX-License-Identifier: Apache-2.0
// How a call lives on over many streams: failures, and the end.
import { describe, expect, test } from '@jest/globals';
import { beginContinuation, rigContinuation } from '../support/fake-streams.js';
import * as serverEvents from '../support/server-events.js';

describe('failure', () => {
  test('audio meanwhile is buffered, bounded, and replayed on the next stream in order', () => {
    const rig = beginContinuation({ audioBufferMs: 2_000 });
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

  test('speech that was transcribed is not replayed, nor its fading end', () => {
    const rig = beginContinuation();
    rig.hear(1_000);
    rig.hear(1_000, true);
    rig.hear(800);
    const last = rig.lastSample;
    const end = {
      userSpeechEnd: { inputAudioOffsetMs: 1_900, inputAudioDetectionOffsetMs: 2_900 },
    };
    rig.stream(0).say(serverEvents.speechStart(1_100), end, ...serverEvents.userText('Hi.'));
    rig.stream(0).break();
    rig.clock.advance(10);
    expect(rig.stream(1).audio.filter((s) => s > 0 && s <= last)).toEqual([]);
    expect(rig.stream(1).texts).toEqual(['Be brief.', 'Hi.']);
  });

  test('a cough does not date what is spoken later', () => {
    const rig = beginContinuation();
    rig.hear(1_000);
    rig
      .stream(0)
      .say(
        serverEvents.speechStart(500),
        serverEvents.speechEnd(700),
        ...serverEvents.reply('Yes?', 80),
      );
    rig.hear(5_000);
    rig
      .stream(0)
      .say(
        serverEvents.speechStart(5_600),
        serverEvents.speechEnd(5_900),
        ...serverEvents.userText('Hi.'),
      );
    const [, spoken] = rig.conversation.snapshot().filter((e) => e.kind === 'user');
    expect(spoken).toMatchObject({ text: 'Hi.' });
    expect(spoken?.at).toBeGreaterThan(1_000_000 + 5_000);
  });

  test('the result of a tool that finishes while there is no stream is sent on the next, once', () => {
    const rig = beginContinuation();
    rig
      .stream(0)
      .say(...serverEvents.toolUse('x', {}, 'use-1'), ...serverEvents.toolUse('y', {}, 'use-2'));
    rig.stream(0).break('throttled');
    rig.continuation.toolResult('use-1', '{"a":1}', 'note one');
    rig.clock.advance(600);
    rig.continuation.toolResult('use-2', '{"a":2}', 'note two');
    expect(rig.stream(1).texts.filter((t) => t.startsWith('note'))).toEqual(['note one\nnote two']);
    // The connect fails after all: both are sent again, there.
    rig.stream(1).break('throttled');
    rig.clock.advance(1_100);
    expect(rig.stream(2).texts.filter((t) => t.startsWith('note'))).toEqual(['note one\nnote two']);
    rig.stream(2).open();
    rig.hear(1_000);
    expect(rig.stream(2).texts.filter((t) => t.startsWith('note'))).toEqual(['note one\nnote two']);
    expect(rig.stream(2).names).not.toContain('toolResult');
  });

  test('a reply that was cut is finished, one without audio is generated again', () => {
    const rig = beginContinuation();
    rig
      .stream(0)
      .say(
        ...serverEvents.userText('Tell me.'),
        ...serverEvents.plan('A story.'),
        ...serverEvents.audioContent(400),
      );
    rig.stream(0).break();
    rig.clock.advance(10);
    expect(rig.stream(1).texts).toEqual([
      'Be brief.',
      'Tell me.',
      'A story.',
      expect.stringContaining('"A story."'),
    ]);
    rig.stream(1).open();
    rig.stream(1).say(...serverEvents.plan('The rest.'));
    rig.stream(1).break();
    rig.clock.advance(2_000);
    expect(rig.stream(2).texts.join()).not.toContain('The rest.');
  });

  test('a requested reply is requested again', () => {
    const rig = beginContinuation();
    rig.conversation.request('r', 'Greet.', {
      kind: 'instruction',
      id: 'r',
      at: 1,
      text: 'Greet.',
    });
    rig.continuation.sendRequests();
    rig.stream(0).break();
    rig.clock.advance(10);
    expect(rig.stream(1).texts).toEqual(['Be brief.', 'Greet.']);
  });

  test('the content filter does not meet the same exchange again', () => {
    const rig = beginContinuation();
    rig
      .stream(0)
      .say(
        ...serverEvents.userText('Fine.'),
        ...serverEvents.reply('Good.', 80),
        ...serverEvents.userText('Bad words.'),
      );
    rig.stream(0).break('content_filtered');
    rig.clock.advance(10);
    expect(rig.stream(1).texts).toEqual(['Be brief.', 'Fine.', 'Good.']);
  });

  test('a history that is too long is shortened', () => {
    const rig = beginContinuation();
    for (let i = 0; i < 100; i += 1) {
      rig.conversation.history.addUser(`u${i}`, i, 'x'.repeat(500));
      rig.conversation.history.addSpeculative(`a${i}`, i, 'y'.repeat(500));
    }
    const size = (index: number) => rig.stream(index).texts.join('').length;
    rig.stream(0).break('history_too_long');
    rig.clock.advance(10);
    rig.stream(1).break('history_too_long');
    rig.clock.advance(1_000);
    expect(size(1)).toBeLessThanOrEqual(20_009);
    expect(size(2)).toBeLessThanOrEqual(10_009);
  });

  test('the call ends when it cannot be served, and nothing runs after that', () => {
    const rig = rigContinuation();
    rig.continuation.start();
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

describe('mistakes of our own', () => {
  const mistake = () => {
    throw new Error('a mistake');
  };

  test('one in reading an event is reported, and the reader continues', () => {
    const rig = beginContinuation();
    const { apply } = rig.conversation;
    rig.conversation.apply = mistake;
    rig.stream(0).say(...serverEvents.userText('Hi.'));
    rig.conversation.apply = apply;
    rig.stream(0).say(...serverEvents.reply('Ho.', 80));
    expect(new Set(rig.internalErrors)).toEqual(new Set(['received: a mistake']));
    expect(rig.effects.map((e) => e.type)).toContain('generation_opened');
    expect(rig.streams).toHaveLength(1);
  });

  test('one in watching is reported, and watching continues', () => {
    const rig = beginContinuation({ renewAfterMs: 10_000 });
    const { tick } = rig.conversation;
    rig.conversation.tick = mistake;
    rig.hear(200);
    rig.conversation.tick = tick;
    rig.hear(10_000);
    expect(new Set(rig.internalErrors)).toEqual(new Set(['watching: a mistake']));
    expect(rig.streams).toHaveLength(2);
  });

  test('a call that cannot even try to open a stream is ended', () => {
    const rig = beginContinuation();
    rig.host.settings = mistake;
    rig.stream(0).break();
    rig.clock.advance(10);
    expect(rig.failures.at(-1)).toEqual({ kind: 'gave_up', recoverable: false });
    expect(rig.clock.pending).toBe(0);
  });
});

describe('close', () => {
  test.each<[string, (rig: ReturnType<typeof rigContinuation>) => void]>([
    ['before the start', () => {}],
    ['while connecting', (rig) => rig.continuation.start()],
    [
      'while waiting to connect',
      (rig) => {
        rig.continuation.start();
        rig.stream(0).break('throttled');
      },
    ],
    [
      'while renewing',
      (rig) => {
        rig.continuation.start();
        rig.stream(0).open();
        rig.hear(361_000);
      },
    ],
  ])('%s nothing is left', async (_, prepare) => {
    const rig = rigContinuation();
    prepare(rig);
    await rig.continuation.close();
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
