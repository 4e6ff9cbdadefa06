// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test } from '@jest/globals';
import { OpenQuestion } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/pending-response.js';

let question: OpenQuestion;
beforeEach(() => {
  question = new OpenQuestion(10_000);
});

describe('OpenQuestion', () => {
  test('it is open until it is answered', () => {
    expect(question.open(0)).toBe(false);
    question.asked(100);
    expect(question.open(101)).toBe(true);
    expect(question.owedSince).toBe(100);
    expect(question.answered(500).requestedAt).toBe(100);
    expect(question.open(501)).toBe(false);
    expect(question.owedSince).toBeUndefined();
  });

  test('it is not open for ever', () => {
    question.asked(0);
    question.tick(10_000);
    expect(question.owedSince).toBe(0);
    expect(question.open(10_000)).toBe(false);
    question.tick(10_001);
    expect(question.owedSince).toBeUndefined();
  });

  test('a reply that nobody asked for was asked for when it began', () => {
    expect(question.answered(700)).toEqual({
      requestedAt: 700,
      userSpeechEndedAt: undefined,
      toolWaitMs: 0,
    });
  });

  test('speech is a question from its end on; noise that was heard in vain is owed no answer', () => {
    question.spoken(80, 100, false);
    expect(question.open(101)).toBe(true);
    expect(question.owedSince).toBeUndefined();
    expect(question.answered(200)).toMatchObject({ requestedAt: 100, userSpeechEndedAt: 80 });
  });

  test('more speech before the answer moves the end of speech, not the beginning of the wait', () => {
    question.spoken(80, 100, true);
    question.spoken(280, 300, true);
    expect(question.answered(400)).toMatchObject({ requestedAt: 100, userSpeechEndedAt: 280 });
  });

  test('our own ears tell the end of speech only where the service does not', () => {
    question.spokenUntil(50);
    question.asked(60);
    expect(question.answered(70).userSpeechEndedAt).toBe(50);
    question.settled();
    question.spoken(80, 90, true);
    question.spokenUntil(95);
    expect(question.answered(99).userSpeechEndedAt).toBe(80);
  });

  test('words of ours are no speech of the caller', () => {
    question.spoken(80, 100, true);
    question.askedInWords(200);
    expect(question.answered(300)).toMatchObject({
      requestedAt: 200,
      userSpeechEndedAt: undefined,
    });
  });

  test('speech that another stream hears again is owed from now on, and not surely', () => {
    question.spoken(80, 100, true);
    question.carriedOver(5_000, true);
    expect(question.open(14_999)).toBe(true);
    expect(question.owedSince).toBeUndefined();
    question.asked(6_000);
    question.carriedOver(7_000, false);
    expect(question.answered(8_000).requestedAt).toBe(6_000);
  });

  test('the wait for tools adds up, and each is answered once', () => {
    question.toolCalled('a', 'look_up', 100);
    question.toolCalled('b', 'look_up', 200);
    expect(question.toolAnswered('a', 400)).toBe(true);
    expect(question.toolAnswered('a', 450)).toBe(false);
    expect([...question.pendingTools.keys()]).toEqual(['b']);
    expect(question.toolAnswered('b', 500)).toBe(true);
    expect(question.owedSince).toBe(500);
    expect(question.answered(600).toolWaitMs).toBe(600);
    question.settled();
    expect(question.answered(700).toolWaitMs).toBe(0);
  });
});
