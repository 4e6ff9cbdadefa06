// SPDX-License-Identifier: Apache-2.0
import type { CallerVoice, VoiceSum } from '../audio/caller-voice.js';
import type { Conversation } from '../turns/conversation.js';
import type { ResumeCause } from '../turns/user-turn.js';

/** Why the stream may be deaf, and what another one is to hear. */
export interface Suspicion {
  readonly reason: string;
  /** When the speech began that was not heard (ms since the epoch). */
  readonly from: number;
  /** When the suspicion arose (ms since the epoch). */
  readonly at: number;
  readonly cause: ResumeCause;
  /** For a voice without a pause: its level, which is ignored from then on if the other stream ignores it too. */
  readonly background?: number;
}

/** So much voice, then a pause in which the service should have reported something, is a turn that was not heard. */
const TURN_MS = 1_000;
const TURN_MEMORY_MS = 15_000;
/** The service reports speech 0.4 s after its beginning, or its text up to 2.6 s after its end. */
const REPORTED_PAUSE_MS = 2_500;
const UNREPORTED_PAUSE_MS = 4_000;
/** So much voice without a pause, for a service that reports the beginning of speech. */
const SUSTAINED_MS = 4_000;
const SUSTAINED_MEMORY_MS = 6_000;
/** Words that the service heard the beginning and the end of, and did not understand, had at least so much voice. */
const SPOKEN_MS = 300;
/** A voice of which such a service has reported nothing for so long is background. */
const REPORT_MS = 3_000;
/** Before the first voiced window there may be an unvoiced sound. */
const LEAD_MS = 500;
/** The other stream gets the speech at once, and must show within this time that it hears it. */
const TRIAL_MS = 8_000;
/** After a suspicion that was wrong: doubled each time. */
const WAIT_MS = 20_000;
const MAX_WAIT_MS = 240_000;
/** Voices that two streams ignored are background (a television, other people) up to 1.6 dB above their level … */
const BACKGROUND_MARGIN = 1.2;
/** … until there was none of them for so long. */
const BACKGROUND_MEMORY_MS = 600_000;

/**
 * Suspects a stream of hearing nothing: a voice (not loudness) for which the service shows no sign. Only the service
 * can prove it: another stream gets the same speech, and if that hears nothing either it was no speech to the service,
 * and the next suspicion waits longer. So a suspicion is a renewal and never a failure. Pure.
 */
export class DeafStreamDetector {
  readonly #voice: CallerVoice;
  /** What the service heard last, or the beginning of the stream: earlier speech is not missing. */
  #heardAt = 0;
  /** When the speech began or ended that was reported last. */
  #spokenAt = 0;
  #notBefore = 0;
  #wrong = 0;
  #trial?: { readonly suspicion: Suspicion; readonly movedAt: number };
  #background = 0;
  #backgroundUntil = 0;

  constructor(voice: CallerVoice) {
    this.#voice = voice;
  }

  /** The call has another stream. */
  restart(now: number): void {
    this.#heardAt = now;
    this.#trial = undefined;
  }

  /** The service reports the beginning or the end of speech, which arrived at `spokenAt` (ms since the epoch). */
  heard(spokenAt: number, now: number): void {
    this.#heardAt = now;
    this.#spokenAt = spokenAt;
  }

  /** The service has understood words. */
  understood(now: number): void {
    this.#heardAt = now;
    const trial = this.#trial;
    if (!trial) return;
    // Only words prove that a suspicion was right, and only those that were said before the move.
    if (this.#spokenAt > trial.movedAt) this.#wasWrong(trial.suspicion, now);
    else {
      this.#trial = undefined;
      this.#wrong = 0;
    }
  }

  /**
   * Since when there is a voice that the service may still report as speech (ms since the epoch).
   * @param reported the service reports the beginning of speech
   */
  unreportedSpeech(reported: boolean, now: number): number | undefined {
    const since = this.#voice.stretchFrom(now);
    if (since === undefined || (reported && now - since >= REPORT_MS)) return undefined;
    return since - LEAD_MS;
  }

  /** Something was heard since, or the suspicion is about another stream. */
  refuted({ at }: Suspicion): boolean {
    return this.#heardAt > at;
  }

  /** The call moved to another stream, which gets the speech that was not heard. */
  moved(suspicion: Suspicion, now: number): void {
    this.#heardAt = now;
    this.#trial = { suspicion, movedAt: now };
  }

  /** No suspicion for a while: the other stream could not be opened. */
  postpone(ms: number, now: number): void {
    this.#notBefore = Math.max(this.#notBefore, now + ms);
  }

  /** @param silentMs how long the service has sent nothing */
  suspect(
    conversation: Conversation,
    now: number,
    silentMs: number,
    progressMs: number,
  ): Suspicion | undefined {
    const trial = this.#trial;
    if (trial && now - trial.movedAt > TRIAL_MS) this.#wasWrong(trial.suspicion, now);
    if (this.#trial || now < this.#notBefore || conversation.replying) return undefined;
    if (silentMs > progressMs) {
      const suspicion = this.#ofReportedSpeech(conversation, now, progressMs);
      if (suspicion) return suspicion;
    }
    if (conversation.userSpeaking || conversation.answerImminent(now)) return undefined;
    return this.#ofUnreportedSpeech(conversation.serviceReportsSpeech, now);
  }

  #ofUnreportedSpeech(reported: boolean, now: number): Suspicion | undefined {
    const known = now < this.#backgroundUntil;
    const goesOn = known && this.#voice.since(now - SUSTAINED_MEMORY_MS);
    if (goesOn && goesOn.ms >= SUSTAINED_MS) this.#backgroundUntil = now + BACKGROUND_MEMORY_MS;
    const threshold = known ? this.#background * BACKGROUND_MARGIN : 0;
    const voice = (memoryMs: number) =>
      this.#voice.since(Math.max(this.#heardAt, now - memoryMs), threshold);
    const suspect = ({ from }: VoiceSum, background?: number): Suspicion => ({
      reason: 'speech was not heard',
      from: from - LEAD_MS,
      at: now,
      cause: 'planned',
      background,
    });
    const turn = voice(TURN_MEMORY_MS);
    const pauseMs = reported ? REPORTED_PAUSE_MS : UNREPORTED_PAUSE_MS;
    if (turn && turn.ms >= TURN_MS && now - turn.to >= pauseMs) return suspect(turn);
    // A service that reports nothing before the end of speech may be listening to a long one.
    const sustained = reported ? voice(SUSTAINED_MEMORY_MS) : undefined;
    if (!sustained || sustained.ms < SUSTAINED_MS) return undefined;
    return suspect(sustained, this.#voice.levelSince(sustained.from));
  }

  /** Speech that the service noticed, and of which it has reported nothing since. */
  #ofReportedSpeech(
    conversation: Conversation,
    now: number,
    progressMs: number,
  ): Suspicion | undefined {
    const speech = conversation.unfinishedSpeech(now);
    if (!speech) return undefined;
    const { from, to } = speech;
    const suspicion = { from, at: now, cause: 'silence' } as const;
    if (to === undefined)
      return now - Math.max(this.#voice.lastAt ?? 0, from) > progressMs
        ? { ...suspicion, reason: 'the end of speech was not heard' }
        : undefined;
    const spoken = this.#voice.since(from - LEAD_MS, 0, to + LEAD_MS);
    return spoken && spoken.ms >= SPOKEN_MS
      ? { ...suspicion, reason: 'speech was not understood' }
      : undefined;
  }

  #wasWrong({ background }: Suspicion, now: number): void {
    this.#trial = undefined;
    this.#wrong += 1;
    this.postpone(Math.min(MAX_WAIT_MS, WAIT_MS * 2 ** (this.#wrong - 1)), now);
    if (background === undefined) return;
    const known = now < this.#backgroundUntil ? this.#background : 0;
    this.#background = Math.max(known, background);
    this.#backgroundUntil = now + BACKGROUND_MEMORY_MS;
  }
}
