// SPDX-License-Identifier: Apache-2.0
import { llm } from '@livekit/agents';
import type { Clock } from '../clock.js';

interface ReplyFuture {
  readonly resolve: (event: llm.GenerationCreatedEvent) => void;
  readonly reject: (error: Error, drop?: boolean) => void;
}

/** The promises of `generateReply`: each ends when its reply begins, in time, by its signal, or with the session. */
export class ReplyFutures {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #onCancelled: (id: string, drop: boolean) => void;
  readonly #onTimeout: (error: Error) => void;
  readonly #futures = new Map<string, ReplyFuture>();

  /**
   * @param cancelled nobody waits for a reply any more; `drop`: it is not to be heard either
   * @param late a reply did not begin in time
   */
  constructor(
    clock: Clock,
    timeoutMs: number,
    cancelled: (id: string, drop: boolean) => void,
    late: (error: Error) => void,
  ) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#onCancelled = cancelled;
    this.#onTimeout = late;
  }

  /** Waits for a reply; `ask` asks for it. */
  wait(
    id: string,
    signal: AbortSignal | undefined,
    ask: () => void,
  ): Promise<llm.GenerationCreatedEvent> {
    return new Promise((resolve, reject) => {
      const done = () => {
        cancelTimer();
        signal?.removeEventListener('abort', onAbort);
        this.#futures.delete(id);
      };
      const giveUp = (error: Error, drop = false) => {
        done();
        this.#onCancelled(id, drop);
        reject(error);
      };
      const onAbort = () => giveUp(new llm.RealtimeError('generateReply was aborted'), true);
      const cancelTimer = this.#clock.after(this.#timeoutMs, () => {
        const error = new llm.RealtimeError('generateReply timed out: the reply did not begin');
        giveUp(error);
        this.#onTimeout(error);
      });
      this.#futures.set(id, {
        resolve: (event) => {
          done();
          resolve(event);
        },
        reject: giveUp,
      });
      if (signal?.aborted) {
        onAbort();
        return;
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      ask();
    });
  }

  /** Somebody waits for this reply. */
  has(id: string | undefined): id is string {
    return id !== undefined && this.#futures.has(id);
  }

  /** A reply has begun. */
  resolve(id: string, event: llm.GenerationCreatedEvent): void {
    this.#futures.get(id)?.resolve(event);
  }

  /** No reply will come. */
  rejectAll(error: Error): void {
    for (const waiting of [...this.#futures.values()]) waiting.reject(error);
  }
}
