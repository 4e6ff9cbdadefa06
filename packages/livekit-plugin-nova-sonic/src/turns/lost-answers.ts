// SPDX-License-Identifier: Apache-2.0
import type { DueAnswer } from './answers.js';

/**
 * Answers that were lost with their stream, to what no stream has been asked again. They are asked for again
 * - with the caller's next words, while the questions are the last that the model on the next stream knows;
 * - by a text of ours, when it has answered anything else, or when there are no words. Pure.
 */
export class LostAnswers {
  #answers: readonly DueAnswer[] = [];
  /** The model has answered nothing since its stream was opened, with a history that ends with the questions. */
  #questionsAreLast = false;

  get all(): readonly DueAnswer[] {
    return this.#answers;
  }

  /** The stream is gone. */
  streamLost(answers: readonly DueAnswer[]): void {
    this.putBack(answers);
    this.#questionsAreLast = true;
  }

  /** There were no words to answer them with. */
  putBack(answers: readonly DueAnswer[]): void {
    this.#answers = [...this.#answers, ...answers];
  }

  replyBegan(): void {
    this.#questionsAreLast = false;
  }

  /** There are words: what is answered together with them. */
  takeWithWords(): readonly DueAnswer[] {
    return this.#questionsAreLast ? this.take() : [];
  }

  /** All are asked for again, or there is nothing to ask for. */
  take(): readonly DueAnswer[] {
    const answers = this.#answers;
    this.#answers = [];
    return answers;
  }

  /** The results of these calls were given as text, so that the model answers them. */
  resultsTold(callIds: readonly string[]): void {
    this.#answers = this.#answers.flatMap((answer) => {
      const left = answer.callIds.filter((callId) => !callIds.includes(callId));
      if (left.length === answer.callIds.length) return [answer];
      const nothing = left.length + answer.said.length === 0 && answer.cut === undefined;
      return nothing ? [] : [{ ...answer, callIds: left }];
    });
  }
}
