// SPDX-License-Identifier: Apache-2.0
// What a stream is told besides the caller's audio: questions again, results of tools. And that their answers are due.
import { describe, expect, test } from '@jest/globals';
import { beginContinuation } from '../support/fake-streams.js';
import * as serverEvents from '../support/server-events.js';

const asked = (words: string) => [
  serverEvents.speechStart(),
  serverEvents.speechEnd(),
  ...serverEvents.userText(words),
];

/** A question, and then another stream, which is up. */
function lostQuestion() {
  const rig = beginContinuation();
  rig.stream(0).say(...asked('Are you open?'));
  rig.stream(0).break();
  rig.clock.advance(1_000);
  rig.stream(1).open();
  expect(rig.stream(1).texts.at(-1)).toBe('Are you open?');
  return rig;
}

/** A reply that was cut while it was heard, and then another stream, which is up. */
function cutReply() {
  const rig = beginContinuation();
  const reply = [...serverEvents.plan('Until nine.'), ...serverEvents.audioContent(400)];
  rig.stream(0).say(...asked('Are you open?'), ...reply);
  rig.stream(0).break();
  rig.clock.advance(1_000);
  rig.stream(1).open();
  expect(rig.stream(1).texts.at(-1)).toMatch(/"Until nine\.".*Finish that answer/);
  return rig;
}

function type(rig: ReturnType<typeof beginContinuation>, id: string, text: string) {
  rig.conversation.request(id, text, { kind: 'user', id, at: rig.clock.now(), text });
  rig.continuation.sendRequests();
}

/** A tool whose stream is gone, and another one that is up. */
function lostTool() {
  const rig = beginContinuation();
  rig.stream(0).say(...serverEvents.toolUse('book', {}, 'use-1'));
  rig.stream(0).break();
  rig.clock.advance(1_000);
  rig.stream(1).open();
  return rig;
}

describe('a question that is asked again', () => {
  test('is due like any other: a service that stays silent is left after ten seconds', () => {
    const rig = lostQuestion();
    rig.hear(9_500);
    expect(rig.streams).toHaveLength(2);
    rig.hear(2_000);
    expect(rig.failures.map(({ kind }) => kind)).toEqual(['connection', 'no_response']);
    expect(rig.streams.length).toBeGreaterThan(2);
  });

  test.each([
    ['a question', () => lostQuestion(), 'Are you open?'],
    ['the rest of a reply', () => cutReply(), expect.stringMatching(/Finish that answer/)],
  ])(
    'is asked again with what was typed since, when there was a noise while its stream failed: %s',
    (_, lost, asksFor) => {
      const rig = lost();
      type(rig, 'typed', 'How long?');
      rig.stream(1).say(serverEvents.speechStart());
      rig.conversation.cancelRequest('typed', true);
      rig.stream(1).break();
      rig.clock.advance(3_000);
      const stream = rig.stream(rig.streams.length - 1);
      stream.open();
      stream.say(serverEvents.speechStart());
      // Whoever speaks is not talked over.
      expect(stream.names.at(-1)).not.toBe('contentEnd');
      stream.say(serverEvents.speechEnd());
      rig.hear(3_000);
      const [question, typed] = stream.texts.at(-1)?.split('\n') ?? [];
      expect(question).toEqual(asksFor);
      expect(typed).toBe('How long?');
    },
  );

  test('is not asked again when it is the rest of a reply, and something was typed since', () => {
    const rig = cutReply();
    type(rig, 'typed', 'How long?');
    rig.stream(1).break();
    rig.clock.advance(3_000);
    rig.stream(2).open();
    expect(rig.stream(2).texts.at(-1)).toBe('How long?');
    rig.stream(2).say(...serverEvents.reply('An hour.', 80));
    rig.hear(3_000);
    expect(rig.stream(2).texts.at(-1)).toBe('How long?');
  });

  test('is not asked again when the content filter stopped it', () => {
    const rig = lostQuestion();
    rig.stream(1).break('content_filtered');
    rig.clock.advance(1_000);
    rig.stream(2).open();
    rig.hear(3_000);
    expect(rig.stream(2).texts).toEqual(['Be brief.']);
  });

  test('is the last that a stream knows which is opened beside one that may be deaf', () => {
    const rig = beginContinuation();
    rig.stream(0).say(...asked('One?'), ...serverEvents.toolUse('book', {}, 'use-1'));
    rig.conversation.toolAnswered('use-1', rig.clock.now());
    rig.stream(0).say(...asked('Two?'), ...serverEvents.reply('Booked.', 80));
    rig.hear(500, true);
    rig.stream(0).say(serverEvents.speechStart());
    rig.hear(15_000);
    expect(rig.lifecycle.at(-1)).toMatchObject({ reason: 'the end of speech was not heard' });
    expect(rig.stream(1).texts.slice(-2)).toEqual(['Booked.', 'Two?']);
  });

  test('is not asked a third time once its answer has begun', () => {
    const rig = lostQuestion();
    rig.stream(1).say(...serverEvents.reply('Until nine.', 80));
    rig.hear(2_000);
    rig.stream(1).break();
    rig.clock.advance(1_000);
    expect(rig.streams).toHaveLength(3);
    expect(rig.stream(2).texts.join()).not.toMatch(/\[|^Are you open\?$/);
    expect(rig.stream(2).names.filter((name) => name === 'contentStart').length).toBe(
      // The system text, the two lines of the history, the audio.
      4,
    );
  });
});

describe('the result of a tool', () => {
  test('goes to the stream that called it, as a result', () => {
    const rig = beginContinuation();
    rig.stream(0).say(...serverEvents.toolUse('book', {}, 'use-1'));
    rig.continuation.toolResult('use-1', '{"ok":true}', 'a note');
    expect(rig.stream(0).names.slice(-3)).toEqual(['contentStart', 'toolResult', 'contentEnd']);
    expect(rig.stream(0).texts).not.toContain('a note');
  });

  test('of a call that nobody made, or that has its result, is told to nobody', () => {
    const rig = beginContinuation();
    rig.stream(0).say(...serverEvents.toolUse('book', {}, 'use-1'));
    rig.continuation.toolResult('use-1', '{}', 'a note');
    const before = rig.stream(0).names.length;
    rig.continuation.toolResult('use-1', '{}', 'a note');
    rig.continuation.toolResult('use-2', '{}', 'a note');
    expect(rig.stream(0).names).toHaveLength(before);
  });

  test('whose stream is gone is told as a text, and its answer is due', () => {
    const rig = lostTool();
    rig.hear(20_000);
    expect(rig.streams).toHaveLength(2);
    rig.continuation.toolResult('use-1', '{}', 'a note');
    expect(rig.stream(1).texts.at(-1)).toBe('a note');
    rig.hear(9_500);
    expect(rig.streams).toHaveLength(2);
    rig.hear(2_000);
    expect(rig.failures.map(({ kind }) => kind)).toEqual(['connection', 'no_response']);
  });

  test('is told once by a note: the stream after that has the result in its history', () => {
    const rig = lostTool();
    rig.continuation.toolResult('use-1', '{}', 'a note');
    rig.stream(1).say(...serverEvents.reply('Booked.', 80));
    rig.hear(2_000);
    rig.stream(1).break();
    rig.clock.advance(1_000);
    rig.stream(2).open();
    expect(rig.stream(1).texts).toContain('a note');
    expect(rig.stream(2).texts).not.toContain('a note');
  });
});
