// SPDX-License-Identifier: Apache-2.0
import { joinedWithNew, type ReplyRequest, type Subject } from './answers.js';

/** Requested replies whose text the current stream does not have, in the order in which they were asked for. Pure. */
export class UnsentRequests {
  #requests: ReplyRequest[] = [];
  #withdrawn: string[] = [];

  get any(): boolean {
    return this.#requests.length > 0;
  }

  /** What is to be sent. */
  get texts(): ReadonlyArray<{ readonly id: string; readonly text: string }> {
    return this.#requests.map(({ id, text, repeats }) => ({
      id,
      text: [repeats?.question, text].filter(Boolean).join('\n'),
    }));
  }

  /** Those that were withdrawn since the last reply began. */
  get withdrawn(): readonly string[] {
    return this.#withdrawn;
  }

  add(id: string, text: string): void {
    const [first] = this.#requests;
    // Of two texts at once one may stay without an answer.
    const repeats = first?.text === '' ? this.#requests.shift()?.repeats : undefined;
    this.#requests.push({ id, text, repeats });
  }

  /** These were sent on a stream that is gone: they come first. */
  putBack(requests: readonly ReplyRequest[]): void {
    this.#requests.unshift(...requests);
  }

  /** Its text is sent. */
  take(id: string): ReplyRequest | undefined {
    const request = this.#requests.find((r) => r.id === id);
    if (request) this.#requests = this.#requests.filter((r) => r !== request);
    return request;
  }

  /** Lost questions are asked again with the first request. Returns false when there is none. */
  repeat(question: string, subjects: readonly Subject[]): boolean {
    const [first] = this.#requests;
    if (!first) return false;
    const repeats = { question, ...joinedWithNew([...subjects, first.repeats]) };
    this.#requests[0] = { ...first, repeats };
    return true;
  }

  /** Nobody wants it any more; what was to be asked again with it goes with the next one, or by itself. */
  withdraw(id: string): void {
    const request = this.take(id);
    if (!request) return;
    this.#withdrawn.push(id);
    const { repeats } = request;
    if (repeats === undefined) return;
    const [next] = this.#requests;
    if (next) this.#requests[0] = { ...next, repeats };
    else this.#requests.push({ id: `${id}-repeats`, text: '', repeats });
  }

  /** A reply begins. */
  replyBegan(): void {
    this.#withdrawn = [];
  }
}
