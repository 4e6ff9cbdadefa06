// SPDX-License-Identifier: Apache-2.0

import type { HistoryLimits } from '../options.js';
import type { NovaSonicError } from '../protocol/errors.js';
import type { StreamSession } from '../stream/stream-session.js';
import type { ResumePlan } from '../turns/effects.js';

/** As often as this the content filter may stop a call in a row. */
const MAX_FILTERED = 3;

/**
 * What the stream that follows a lost one is told: the history, the question to ask again, and results of tools whose
 * stream is gone. Kept until a stream is up, and made less after a failure that the same opening would run into again.
 * Pure.
 */
export class ResumeState {
  readonly #limits: HistoryLimits;
  #plan?: ResumePlan;
  #pendingPrompt?: string;
  /** Results of tools that were called on a stream that is gone. */
  #orphanedToolResults: string[] = [];
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
  get pendingPrompt(): string | undefined {
    return this.#pendingPrompt;
  }

  /** What of the history the service will take. */
  get limits(): HistoryLimits {
    const { maxBytes, maxTextBytes } = this.#limits;
    return { maxBytes: Math.floor(maxBytes * this.#historyShare), maxTextBytes };
  }

  /** A stream is lost; of an earlier plan that never reached one, the question and the audio are kept. */
  save(plan: ResumePlan): void {
    const earlier = this.#plan;
    this.#plan = earlier
      ? {
          ...plan,
          prompt: plan.prompt ?? earlier.prompt,
          audioFrom: Math.min(plan.audioFrom, earlier.audioFrom),
        }
      : plan;
    this.#pendingPrompt = this.#plan.prompt ?? this.#pendingPrompt;
  }

  /** Failures that the same opening would run into again. False when there is nothing left to change. */
  degradeAfter(error: Pick<NovaSonicError, 'kind'>, now: number): boolean {
    if (error.kind === 'history_too_long') this.#historyShare /= 2;
    if (error.kind !== 'content_filtered' || !this.#plan) return true;
    this.#filtered += 1;
    const { prompt: ask, history } = this.#plan;
    const last = history.findLastIndex((e) => e.kind === 'user' || e.kind === 'instruction');
    // What is to be asked again was taken out of the history already.
    const kept = ask === undefined ? history.slice(0, Math.max(0, last)) : history;
    this.#plan = { history: kept, audioFrom: now };
    this.#pendingPrompt = undefined;
    return this.#filtered < MAX_FILTERED;
  }

  /** A stream is up and has what it was told. */
  streamOpened(link: Pick<StreamSession, 'orphanedToolResultsSent'>): void {
    this.#plan = undefined;
    this.confirmOrphanedToolResults(link);
  }

  /** A reply has begun. */
  replyStarted(): void {
    this.#pendingPrompt = undefined;
  }

  /** A reply was completed: the content filter is content. */
  replyCompleted(): void {
    this.#filtered = 0;
  }

  /** A tool's result, in words. */
  addOrphanedToolResult(text: string): void {
    this.#orphanedToolResults.push(text);
  }

  /** Results that a stream was not told yet, as one message. */
  takeOrphanedToolResults(
    link: Pick<StreamSession, 'orphanedToolResultsSent'>,
  ): string | undefined {
    const notes = this.#orphanedToolResults.slice(link.orphanedToolResultsSent);
    link.orphanedToolResultsSent = this.#orphanedToolResults.length;
    return notes.length > 0 ? notes.join('\n') : undefined;
  }

  /** Told with every stream until one is up, so that a failed connect does not lose them. */
  confirmOrphanedToolResults(link: Pick<StreamSession, 'orphanedToolResultsSent'>): void {
    this.#orphanedToolResults.splice(0, link.orphanedToolResultsSent);
    link.orphanedToolResultsSent = 0;
  }
}
