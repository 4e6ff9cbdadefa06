// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, test } from '@jest/globals';
import { PendingResponse } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/pending-response.js';

let question: PendingResponse;
beforeEach(() => {
  question = new PendingResponse(10_000);
});

describe('OpenQuestion', () => {
  test('it is open until it is answered', () => {
    expect(question.pending(0)).toBe(false);
    question.requested(100);
    expect(question.pending(101)).toBe(true);
    expect(question.pendingSince).toBe(100);
    expect(question.responseStarted(500).requestedAt).toBe(100);
    expect(question.pending(501)).toBe(false);
    expect(question.pendingSince).toBeUndefined();
  });

  test('it expires', () => {
    question.requested(0);
    question.tick(10_000);
    expect(question.pendingSince).toBe(0);
    expect(question.pending(10_000)).toBe(false);
    question.tick(10_001);
    expect(question.pendingSince).toBeUndefined();
  });

  test('an unrequested reply counts as requested when it began', () => {
    expect(question.responseStarted(700)).toEqual({
      requestedAt: 700,
      userSpeechEndedAt: undefined,
      toolWaitMs: 0,
    });
  });

  test('speech is pending from its end on, and certain once it is transcribed', () => {
    question.speechEnded(80, 100);
    expect(question.pending(101)).toBe(true);
    expect(question.pendingSince).toBeUndefined();
    expect(question.responseStarted(200)).toMatchObject({
      requestedAt: 100,
      userSpeechEndedAt: 80,
    });
    question.speechEnded(380, 400);
    question.requested(401);
    expect(question.pendingSince).toBe(401);
  });

  test('speech without words delays a renewal for four seconds only, a question until it is given up', () => {
    question.speechEnded(80, 100);
    expect(question.imminent(4_099)).toBe(true);
    expect(question.imminent(4_100)).toBe(false);
    question.requested(5_000);
    expect(question.imminent(14_999)).toBe(true);
  });

  test('more speech before the answer moves the end of speech, not the beginning of the wait', () => {
    question.speechEnded(80, 100);
    question.speechEnded(280, 300);
    expect(question.responseStarted(400)).toMatchObject({
      requestedAt: 100,
      userSpeechEndedAt: 280,
    });
  });

  test('the voice of the caller dates the end of speech only where the service does not', () => {
    question.assumeSpeechEnd(50);
    question.requested(60);
    expect(question.responseStarted(70).userSpeechEndedAt).toBe(50);
    question.reset();
    question.speechEnded(80, 90);
    question.assumeSpeechEnd(95);
    expect(question.responseStarted(99).userSpeechEndedAt).toBe(80);
  });

  test('words of ours are no speech of the caller', () => {
    question.speechEnded(80, 100);
    question.requestedByText(200);
    expect(question.responseStarted(300)).toMatchObject({
      requestedAt: 200,
      userSpeechEndedAt: undefined,
    });
  });

  test('speech that is replayed is pending from now on, and not certain', () => {
    question.speechEnded(80, 100);
    question.speechReplayed(5_000, true);
    expect(question.pending(14_999)).toBe(true);
    expect(question.pendingSince).toBeUndefined();
    question.requested(6_000);
    question.speechReplayed(7_000, false);
    expect(question.responseStarted(8_000).requestedAt).toBe(6_000);
  });

  test('the model owes an answer since the first question, however many come after it', () => {
    question.requested(100);
    question.requestedByText(5_000);
    expect([question.pendingSince, question.askedAt]).toEqual([100, 5_000]);
    expect(question.responseStarted(6_000).requestedAt).toBe(5_000);
    expect([question.pendingSince, question.askedAt]).toEqual([undefined, undefined]);
  });

  test('of calls that were made in an earlier session, those share a question that came together', () => {
    const turnOf = (callId: string, since: number) => {
      question.toolAdopted(callId, 'look_up', since, 200);
      return question.turnOf(callId);
    };
    expect([turnOf('a', 100), turnOf('b', 150), turnOf('c', 5_000)]).toEqual([-1, -1, -2]);
  });

  test('the wait for tools adds up, and each is answered once', () => {
    question.toolCalled('a', 'look_up', 100);
    question.toolCalled('b', 'look_up', 200);
    expect(question.toolAnswered('a', 400)).toBe(0);
    expect(question.sameTurnPending(0)).toBe(true);
    // The model waits for the other result.
    expect(question.pendingSince).toBeUndefined();
    expect(question.toolAnswered('a', 450)).toBeUndefined();
    expect([...question.pendingTools.keys()]).toEqual(['b']);
    expect(question.toolAnswered('b', 500)).toBe(0);
    expect(question.sameTurnPending(0)).toBe(false);
    expect(question.pendingSince).toBe(500);
    expect(question.responseStarted(600).toolWaitMs).toBe(600);
    question.reset();
    expect(question.responseStarted(700).toolWaitMs).toBe(0);
  });
});
