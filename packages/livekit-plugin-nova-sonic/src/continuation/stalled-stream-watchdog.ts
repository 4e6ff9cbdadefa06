// SPDX-License-Identifier: Apache-2.0
import type { AudioChunk } from '../audio/chunker.js';
import { rms } from '../audio/rms.js';
import { type NovaSonicError, noResponse } from '../protocol/errors.js';
import type { StreamSession } from '../stream/stream-session.js';
import type { Conversation } from '../turns/conversation.js';

/** Loud audio without any event for so long means that the service does not process it. */
const UNDETECTED_SPEECH_MS = 5_000;
/** Root mean square of samples above which audio may be speech (about -41 dBFS). */
const LOUD = 300;
/** Audio that was loud so recently may be the beginning of a turn. */
const LOUD_MEMORY_MS = 1_500;
/** A reply that stops in the middle must be noticed before the framework gives its audio up (10 s). */
const REPLY_STALL_MS = 7_000;

/**
 * Detects a service that sends nothing although it should. Nothing else would: the SDK has no such timeout, and what we
 * write keeps the connection busy. Also measures the caller's audio, before the service reports speech. Pure.
 */
export class Watchdog {
  /** When the caller's audio last came. */
  lastAudioAt = 0;
  /** When it was last loud. */
  lastLoudAt?: number;
  #lastEventAt = 0;
  #loudMs = 0;
  #undetectedReported = false;

  /** The caller's audio; `connected` when a stream gets it. */
  audio(chunk: AudioChunk, connected: boolean): void {
    this.lastAudioAt = chunk.at;
    if (rms(chunk.pcm) <= LOUD) return;
    this.lastLoudAt = chunk.at;
    if (connected) this.#loudMs += chunk.ms;
  }

  /** A new stream begins. */
  restart(now: number): void {
    this.#loudMs = 0;
    this.#lastEventAt = now;
  }

  /** The service sent an event; `noticed` when the event shows that it hears or speaks. */
  event(now: number, noticed: boolean): void {
    this.#lastEventAt = now;
    this.#loudMs = 0;
    if (noticed) this.#undetectedReported = false;
  }

  /** True when the caller was silent for long enough to have begun no turn. */
  callerSilent(now: number): boolean {
    return now - (this.lastLoudAt ?? 0) > LOUD_MEMORY_MS;
  }

  /** The stall of a stream, if it stalls. */
  detectStall(
    session: StreamSession,
    conversation: Conversation,
    now: number,
    progressMs: number,
  ): NovaSonicError | undefined {
    const { region } = session.stream;
    if (session.stream.stalled(now)) {
      return noResponse('the service did not read what was sent', 5_000, region);
    }
    if (session.openedAt === undefined) return undefined;
    const sinceEvent = now - this.#lastEventAt;
    const pendingSince = conversation.pendingSince;
    const silence = Math.min(sinceEvent, now - (pendingSince ?? now));
    if (silence > progressMs) {
      return noResponse('the service did not answer a question', silence, region);
    }
    if (conversation.replying && sinceEvent > Math.min(progressMs, REPLY_STALL_MS)) {
      return noResponse('the service did not continue a reply', sinceEvent, region);
    }
    const quietMs = Math.min(sinceEvent, now - (this.lastLoudAt ?? now));
    if (conversation.userSpeaking && quietMs > progressMs) {
      return noResponse('the service did not detect the end of speech', quietMs, region);
    }
    // May be noise that the service rightly ignores: so once only, until it detects something again.
    if (
      this.#loudMs > UNDETECTED_SPEECH_MS &&
      !this.#undetectedReported &&
      !conversation.userSpeaking
    ) {
      this.#undetectedReported = true;
      return noResponse('the service did not detect the caller speaking', this.#loudMs, region);
    }
    return undefined;
  }
}
