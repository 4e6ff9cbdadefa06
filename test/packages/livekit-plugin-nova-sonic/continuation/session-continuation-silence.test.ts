// SPDX-License-Identifier: Apache-2.0
// How a call lives on over many streams: a service that falls silent, and a caller who does.
import { describe, expect, test } from '@jest/globals';
import { beginContinuation } from '../support/fake-streams.js';
import * as serverEvents from '../support/server-events.js';

describe('watchdogs and silence', () => {
  test('an answer that is owed and does not come', () => {
    const rig = beginContinuation({ progressMs: 5_000 });
    rig.stream(0).say(...serverEvents.userText('Hello?'));
    rig.hear(4_900);
    expect(rig.failures).toEqual([]);
    rig.hear(300);
    expect(rig.failures).toEqual([{ kind: 'no_response', recoverable: true }]);
    expect(rig.stream(1).texts).toEqual(['Be brief.', 'Hello?']);
  });

  test.each<[string, (rig: ReturnType<typeof beginContinuation>) => void]>([
    ['speech that ended', (rig) => rig.stream(0).say(serverEvents.speechEnd(9_000))],
    ['speech whose end the service did not tell', () => {}],
  ])('%s, and then nothing: the audio is replayed once', (_, end) => {
    const rig = beginContinuation({ progressMs: 5_000 });
    rig.hear(8_000);
    const first = rig.lastSample + 1;
    rig.hear(1_000, true);
    rig.stream(0).say(serverEvents.speechStart(8_100));
    end(rig);
    rig.hear(5_500);
    rig.stream(1).open();
    expect(rig.types().at(-1)).toBe('renewed');
    expect(rig.stream(1).audio).toContain(first);
    rig.stream(1).say(serverEvents.speechStart(1_000), serverEvents.speechEnd(1_900));
    rig.hear(30_000);
    // It may have been noise: no failure, and no third stream.
    expect(rig.failures).toEqual([]);
    expect(rig.streams).toHaveLength(2);
    expect(rig.conversation.userSpeaking).toBe(false);
  });

  test('a reply that stops in the middle is finished on another stream', () => {
    const rig = beginContinuation();
    rig
      .stream(0)
      .say(
        ...serverEvents.userText('Tell me.'),
        ...serverEvents.plan('A story.'),
        ...serverEvents.audioContent(400),
      );
    rig.hear(7_300);
    expect(rig.failures).toEqual([{ kind: 'no_response', recoverable: true }]);
    expect(rig.stream(1).texts.at(-1)).toContain('"A story."');
  });

  test('a connection that reads nothing any more', () => {
    const rig = beginContinuation();
    rig.stream(0).stuck = true;
    rig.hear(200);
    expect(rig.failures).toEqual([{ kind: 'no_response', recoverable: true }]);
  });

  test('a gap in the audio is silence: all of it at first, then enough for the 55 s rule', () => {
    const rig = beginContinuation();
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

  test('text is sent next to audio: silence precedes it where none flows', () => {
    const rig = beginContinuation();
    rig.clock.advance(9_000);
    const before = rig.stream(0).written.length;
    rig.conversation.request('r', 'Hello', undefined);
    rig.continuation.sendRequests();
    const sent = rig
      .stream(0)
      .written.slice(before)
      .map((e) => Object.keys(e.event)[0]);
    expect(sent).toEqual(['audioInput', 'contentStart', 'textInput', 'contentEnd']);
  });
});
