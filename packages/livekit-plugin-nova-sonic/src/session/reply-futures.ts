// SPDX-License-Identifier: Apache-2.0
import { llm } from '@livekit/agents';
import type { Clock } from '../clock.js';

interface ReplyFuture {
  readonly resolve: (event: llm.GenerationCreatedEvent) => void;
  readonly reject: (error: Error, drop?: boolean) => void;
}

/** The promises of `generateReply`: each settles when its reply begins, times out, is aborted, or the session ends. */
export class ReplyFutures {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #onCancelled: (id: string, drop: boolean) => void;
  readonly #onTimeout: (error: Error) => void;
  readonly #readyAt: () => number;
  readonly #futures = new Map<string, ReplyFuture>();

  /**
   * @param timeoutMs longest time until the reply begins
   * @param onCancelled called when a request is given up; with `drop` its reply must not be played either
   * @param onTimeout called when a reply did not begin in time
   * @param readyAt since when replies can be expected (ms): the time before does not count
   */
  constructor(
    clock: Clock,
    timeoutMs: number,
    onCancelled: (id: string, drop: boolean) => void,
    onTimeout: (error: Error) => void,
    readyAt: () => number = () => 0,
  ) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#onCancelled = onCancelled;
    this.#onTimeout = onTimeout;
    this.#readyAt = readyAt;
  }

  /** Calls `request` and resolves when its reply begins. */
  create(
    id: string,
    signal: AbortSignal | undefined,
    request: () => void,
  ): Promise<llm.GenerationCreatedEvent> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        cancelTimer();
        signal?.removeEventListener('abort', onAbort);
        this.#futures.delete(id);
      };
      const giveUp = (error: Error, drop = false) => {
        settle();
        this.#onCancelled(id, drop);
        reject(error);
      };
      const onAbort = () => giveUp(new llm.RealtimeError('generateReply was aborted'), true);
      const requestedAt = this.#clock.now();
      const onTime = () => {
        const left = Math.max(requestedAt, this.#readyAt()) + this.#timeoutMs - this.#clock.now();
        if (left > 0) {
          cancelTimer = this.#clock.after(left, onTime);
          return;
        }
        const error = new llm.RealtimeError('generateReply timed out: the reply did not begin');
        giveUp(error);
        this.#onTimeout(error);
      };
      let cancelTimer = this.#clock.after(this.#timeoutMs, onTime);
      this.#futures.set(id, {
        resolve: (event) => {
          settle();
          resolve(event);
        },
        reject: giveUp,
      });
      if (signal?.aborted) {
        onAbort();
        return;
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      request();
    });
  }

  /** True when `generateReply` waits for this reply. */
  has(id: string | undefined): id is string {
    return id !== undefined && this.#futures.has(id);
  }

  /** The reply has begun. */
  resolve(id: string, event: llm.GenerationCreatedEvent): void {
    this.#futures.get(id)?.resolve(event);
  }

  /** The question was answered by an earlier reply, which was played. */
  answered(id: string): void {
    const message = 'generateReply: an earlier reply answered this question, too';
    this.#futures.get(id)?.reject(new llm.RealtimeError(message));
  }

  /** No reply will come any more. */
  rejectAll(error: Error): void {
    for (const future of [...this.#futures.values()]) future.reject(error);
  }
}
