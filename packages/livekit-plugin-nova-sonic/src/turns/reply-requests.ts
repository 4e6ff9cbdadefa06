// SPDX-License-Identifier: Apache-2.0
import { type DueAnswer, joined, type OtherQuestion, type Subject } from './answers.js';
import { LostAnswers } from './lost-answers.js';
import { OwedAnswers } from './owed-answers.js';
import { UnsentRequests } from './unsent-requests.js';

/**
 * The replies that the model owes, across streams: it answers one question after the other, and no reply says which question
 * it is for. A request is unsent until a stream has its text (`UnsentRequests`), then it is owed like anything else that the
 * model got (`OwedAnswers`). When the stream is gone, requests are unsent again, and the rest is lost (`LostAnswers`). Pure.
 */
export class ReplyRequestQueue {
  readonly #unsent = new UnsentRequests();
  readonly #owed: OwedAnswers;
  readonly #lost = new LostAnswers();

  /** @param patienceMs an answer that does not begin within this is not expected any more */
  constructor(patienceMs: number) {
    this.#owed = new OwedAnswers(patienceMs);
  }

  /** A reply was requested and has not begun. */
  get waiting(): boolean {
    return this.#unsent.any || this.#owed.anyRequested;
  }

  /** A text was sent whose reply has not begun, or was abandoned before it had. */
  get sentWaiting(): boolean {
    return this.#owed.anyAsked;
  }

  /** Requests that were abandoned after their text was sent. */
  get withdrawn(): string[] {
    return this.#owed.withdrawn;
  }

  /** Requests that were abandoned since the last reply began, before their text was sent. */
  get unasked(): readonly string[] {
    return this.#unsent.withdrawn;
  }

  /** What else than requests the model owes an answer to, one for each answer. */
  dueTo(now: number): readonly DueAnswer[] {
    return [...this.#lost.all, ...this.#owed.expected(now)];
  }

  /** The current stream owes an answer to anything. */
  get anyDue(): boolean {
    return this.#owed.any;
  }

  /** Those whose text was not sent on the current stream. */
  get unsent(): ReadonlyArray<{ readonly id: string; readonly text: string }> {
    return this.#unsent.texts;
  }

  add(id: string, text: string): void {
    this.#unsent.add(id, text);
  }

  /** The text of a request was sent. */
  sent(id: string, now: number): void {
    const request = this.#unsent.take(id);
    if (request) this.#owed.requested(request, now);
  }

  /** The model got something else that it answers, at a time: speech, the result of a tool, or a text of ours. */
  owesAnswer(to: OtherQuestion, since: number, subject: Partial<Subject> = {}): void {
    if (to === 'speech') this.#owed.spoke(since, subject, this.#lost.takeWithWords());
    else {
      this.#owed.asked(to, since, joined([subject]));
      this.#lost.resultsTold(subject.callIds ?? []);
    }
  }

  /** The request is abandoned; with `drop` its reply must not be played either. */
  cancel(id: string, drop: boolean): void {
    this.#unsent.withdraw(id);
    this.#owed.withdraw(id, drop);
  }

  /** See `OwedAnswers`. */
  release(id: string, sentAt: number): boolean {
    return this.#owed.release(id, sentAt);
  }

  /** The beginning of speech was sent at a time. */
  callerSpoke(sentAt: number): void {
    this.#owed.callerSpoke(sentAt);
  }

  /** The caller's sound had no words. `counted`: an answer was expected. */
  spokeNoWords(counted: boolean): void {
    this.#lost.putBack(this.#owed.spokeNoWords(counted));
  }

  /** A reply begins: the id of the request that it answers, if any. */
  begin(now: number): string | undefined {
    this.#lost.replyBegan();
    this.#unsent.replyBegan();
    return this.#owed.begin(now);
  }

  /** Nothing was heard of the reply that began last: its answer is owed again. */
  unheard(now: number): void {
    this.#owed.unheard(now);
  }

  /** A reply begins. Returns true when its request was abandoned. */
  takeAbandoned(): boolean {
    const withdrawn = this.#owed.takeWithdrawn();
    if (withdrawn) this.#lost.replyBegan();
    return withdrawn;
  }

  /** See `OwedAnswers`. */
  silentSince(at: number, now: number): string[] {
    return this.#owed.silentSince(at, now);
  }

  // -- what was lost with a stream ---------------------------------------------------------------------------------

  /** Answers that were lost with their stream, to what no stream has been asked again. */
  get lost(): readonly DueAnswer[] {
    return this.#lost.all;
  }

  /** The stream is gone, and with it what was sent on it. */
  restart(): void {
    const { requests, lost } = this.#owed.clear();
    this.#unsent.putBack(requests);
    this.#lost.streamLost(lost);
  }

  /** All that was lost was asked again by one text. */
  askedAgain(now: number, asks: Subject): void {
    this.forgetLost();
    this.#owed.asked('text', now, asks);
  }

  /** It is asked again with the first request. */
  repeat(question: string): void {
    if (this.#unsent.repeat(question, this.#lost.all)) this.forgetLost();
  }

  /** There is nothing to ask for. */
  forgetLost(): void {
    this.#lost.take();
  }
}
