// SPDX-License-Identifier: Apache-2.0
import type { ConversationHistory } from '../history/conversation-history.js';
import type { Effect, EventTiming } from './effects.js';

interface UserTurn {
  readonly itemId: string;
  readonly startedAt: number;
  endedAt?: number;
  detectedAt?: number;
  /** When the service reported that it ended. */
  endReportedAt?: number;
  texts: string[];
  /** The model has answered: the transcript is final. */
  answered: boolean;
  /** The model went on without a text for it: it was a cough, or its text comes late. */
  passed: boolean;
  /** Its audio was replayed on a second stream already: if that detects nothing either, it was noise. */
  retried: boolean;
}

/** The service detects speech some time after it began; what came before is replayed as well. */
const SPEECH_LEAD_MS = 1_000;
/** The same for a service that does not report when speech begins. */
const UNREPORTED_LEAD_MS = 10_000;
/** The text of speech comes right after its end (capture: 1 ms); later there was nothing to be understood. */
export const TEXT_LAG_MS = 1_000;
/** Ends speech whose userSpeechEnd was lost, unless there still is a voice … */
const SPEECH_PATIENCE_MS = 120_000;
/** … which is somebody else's after so long: no stream lives longer. */
const LONGEST_SPEECH_MS = 480_000;

/** Why a stream is followed by another. */
export type ResumeCause = 'failure' | 'silence' | 'planned';

/** The caller's side of the conversation: who speaks since when, turns and their transcripts. Pure. */
export class UserTurnTracker {
  readonly #emit: (effect: Effect) => void;
  readonly #history: ConversationHistory;
  readonly #newId: () => string;
  readonly #patienceMs: number;
  #turn?: UserTurn;
  #speaking = false;
  #since = 0;
  #reportedAt = 0;
  /** The service itself reported that this speech began. */
  #reportedByService = false;
  /** The service reports the beginning of speech at all. */
  #serviceReportsSpeech = false;
  #understoodUntil = 0;
  #heardUntil = 0;

  constructor(
    history: ConversationHistory,
    newId: () => string,
    patienceMs: number,
    emit: (effect: Effect) => void,
  ) {
    this.#history = history;
    this.#newId = newId;
    this.#patienceMs = patienceMs;
    this.#emit = emit;
  }

  get speaking(): boolean {
    return this.#speaking;
  }

  /** The service has reported the beginning of speech in this call. */
  get reportsSpeech(): boolean {
    return this.#serviceReportsSpeech;
  }

  /** The caller's audio up to here was heard, with all that the service reported of it (ms since the epoch). */
  get heardUntil(): number {
    return Math.max(this.#heardUntil, this.#understoodUntil);
  }

  /** Speech without a text, or without its end, unless its audio was replayed already. */
  get unfinished(): { readonly from: number; readonly to?: number } | undefined {
    const turn = this.#turn;
    if (!turn || turn.retried || !this.awaitsLateText || turn.passed) return undefined;
    return { from: turn.startedAt, ...(!this.#speaking && { to: turn.endedAt ?? turn.startedAt }) };
  }

  /** When the end was reported of speech that has no words. */
  get wordlessSince(): number | undefined {
    return this.awaitsLateText && !this.#speaking ? this.#turn?.endReportedAt : undefined;
  }

  /** The text of the turn that the model has begun to answer is still to come. */
  get awaitsLateText(): boolean {
    return this.#turn !== undefined && !this.#turn.answered && this.#turn.texts.length === 0;
  }

  /** The text of what the caller has just said is to come. */
  textDue(now: number): boolean {
    const turn = this.#turn;
    if (!turn || this.#speaking || !this.awaitsLateText || turn.passed) return false;
    return now - (turn.endReportedAt ?? Number.NEGATIVE_INFINITY) < TEXT_LAG_MS;
  }

  /** The entry of the current turn in the history, if there is one. */
  get itemIds(): string[] {
    return this.#turn ? [this.#turn.itemId] : [];
  }

  /** The model went on without the text of this turn. */
  get passed(): boolean {
    return this.#turn?.passed ?? false;
  }

  /** The service reported the beginning of speech. */
  speechStarted(at: number, now: number): void {
    this.#serviceReportsSpeech = true;
    this.#heardUntil = Math.max(this.#heardUntil, at);
    this.start(at, now);
    this.#reportedByService = true;
    this.#begin(at, now);
  }

  /** The service reported that speech ended at a time, and detected it at a later one. */
  speechEnded(at: number, detectedAt: number, now: number): void {
    const turn = this.#turn;
    this.#heardUntil = Math.max(this.#heardUntil, detectedAt);
    if (turn && !turn.answered) {
      turn.endedAt = at;
      turn.detectedAt = detectedAt;
      turn.endReportedAt = now;
      // What was said since is not understood, although the text may have come first.
      if (turn.texts.length > 0) this.#understoodUntil = detectedAt;
    }
    this.stop();
  }

  /** A transcript of the caller. `late`: the model has begun to answer it already. */
  text(text: string, now: number, late: boolean): void {
    if (!late) this.#begin(now, now);
    const turn = this.#turn as UserTurn;
    turn.texts.push(text.trim());
    const entry = this.#history.entries.find((e) => e.id === turn.itemId);
    const whole = turn.texts.join(' ');
    if (entry?.kind === 'user') entry.text = whole;
    this.#understoodUntil = Math.max(this.#understoodUntil, turn.detectedAt ?? now);
    this.#transcript(turn, false);
    if (late) this.finish();
  }

  /** The model answers, so the turn is over: its transcript is final. An empty turn emits nothing. */
  finish(): void {
    const turn = this.#turn;
    if (!turn || turn.answered || turn.texts.length === 0) return;
    turn.answered = true;
    this.#transcript(turn, true);
  }

  /** A reply begins. */
  responseStarted(): void {
    this.finish();
    if (this.#turn) this.#turn.passed = true;
  }

  start(at: number, now: number): void {
    if (this.#speaking) return;
    this.#speaking = true;
    this.#reportedByService = false;
    this.#since = at;
    this.#reportedAt = now;
    this.#emit({ type: 'speech_started' });
  }

  stop(): void {
    if (!this.#speaking) return;
    this.#speaking = false;
    this.#emit({ type: 'speech_stopped' });
  }

  /** Ends speech of which nothing more is reported, and in which there is no voice any more. */
  tick(now: number, lastVoiceAt: number): void {
    if (!this.#speaking) return;
    const limit = this.#reportedByService ? SPEECH_PATIENCE_MS : this.#patienceMs;
    const silent = now - Math.max(this.#reportedAt, lastVoiceAt) > this.#patienceMs;
    const since = now - this.#reportedAt;
    if (since > LONGEST_SPEECH_MS || (since > limit && silent)) this.stop();
  }

  /**
   * The stream is gone: from which time on is the caller's audio replayed? `pending`: an answer is pending; `from`:
   * speech since then was not heard.
   */
  replayFrom(
    now: number,
    cause: ResumeCause,
    pending: boolean,
    from: number,
  ): { audioFrom: number; untranscribed: boolean } {
    // A service that never reports the beginning of speech leaves it to be guessed: then more is replayed.
    const leadMs =
      this.#serviceReportsSpeech || cause === 'planned' ? SPEECH_LEAD_MS : UNREPORTED_LEAD_MS;
    let audioFrom = Math.min(from, now - leadMs);
    const turn = this.#turn;
    const untranscribed = this.awaitsLateText && !turn?.passed && (this.#speaking || pending);
    if (turn && untranscribed) {
      audioFrom = Math.min(audioFrom, turn.startedAt - SPEECH_LEAD_MS);
      // Two streams that detected nothing: it was noise.
      if (cause === 'silence' && turn.retried) this.stop();
      turn.retried ||= cause === 'silence';
    } else if (this.#speaking) audioFrom = Math.min(audioFrom, this.#since - SPEECH_LEAD_MS);
    return { audioFrom: Math.max(audioFrom, this.#understoodUntil), untranscribed };
  }

  #begin(at: number, now: number): void {
    const turn = this.#turn;
    // A cough of long ago is not the beginning of this turn.
    const stale =
      turn !== undefined &&
      turn.texts.length === 0 &&
      (turn.passed || (turn.endedAt !== undefined && now - turn.endedAt > this.#patienceMs));
    if (turn && !turn.answered && !stale) return;
    this.#turn = {
      itemId: this.#newId(),
      startedAt: at,
      texts: [],
      answered: false,
      passed: false,
      retried: false,
    };
    this.#history.addUser(this.#turn.itemId, at);
  }

  #transcript(turn: UserTurn, final: boolean): void {
    this.#emit({
      type: 'transcript',
      itemId: turn.itemId,
      text: turn.texts.join(' '),
      final,
      startedAt: turn.startedAt,
    });
  }
}

/** When the sample at an offset arrived from the caller, or now. */
export const sampleTime = (offsetMs: number | undefined, { now, sampleAt }: EventTiming): number =>
  (offsetMs === undefined ? undefined : sampleAt?.(offsetMs)) ?? now;

/** When the sample at an offset was sent to the service, or now. */
export const sentTime = (offsetMs: number | undefined, timing: EventTiming): number =>
  (offsetMs === undefined ? undefined : timing.sentAt?.(offsetMs)) ?? timing.now;
