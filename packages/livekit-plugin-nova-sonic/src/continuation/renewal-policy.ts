// SPDX-License-Identifier: Apache-2.0

import type { SonicStream } from '../stream/sonic-stream.js';
import type { StreamSession } from '../stream/stream-session.js';

/** What decides about the renewal of a stream. */
export type RenewableStream = Pick<StreamSession, 'age' | 'lastActivityAt'> & {
  readonly stream: Pick<SonicStream, 'expiresAt'>;
};

/** The service ends a stream after 480 s; without a quiet moment we end it before. */
const HARD_LIMIT_MS = 465_000;
const HARD_EXTRA_MS = 90_000;
/** The service ends a stream on which nothing was said or asked for 295 s. */
const UNUSED_LIMIT_MS = 270_000;
/** Credentials are exchanged before they end. */
const CREDENTIALS_MARGIN_MS = 60_000;
/** Credentials that did not change would be due for renewal again at once. */
const SAME_CREDENTIALS_MS = 15_000;

/**
 * When a stream is to be replaced by a fresh one although nothing is wrong: by its age, its credentials, since nobody
 * speaks on it, or because somebody asked for it. Holds those who wait for it. Pure.
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

  /** Somebody asks for a fresh stream; several requests make one renewal. Resolves when the call has moved. */
  request(reason: string): Promise<void> {
    this.#requested.add(reason);
    return new Promise<void>((resolve) => this.#waiting.push({ reason, resolve }));
  }

  /** What was asked for with this reason is not needed any more; what others asked for is. */
  cancel(reason: string): void {
    this.#requested.delete(reason);
    this.#resolve((waiting) => waiting.reason === reason);
  }

  /** Why a stream should be replaced now, if it should. */
  due(link: RenewableStream, now: number): string | undefined {
    return now < this.#notBefore ? undefined : this.#reason(link, now);
  }

  #reason(link: RenewableStream, now: number): string | undefined {
    if (link.age(now) >= this.#renewAfterMs) return 'age';
    const { expiresAt } = link.stream;
    if (expiresAt !== undefined && now >= expiresAt - CREDENTIALS_MARGIN_MS) return 'credentials';
    if (now - link.lastActivityAt >= UNUSED_LIMIT_MS) return 'unused';
    return [...this.#requested][0];
  }

  /** It cannot wait for a quiet moment: the service would end the stream before. */
  overdue(link: RenewableStream, now: number): boolean {
    const after = this.#renewAfterMs;
    return link.age(now) >= Math.min(after + HARD_EXTRA_MS, Math.max(after, HARD_LIMIT_MS));
  }

  /** The next stream did not come about: not again so soon. */
  failed(waitMs: number, now: number): void {
    this.#notBefore = now + waitMs;
  }

  /** What was asked for is being done. */
  started(): void {
    this.#requested.clear();
  }

  /** The call has moved from one stream to the next, which was opened for a reason. */
  moved(reason: string, from: RenewableStream, to: RenewableStream, now: number): void {
    this.started();
    const same = reason === 'credentials' && to.stream.expiresAt === from.stream.expiresAt;
    this.#notBefore = now + (same ? SAME_CREDENTIALS_MS : 0);
  }

  /** The call has moved, or is over: nobody waits any more. */
  resolveAll(): void {
    this.#resolve(() => true);
  }

  #resolve(which: (waiting: { reason: string }) => boolean): void {
    const done = this.#waiting.filter(which);
    this.#waiting = this.#waiting.filter((waiting) => !done.includes(waiting));
    for (const { resolve } of done) resolve();
  }
}
