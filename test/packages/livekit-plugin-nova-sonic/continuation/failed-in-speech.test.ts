// SPDX-License-Identifier: Apache-2.0
// A stream that fails while the caller speaks: the next one gets what was said and was not heard, and nothing else.
import { expect, test } from '@jest/globals';
import { beginContinuation } from '../support/fake-streams.js';
import * as serverEvents from '../support/server-events.js';

type Rig = ReturnType<typeof beginContinuation>;

/** After a first exchange: the service reports the beginning of speech. */
function talk(): Rig {
  const rig = beginContinuation();
  rig.hear(1_000);
  rig
    .stream(0)
    .say(
      serverEvents.speechStart(100),
      serverEvents.speechEnd(500, 1_000),
      ...serverEvents.userText('One?'),
    );
  return rig;
}

/** The caller speaks: the numbers of the first and the last piece. */
function speak(rig: Rig, ms: number): { first: number; last: number } {
  const first = rig.lastSample + 1;
  rig.hear(ms, true);
  return { first, last: rig.lastSample };
}

/** How many pieces of some speech a stream got. */
const heardOf = (rig: Rig, index: number, { first, last }: { first: number; last: number }) =>
  rig.stream(index).audio.filter((piece) => piece >= first && piece <= last).length;

test('what was said to a stream that does nothing any more is heard by the next, however long ago it was', () => {
  const rig = talk();
  rig.hear(500);
  const two = speak(rig, 600);
  rig.hear(9_500);
  expect(rig.failures).toEqual([{ kind: 'no_response', recoverable: true }]);
  expect(heardOf(rig, 1, two)).toBe(30);
});

test('what a stream got that fails before it reports anything is heard by the one after it', () => {
  const rig = talk();
  rig.stream(0).say(...serverEvents.reply('Yes.', 80));
  rig.hear(2_000);
  const two = speak(rig, 500);
  rig.stream(0).break();
  rig.clock.advance(10);
  rig.stream(1).open();
  rig.hear(2_500);
  rig.stream(1).break();
  rig.clock.advance(2_000);
  expect([1, 2].map((index) => heardOf(rig, index, two))).toEqual([25, 25]);
});

test('all of a long speech is heard that was not reported yet', () => {
  const rig = talk();
  rig.stream(0).say(...serverEvents.reply('Yes.', 80));
  rig.hear(2_000);
  const two = speak(rig, 2_500);
  rig.stream(0).break();
  rig.clock.advance(10);
  expect(heardOf(rig, 1, two)).toBe(125);
});

test('a voice that a stream ignored which went on to work is not replayed', () => {
  const rig = talk();
  const around = speak(rig, 600);
  rig.hear(4_000);
  rig.stream(0).say(...serverEvents.reply('Yes.', 80));
  rig.hear(1_500);
  rig.stream(0).break();
  rig.clock.advance(10);
  expect(heardOf(rig, 1, around)).toBe(0);
});

test('what is said right after speech whose text came before the report of its end is heard', () => {
  const rig = talk();
  rig.stream(0).say(...serverEvents.reply('Yes.', 80), serverEvents.speechStart(1_100));
  const two = speak(rig, 600);
  rig.hear(700);
  const three = speak(rig, 300);
  rig.stream(0).say(...serverEvents.userText('Two?'), serverEvents.speechEnd(1_600, 2_300));
  rig.stream(0).break();
  rig.clock.advance(10);
  expect([two, three].map((speech) => heardOf(rig, 1, speech))).toEqual([0, 15]);
  expect(rig.stream(1).texts.at(-1)).toBe('Two?');
});

test('a stream that does nothing any more is given up after 10 s, however much is typed meanwhile', () => {
  const rig = talk();
  for (let n = 1; n <= 4; n += 1) {
    rig.hear(2_500);
    rig.conversation.request(`r${n}`, `${n}?`);
    rig.continuation.sendRequests();
  }
  rig.hear(200);
  expect(rig.failures).toEqual([{ kind: 'no_response', recoverable: true }]);
});

test('a question that waits for a stream is asked with the text that is typed then, and not by itself', () => {
  const rig = talk();
  rig.stream(0).break();
  rig.clock.advance(10);
  rig.stream(1).break();
  rig.conversation.request('r', 'Two?');
  rig.clock.advance(2_000);
  rig.stream(2).break();
  rig.clock.advance(4_000);
  expect(rig.stream(3).texts).toEqual(['Be brief.', 'One?\nTwo?']);
});

test('two results for one question are told together, when both are there', () => {
  const rig = talk();
  rig
    .stream(0)
    .say(...serverEvents.toolUse('x', {}, 'use-1'), ...serverEvents.toolUse('y', {}, 'use-2'));
  rig.stream(0).break();
  rig.clock.advance(10);
  rig.stream(1).open();
  rig.continuation.toolResult('use-1', '{}', 'note one');
  expect(rig.stream(1).texts).not.toContainEqual(expect.stringContaining('note'));
  rig.stream(1).break();
  rig.clock.advance(2_000);
  rig.continuation.toolResult('use-2', '{}', 'note two');
  expect(rig.stream(2).texts.at(-1)).toBe('note one\nnote two');
});

test('a result that was told as text, and has no answer, is asked for although the next stream called another tool', () => {
  const rig = talk();
  rig.stream(0).say(...serverEvents.toolUse('x', {}, 'use-1'));
  rig.stream(0).break();
  rig.clock.advance(10);
  rig.stream(1).open();
  rig.conversation.request('r', 'Two?');
  rig.continuation.sendRequests();
  rig.conversation.history.add({
    kind: 'tool_result',
    id: 'result',
    at: rig.clock.now(),
    callId: 'use-1',
    name: 'x',
    output: '1',
    isError: false,
  });
  rig.continuation.toolResult('use-1', '{}', 'note one');
  rig.stream(1).say(...serverEvents.toolUse('y', {}, 'use-2'));
  rig.stream(1).break();
  rig.clock.advance(2_000);
  expect(rig.stream(2).texts.at(-1)).toMatch(/tool x has returned/);
});

/** A question is open when the stream fails, while a cough counts as speech; the next stream finds no words in that. */
function coughed(): Rig {
  const rig = talk();
  rig.stream(0).say(serverEvents.speechStart(1_000));
  rig.stream(0).break();
  rig.clock.advance(10);
  rig.stream(1).open();
  rig.stream(1).say(serverEvents.speechStart(200));
  rig.hear(400);
  rig.stream(1).say(serverEvents.speechEnd(400, 800));
  expect(rig.stream(1).texts).toEqual(['Be brief.', 'One?']);
  return rig;
}

test('a question that was to be answered with words that do not come is asked by itself', () => {
  const rig = coughed();
  rig.hear(2_000);
  expect(rig.stream(1).texts).toEqual(['Be brief.', 'One?', 'One?']);
  rig.stream(1).break();
  rig.clock.advance(2_000);
  expect(rig.stream(2).texts).toEqual(['Be brief.', 'One?']);
});

test('also when a text that was typed meanwhile is answered first, and not over that answer', () => {
  const rig = coughed();
  rig.conversation.request('r', 'Two?');
  rig.continuation.sendRequests();
  rig.hear(500);
  const [first, ...rest] = serverEvents.reply('Two.', 800);
  rig.stream(1).say(first as never, ...rest.slice(0, -1));
  rig.hear(700);
  expect(rig.stream(1).texts.at(-1)).toBe('Two?');
  rig.stream(1).say(rest.at(-1) as never);
  rig.hear(1_000);
  expect(rig.stream(1).texts.slice(-2)).toEqual(['Two?', 'One?']);
});

test('but not when they come', () => {
  const rig = coughed();
  rig.stream(1).say(...serverEvents.userText('And two?'));
  rig.hear(2_000);
  expect(rig.stream(1).texts).toEqual(['Be brief.', 'One?']);
  rig.stream(1).break();
  rig.clock.advance(2_000);
  expect(rig.stream(2).texts.at(-1)).toBe('One?\nAnd two?');
});
