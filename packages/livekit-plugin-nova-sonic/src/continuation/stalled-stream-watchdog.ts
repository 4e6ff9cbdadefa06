// SPDX-License-Identifier: Apache-2.0
import { type NovaSonicError, noResponse } from '../protocol/errors.js';
import type { StreamSession } from '../stream/stream-session.js';
import type { Conversation } from '../turns/conversation.js';

/** A reply that stops in the middle must be noticed before the framework gives its audio up (10 s). */
const REPLY_STALL_MS = 7_000;

/**
 * Detects a service that sends nothing although it certainly should: it transcribed a question or got a text, it has
 * begun a reply, or the connection takes nothing. Nothing else would notice: the SDK has no such timeout, and what we
 * write keeps the connection busy. What may only be sound is for `DeafStreamDetector`. Pure.
 */
export class StalledStreamWatchdog {
  #lastEventAt = 0;

  /** A new stream begins. */
  restart(now: number): void {
    this.#lastEventAt = now;
  }

  /** The service sent an event. */
  event(now: number): void {
    this.#lastEventAt = now;
  }

  /** How long the service has sent nothing (ms). */
  sinceEvent(now: number): number {
    return now - this.#lastEventAt;
  }

  /** The stall of a stream, if it stalls. */
  detectStall(
    session: StreamSession,
    conversation: Conversation,
    now: number,
    progressMs: number,
  ): NovaSonicError | undefined {
    const { region } = session.stream;
    const unreadMs = session.stream.stalled(now);
    if (unreadMs !== undefined)
      return noResponse('the service did not read what was sent', unreadMs, region);
    if (session.openedAt === undefined) return undefined;
    const sinceEvent = this.sinceEvent(now);
    const silence = Math.min(sinceEvent, now - (conversation.pendingSince ?? now));
    if (silence > progressMs) {
      return noResponse('the service did not answer a question', silence, region);
    }
    if (conversation.replying && sinceEvent > Math.min(progressMs, REPLY_STALL_MS)) {
      return noResponse('the service did not continue a reply', sinceEvent, region);
    }
    return undefined;
  }
}
