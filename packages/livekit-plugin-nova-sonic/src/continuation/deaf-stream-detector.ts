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
  /** How loud the voice was (root of the mean square, 0 to 32768), and how much of it there was. */
  readonly level: number;
  readonly voiceMs: number;
  /** The voice made no pause: its level is background from then on if the other stream ignores it too. */
  readonly sustained: boolean;
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
/** More suspicions than this in ten minutes are followed by a wait also when each was right. */
const FREE_MOVES = 3;
const MOVES_MEMORY_MS = 600_000;
/** Voices that two streams ignored are background (a television, other people) up to 1.6 dB above their level … */
const BACKGROUND_MARGIN = 1.2;
/** … until there was none of them for so long. */
const BACKGROUND_MEMORY_MS = 600_000;

/** What the other stream understood of the speech that was not heard. */
interface Proof {
  readonly movedAt: number;
  /** Level of the quietest voice that this stream has understood since; of what was said to it, not replayed. */
  level?: number;
}

/** Speech that the service reported: when it began and ended (ms since the epoch). */
interface ReportedSpeech {
  readonly from: number;
  to?: number;
}

/**
 * Suspects a stream of hearing nothing: a voice (not loudness) for which the service shows no sign. Only the service
 * can prove it: another stream gets the same speech, and if that hears nothing either it was no speech to the service,
 * and the next suspicion waits longer. A stream that is new may take for words what it ignores as soon as it knows the
 * background: so the words have to cover the voice, and whoever is suspected of ignoring the same voice again must have
 * understood one as quiet meanwhile. A suspicion is a renewal and never a failure. Pure.
 */
export class DeafStreamDetector {
  readonly #voice: CallerVoice;
  /** What the service heard last, or the beginning of the stream: earlier speech is not missing. */
  #heardAt = 0;
  #reported?: ReportedSpeech;
  /** How much speech this stream has reported of what it got when the call moved there (ms). */
  #replayedMs = 0;
  #notBefore = 0;
  #wrong = 0;
  #trial?: { readonly suspicion: Suspicion; readonly movedAt: number };
  #proof?: Proof;
  /** When the call moved because of a suspicion. */
  #moves: number[] = [];
  #background = 0;
  #backgroundUntil = 0;

  constructor(voice: CallerVoice) {
    this.#voice = voice;
  }

  /** The call has another stream. */
  restart(now: number): void {
    this.#heardAt = now;
    this.#reported = undefined;
    this.#trial = undefined;
    this.#proof = undefined;
  }

  /** The service reports the beginning of speech, which arrived at `from` (ms since the epoch). */
  began(from: number, now: number): void {
    this.#heardAt = now;
    this.#reported = { from };
  }

  /** The service reports the end of speech, which arrived at `to`. */
  ended(to: number, now: number): void {
    this.#heardAt = now;
    const speech = this.#reported;
    if (!speech || speech.to !== undefined) return;
    speech.to = to;
    this.#replayedMs += to - speech.from;
  }

  /** The service has understood words. */
  understood(now: number): void {
    this.#heardAt = now;
    const speech = this.#reported;
    const trial = this.#trial;
    if (!trial) {
      if (this.#proof) this.#understoodLive(this.#proof, speech ?? { from: now }, now);
      return;
    }
    // Only words prove that a suspicion was right, only those that were said before the move, and not a word or two.
    if (speech && speech.from > trial.movedAt) this.#wasWrong(trial.suspicion, now);
    else if (this.#coversVoice(trial.suspicion, speech, now)) this.#wasRight(trial.movedAt, now);
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

  /** The same, or since when there was a voice that will be suspected to be unheard after a longer pause. */
  unheardSpeech(reported: boolean, now: number): number | undefined {
    const goesOn = this.unreportedSpeech(reported, now);
    const turn = now < this.#notBefore ? undefined : this.#turn(now);
    return turn ? Math.min(turn.from - LEAD_MS, goesOn ?? now) : goesOn;
  }

  /** Since when, after a time, there was a voice that is not known to be background (ms since the epoch). */
  voiceSince(time: number, now: number): number | undefined {
    const voice = this.#voice.since(time, this.#threshold(now));
    return voice && voice.from - LEAD_MS;
  }

  /** Something was heard since, or the suspicion is about another stream. */
  refuted({ at }: Suspicion): boolean {
    return this.#heardAt > at;
  }

  /** The call moved to another stream, which gets the speech that was not heard. */
  moved(suspicion: Suspicion, now: number): void {
    this.#heardAt = now;
    this.#reported = undefined;
    this.#replayedMs = 0;
    this.#trial = { suspicion, movedAt: now };
    this.#moves = [...this.#moves.filter((at) => now - at < MOVES_MEMORY_MS), now];
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
    const suspicion = this.#ofUnreportedSpeech(conversation.serviceReportsSpeech, now);
    if (!suspicion || this.#proofStands(suspicion)) return suspicion;
    this.#wasWrong(suspicion, now);
    return undefined;
  }

  #ofUnreportedSpeech(reported: boolean, now: number): Suspicion | undefined {
    const threshold = this.#threshold(now);
    const goesOn = threshold > 0 && this.#voice.since(now - SUSTAINED_MEMORY_MS);
    if (goesOn && goesOn.ms >= SUSTAINED_MS) this.#backgroundUntil = now + BACKGROUND_MEMORY_MS;
    const suspect = ({ from, to, ms }: VoiceSum, sustained: boolean): Suspicion => ({
      reason: 'speech was not heard',
      from: from - LEAD_MS,
      at: now,
      cause: 'planned',
      level: this.#voice.level(from, to),
      voiceMs: ms,
      sustained,
    });
    const turn = this.#turn(now);
    const pauseMs = reported ? REPORTED_PAUSE_MS : UNREPORTED_PAUSE_MS;
    if (turn && now - turn.to >= pauseMs) return suspect(turn, false);
    // A service that reports nothing before the end of speech may be listening to a long one.
    const sustained = reported ? this.#unreported(SUSTAINED_MEMORY_MS, now) : undefined;
    return sustained && sustained.ms >= SUSTAINED_MS ? suspect(sustained, true) : undefined;
  }

  /** Voice that is as long as a turn, and of which the service has reported nothing. */
  #turn(now: number): VoiceSum | undefined {
    const turn = this.#unreported(TURN_MEMORY_MS, now);
    return turn && turn.ms >= TURN_MS ? turn : undefined;
  }

  #unreported(memoryMs: number, now: number): VoiceSum | undefined {
    const from = Math.max(this.#heardAt, now - memoryMs);
    return this.#voice.since(from, this.#threshold(now));
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
    const unheard = { level: 0, voiceMs: 0, sustained: false };
    const suspicion = { ...unheard, from, at: now, cause: 'silence' } as const;
    if (to === undefined) {
      const last = this.#voice.since(from, this.#threshold(now))?.to ?? from;
      return now - last > progressMs
        ? { ...suspicion, reason: 'the end of speech was not heard' }
        : undefined;
    }
    const spoken = this.#voice.since(from - LEAD_MS, 0, to + LEAD_MS);
    return spoken && spoken.ms >= SPOKEN_MS
      ? { ...suspicion, reason: 'speech was not understood' }
      : undefined;
  }

  /** A voice up to this level is background; 0 when none is known. */
  #threshold(now: number): number {
    return now < this.#backgroundUntil ? this.#background * BACKGROUND_MARGIN : 0;
  }

  /** The words that were found in the replayed audio are as long as what was missed there, or long enough. */
  #coversVoice({ voiceMs }: Suspicion, speech: ReportedSpeech | undefined, now: number): boolean {
    if (!speech) return true;
    const heardMs = this.#replayedMs + (speech.to === undefined ? now - speech.from : 0);
    return heardMs >= Math.min(TURN_MS, voiceMs / 2);
  }

  /** What was said to this stream, and not replayed, was understood. */
  #understoodLive(proof: Proof, { from, to }: ReportedSpeech, now: number): void {
    if (from <= proof.movedAt) return;
    const level = this.#voice.level(from - LEAD_MS, (to ?? now) + LEAD_MS);
    if (level > 0) proof.level = Math.min(proof.level ?? level, level);
  }

  /** The last suspicion still counts as right, although there is another now: this stream hears voices like this one. */
  #proofStands({ level, sustained }: Suspicion): boolean {
    const proof = this.#proof;
    this.#proof = undefined;
    if (!proof) return true;
    const { level: understood } = proof;
    const stands = understood === undefined ? !sustained : understood <= level * BACKGROUND_MARGIN;
    if (stands) this.#wrong = 0;
    return stands;
  }

  #wasRight(movedAt: number, now: number): void {
    this.#trial = undefined;
    this.#proof = { movedAt };
    this.#wait(this.#moves.length - FREE_MOVES, now);
  }

  #wasWrong({ sustained, level }: Suspicion, now: number): void {
    this.#trial = undefined;
    this.#wrong += 1;
    this.#wait(this.#wrong, now);
    if (!sustained) return;
    const known = now < this.#backgroundUntil ? this.#background : 0;
    this.#background = Math.max(known, level);
    this.#backgroundUntil = now + BACKGROUND_MEMORY_MS;
  }

  /** No suspicion for a while, which is twice as long each time. */
  #wait(times: number, now: number): void {
    if (times > 0) this.postpone(Math.min(MAX_WAIT_MS, WAIT_MS * 2 ** (times - 1)), now);
  }
}
