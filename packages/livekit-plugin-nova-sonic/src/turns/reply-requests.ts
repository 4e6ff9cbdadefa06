// SPDX-License-Identifier: Apache-2.0

interface Request {
  readonly id: string;
  readonly text: string;
  sent: boolean;
}

/** Replies that were asked for with words and have not begun. Pure. */
export class RequestedReplies {
  #requests: Request[] = [];
  /** Replies whose asker has gone away: the next one is theirs and is dropped. */
  #orphans = 0;

  get waiting(): boolean {
    return this.#requests.length > 0;
  }

  /** Those whose words the current stream has not been told. */
  get unsent(): ReadonlyArray<Request> {
    return this.#requests.filter((r) => !r.sent);
  }

  add(id: string, text: string): void {
    this.#requests.push({ id, text, sent: false });
  }

  sent(id: string): void {
    const request = this.#requests.find((r) => r.id === id);
    if (request) request.sent = true;
  }

  /** Nobody waits for this reply any more; with `drop` it is not to be heard either. */
  cancel(id: string, drop: boolean): void {
    const request = this.#requests.find((r) => r.id === id);
    if (!request) return;
    this.#requests = this.#requests.filter((r) => r !== request);
    if (drop && request.sent) this.#orphans += 1;
  }

  /** A reply begins: the id of the request that it answers, if any. */
  begin(): string | undefined {
    const index = this.#requests.findIndex((r) => r.sent);
    return index < 0 ? undefined : this.#requests.splice(index, 1)[0]?.id;
  }

  /** A reply begins: is it one that nobody wants any more? */
  takeOrphan(): boolean {
    if (this.#orphans === 0) return false;
    this.#orphans -= 1;
    return true;
  }

  /** The caller spoke: what comes now answers that. */
  forgetOrphans(): void {
    this.#orphans = 0;
  }

  /** The stream is gone, and with it what it was told. */
  restart(): void {
    this.#orphans = 0;
    for (const request of this.#requests) request.sent = false;
  }
}
