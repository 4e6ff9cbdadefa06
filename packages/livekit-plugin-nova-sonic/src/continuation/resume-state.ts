// SPDX-License-Identifier: Apache-2.0

import type { HistoryLimits } from '../history/chat-context.js';
import type { NovaSonicError } from '../protocol/errors.js';
import type { Link } from '../stream/stream-session.js';
import type { ResumePlan } from '../turns/effects.js';

/** As often as this the content filter may stop a call in a row. */
const MAX_FILTERED = 3;

/**
 * What the stream that follows a lost one is told: the history, the question to ask again, and results of tools whose
 * stream is gone. Kept until a stream is up, and made less after a failure that the same opening would run into again.
 * Pure.
 */
export class Handover {
  readonly #limits: HistoryLimits;
  #plan?: ResumePlan;
  #ask?: string;
  /** Results of tools that were called on a stream that is gone. */
  #notes: string[] = [];
  #historyShare = 1;
  #filtered = 0;

  constructor(limits: HistoryLimits) {
    this.#limits = limits;
  }

  /** What was remembered and has not reached a stream. */
  get plan(): ResumePlan | undefined {
    return this.#plan;
  }

  /** The question to ask again, until its answer begins. */
  get ask(): string | undefined {
    return this.#ask;
  }

  /** What of the history the service will take. */
  get limits(): HistoryLimits {
    const { maxBytes, maxTextBytes } = this.#limits;
    return { maxBytes: Math.floor(maxBytes * this.#historyShare), maxTextBytes };
  }

  /** A stream is lost; of an earlier plan that never reached one, the question and the audio are kept. */
  remember(plan: ResumePlan): void {
    const earlier = this.#plan;
    this.#plan = earlier
      ? {
          ...plan,
          ask: plan.ask ?? earlier.ask,
          audioFrom: Math.min(plan.audioFrom, earlier.audioFrom),
        }
      : plan;
    this.#ask = this.#plan.ask ?? this.#ask;
  }

  /** Failures that the same opening would run into again. False when there is nothing left to change. */
  adapt(error: Pick<NovaSonicError, 'kind'>, now: number): boolean {
    if (error.kind === 'history_too_long') this.#historyShare /= 2;
    if (error.kind !== 'content_filtered' || !this.#plan) return true;
    this.#filtered += 1;
    const { ask, history } = this.#plan;
    const last = history.findLastIndex((e) => e.kind === 'user' || e.kind === 'instruction');
    // What is to be asked again was taken out of the history already.
    const kept = ask === undefined ? history.slice(0, Math.max(0, last)) : history;
    this.#plan = { history: kept, audioFrom: now };
    this.#ask = undefined;
    return this.#filtered < MAX_FILTERED;
  }

  /** A stream is up and has what it was told. */
  reached(link: Pick<Link, 'notesSent'>): void {
    this.#plan = undefined;
    this.forgetNotes(link);
  }

  /** A reply has begun. */
  answered(): void {
    this.#ask = undefined;
  }

  /** A reply was completed: the content filter is content. */
  healthy(): void {
    this.#filtered = 0;
  }

  /** A tool's result, in words. */
  note(text: string): void {
    this.#notes.push(text);
  }

  /** Results that a stream was not told yet, as one message. */
  takeNotes(link: Pick<Link, 'notesSent'>): string | undefined {
    const notes = this.#notes.slice(link.notesSent);
    link.notesSent = this.#notes.length;
    return notes.length > 0 ? notes.join('\n') : undefined;
  }

  /** Told with every stream until one is up, so that a failed connect does not lose them. */
  forgetNotes(link: Pick<Link, 'notesSent'>): void {
    this.#notes.splice(0, link.notesSent);
    link.notesSent = 0;
  }
}
