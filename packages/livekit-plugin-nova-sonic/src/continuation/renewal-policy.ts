// SPDX-License-Identifier: Apache-2.0

import type { SonicStream } from '../stream/sonic-stream.js';
import type { StreamSession } from '../stream/stream-session.js';

/** What the renewal of a stream depends on. */
export type RenewableStream = Pick<StreamSession, 'age' | 'lastActivityAt'> & {
  readonly stream: Pick<SonicStream, 'expiresAt'>;
};

/** The service ends a stream after 480 s; without a quiet moment it is replaced before. */
const HARD_LIMIT_MS = 465_000;
const HARD_EXTRA_MS = 90_000;
/** The service ends a stream without input for 295 s. */
const UNUSED_LIMIT_MS = 270_000;
const UNUSED_HARD_LIMIT_MS = 285_000;
/** A stream that should have been replaced beside the current one at the hard limit, and was not. */
const LAST_MOMENT_MS = 8_000;
/** Credentials are exchanged before they end. */
const CREDENTIALS_MARGIN_MS = 60_000;
/** Credentials that did not change would be due for renewal again at once. */
const SAME_CREDENTIALS_MS = 15_000;

/**
 * Decides when a healthy stream is replaced: by its age, its credentials, because nobody speaks on it, or on request.
 * Holds the promises of those who requested it. Pure.
 */
export class RenewalPolicy {
  readonly #renewAfterMs: number;
  readonly #requested = new Set<string>();
  #notBefore = 0;
  #waiting: Array<{ reason: string; resolve: () => void }> = [];

  /** @param renewAfterMs age at which a stream is replaced at the next quiet moment */
  constructor(renewAfterMs: number) {
    this.#renewAfterMs = renewAfterMs;
  }

  /** Requests a new stream; several requests make one renewal. Resolves when the call has moved. */
  request(reason: string): Promise<void> {
    this.#requested.add(reason);
    return new Promise<void>((resolve) => this.#waiting.push({ reason, resolve }));
  }

  /** Withdraws the requests with this reason. */
  cancel(reason: string): void {
    this.#requested.delete(reason);
    this.#resolve((waiting) => waiting.reason === reason);
  }

  /** Why a stream should be replaced now; undefined when it should not. */
  due(session: RenewableStream, now: number): string | undefined {
    return now < this.#notBefore ? undefined : this.#reason(session, now);
  }

  #reason(session: RenewableStream, now: number): string | undefined {
    if (session.age(now) >= this.#renewAfterMs) return 'age';
    const { expiresAt } = session.stream;
    if (expiresAt !== undefined && now >= expiresAt - CREDENTIALS_MARGIN_MS) return 'credentials';
    if (now - session.lastActivityAt >= UNUSED_LIMIT_MS) return 'unused';
    return [...this.#requested][0];
  }

  /** True when the stream cannot wait for a quiet moment: the service would end it before. */
  overdue(session: RenewableStream, now: number): boolean {
    const after = this.#renewAfterMs;
    const limit = Math.min(after + HARD_EXTRA_MS, Math.max(after, HARD_LIMIT_MS));
    return session.age(now) >= limit;
  }

  /**
   * How a stream that is due is replaced now: `beside` the current one, which nobody notices, `at_once`, or not yet.
   *
   * @param quiet by all that the service has reported, nobody speaks and nothing is pending
   * @param speech there is a voice that the service may not have reported yet
   * @param replying a reply has begun and not ended
   */
  how(
    session: RenewableStream,
    now: number,
    quiet: boolean,
    speech: boolean,
    replying: boolean,
  ): 'beside' | 'at_once' | undefined {
    const overdueAt = (time: number) =>
      this.overdue(session, time) || time - session.lastActivityAt >= UNUSED_HARD_LIMIT_MS;
    if (overdueAt(now - LAST_MOMENT_MS)) return 'at_once';
    const overdue = overdueAt(now);
    // The model sends a reply faster than it is spoken: most end in time.
    if (!quiet) return overdue && !replying ? 'at_once' : undefined;
    return speech && !overdue ? undefined : 'beside';
  }

  /** The next stream could not be opened: wait before another attempt. */
  failed(waitMs: number, now: number): void {
    this.#notBefore = now + waitMs;
  }

  /** The requested renewal is under way. */
  started(): void {
    this.#requested.clear();
  }

  /** The call has moved from one stream to the next, which was opened for this reason. */
  moved(reason: string, from: RenewableStream, to: RenewableStream, now: number): void {
    this.started();
    const same = reason === 'credentials' && to.stream.expiresAt === from.stream.expiresAt;
    this.#notBefore = now + (same ? SAME_CREDENTIALS_MS : 0);
  }

  /** The call has moved, or is over: resolves all requests. */
  resolveAll(): void {
    this.#resolve(() => true);
  }

  #resolve(which: (waiting: { reason: string }) => boolean): void {
    const done = this.#waiting.filter(which);
    this.#waiting = this.#waiting.filter((waiting) => !done.includes(waiting));
    for (const { resolve } of done) resolve();
  }
}
