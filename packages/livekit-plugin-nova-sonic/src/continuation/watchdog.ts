// SPDX-License-Identifier: Apache-2.0
import type { AudioChunk } from '../audio/chunker.js';
import { rms } from '../audio/rms.js';
import { type NovaSonicError, noResponse } from '../protocol/errors.js';
import type { StreamSession } from '../stream/stream-session.js';
import type { Conversation } from '../turns/conversation.js';

/** So much loud audio without any event means that nobody is listening at the other end. */
const UNDETECTED_SPEECH_MS = 5_000;
/** Root mean square of samples above which audio may be speech (about -41 dBFS). */
const LOUD = 300;
/** Loud audio so recent may be the beginning of a turn. */
const LOUD_MEMORY_MS = 1_500;
/** A reply that stops in the middle must be noticed before the framework gives its audio up (10 s). */
const REPLY_STALL_MS = 7_000;

/**
 * Notices a service that says nothing although it should: nothing else would, since the SDK knows no such thing and
 * our own writes keep the connection busy. Pure; also our own ears, which hear the caller before the service tells.
 */
export class Watchdog {
  /** When the caller's audio last came. */
  lastAudioAt = 0;
  /** When it was last loud. */
  lastLoudAt?: number;
  #lastEventAt = 0;
  #loudMs = 0;
  #undetectedReported = false;

  /** The caller's audio; `connected`: to somebody who should hear it. */
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

  /** The service said something; `noticed`: that it hears or speaks. */
  event(now: number, noticed: boolean): void {
    this.#lastEventAt = now;
    this.#loudMs = 0;
    if (noticed) this.#undetectedReported = false;
  }

  /** The caller was silent for long enough to have begun nothing. */
  callerSilent(now: number): boolean {
    return now - (this.lastLoudAt ?? 0) > LOUD_MEMORY_MS;
  }

  /** What is wrong with a stream, if anything is. */
  detectStall(
    link: StreamSession,
    conversation: Conversation,
    now: number,
    progressMs: number,
  ): NovaSonicError | undefined {
    const { region } = link.stream;
    if (link.stream.stalled(now)) {
      return noResponse('the service did not take what was sent', 5_000, region);
    }
    if (link.openedAt === undefined) return undefined;
    const unheard = now - this.#lastEventAt;
    const owed = conversation.pendingSince;
    const silence = Math.min(unheard, now - (owed ?? now));
    if (silence > progressMs) {
      return noResponse('the service did not answer a question', silence, region);
    }
    if (conversation.replying && unheard > Math.min(progressMs, REPLY_STALL_MS)) {
      return noResponse('the service did not go on with a reply', unheard, region);
    }
    const calm = Math.min(unheard, now - (this.lastLoudAt ?? now));
    if (conversation.userSpeaking && calm > progressMs) {
      return noResponse('the service did not notice the end of speech', calm, region);
    }
    // It may be noise that the service rightly ignores: so once only, until it hears something again.
    if (
      this.#loudMs > UNDETECTED_SPEECH_MS &&
      !this.#undetectedReported &&
      !conversation.userSpeaking
    ) {
      this.#undetectedReported = true;
      return noResponse('the service did not notice the caller speaking', this.#loudMs, region);
    }
    return undefined;
  }
}
