// SPDX-License-Identifier: Apache-2.0

interface ReplyRequest {
  readonly id: string;
  readonly text: string;
  sent: boolean;
}

/** Replies that were requested by text and have not begun. Pure. */
export class ReplyRequestQueue {
  #requests: ReplyRequest[] = [];
  /** Replies whose asker has gone away: the next one is theirs and is dropped. */
  #abandoned = 0;
  /** An earlier question is answered before the first request. */
  #behind = false;

  get waiting(): boolean {
    return this.#requests.length > 0;
  }

  /** A text was sent whose reply has not begun, or was abandoned before it had. */
  get sentWaiting(): boolean {
    return this.#abandoned > 0 || this.#requests.some((r) => r.sent);
  }

  /** The last text that was sent was abandoned: nobody waits for its reply. */
  get withdrawn(): boolean {
    return this.#abandoned > 0 && !this.#requests.some((r) => r.sent);
  }

  /** Those whose text was not sent on the current stream. */
  get unsent(): ReadonlyArray<ReplyRequest> {
    return this.#requests.filter((r) => !r.sent);
  }

  add(id: string, text: string): void {
    this.#requests.push({ id, text, sent: false });
  }

  /** The text of a request was sent; `behind`: the model owes the answer to an earlier question. */
  sent(id: string, behind: boolean): void {
    if (behind) this.#behind = true;
    const request = this.#requests.find((r) => r.id === id);
    if (request) request.sent = true;
  }

  /** The request is abandoned; with `drop` its reply must not be played either. */
  cancel(id: string, drop: boolean): void {
    const request = this.#requests.find((r) => r.id === id);
    if (!request) return;
    this.#requests = this.#requests.filter((r) => r !== request);
    if (drop && request.sent) this.#abandoned += 1;
  }

  /** A reply begins: the id of the request that it answers, if any. */
  begin(): string | undefined {
    if (this.#behind) {
      this.#behind = false;
      return undefined;
    }
    const index = this.#requests.findIndex((r) => r.sent);
    return index < 0 ? undefined : this.#requests.splice(index, 1)[0]?.id;
  }

  /** A reply begins. Returns true when its request was abandoned. */
  takeAbandoned(): boolean {
    if (this.#abandoned === 0) return false;
    this.#abandoned -= 1;
    return true;
  }

  /** The caller spoke: what comes now answers that. */
  clearAbandoned(): void {
    this.#abandoned = 0;
  }

  /** The stream is gone, and with it what was sent on it. */
  restart(): void {
    this.#abandoned = 0;
    this.#behind = false;
    for (const request of this.#requests) request.sent = false;
  }
}
