// SPDX-License-Identifier: Apache-2.0

import type { HistoryLimits } from '../options.js';
import type { NovaSonicError } from '../protocol/errors.js';
import type { StreamSession } from '../stream/stream-session.js';
import type { ResumePlan } from '../turns/effects.js';

/** Consecutive stops by the content filter after which the call is given up. */
const MAX_FILTERED = 3;

interface OrphanedToolResult {
  readonly callId: string;
  readonly text: string;
  /** The question that the tool was called for. */
  readonly turn: number;
}

/**
 * What the stream that follows a lost one needs: the history, the question to repeat, and results of tools whose
 * stream is gone. Kept until a stream is up, and reduced after a failure that the same opening would repeat. Pure.
 */
export class ResumeState {
  readonly #limits: HistoryLimits;
  #plan?: ResumePlan;
  /** Results of tools that were called on a stream that is gone. */
  #orphanedToolResults: OrphanedToolResult[] = [];
  /** Those whose question waits for the results of other tools. */
  #incompleteToolResults: OrphanedToolResult[] = [];
  #historyShare = 1;
  #filtered = 0;

  constructor(limits: HistoryLimits) {
    this.#limits = limits;
  }

  /** The plan that has not reached a stream yet. */
  get plan(): ResumePlan | undefined {
    return this.#plan;
  }

  /** Limits of the history for the next stream. */
  get limits(): HistoryLimits {
    const { maxBytes, maxTextBytes } = this.#limits;
    return { maxBytes: Math.floor(maxBytes * this.#historyShare), maxTextBytes };
  }

  /** Saves the plan of a lost stream; the audio of an earlier plan that never reached a stream is kept. */
  save(plan: ResumePlan): void {
    const { audioFrom } = this.#plan ?? plan;
    this.#plan = { ...plan, audioFrom: Math.min(plan.audioFrom, audioFrom) };
  }

  /** Reduces the opening after a failure that it would repeat. Returns false when there is nothing left to change. */
  degradeAfter(error: Pick<NovaSonicError, 'kind'>, now: number): boolean {
    if (error.kind === 'history_too_long') this.#historyShare /= 2;
    if (error.kind !== 'content_filtered' || !this.#plan) return true;
    this.#filtered += 1;
    const { prompt: ask, history } = this.#plan;
    const last = history.findLastIndex((e) => e.kind === 'user' || e.kind === 'instruction');
    // The prompt was taken out of the history already.
    const kept = ask === undefined ? history.slice(0, Math.max(0, last)) : history;
    this.#plan = { history: kept, audioFrom: now };
    return this.#filtered < MAX_FILTERED;
  }

  /** A stream is up and has got everything. */
  streamOpened(stream: Pick<StreamSession, 'orphanedToolResultsSent'>): void {
    this.#plan = undefined;
    this.confirmOrphanedToolResults(stream);
  }

  /** A reply was completed, so the content filter accepts the history. */
  replyCompleted(): void {
    this.#filtered = 0;
  }

  /** Adds a tool's result, as text. The results for one question (`turn`) are sent when they are `complete`. */
  addOrphanedToolResult(callId: string, text: string, turn = 0, complete = true): void {
    this.#incompleteToolResults.push({ callId, text, turn });
    if (!complete) return;
    const results = this.#incompleteToolResults;
    this.#incompleteToolResults = results.filter((result) => result.turn !== turn);
    this.#orphanedToolResults.push(...results.filter((result) => result.turn === turn));
  }

  /** The calls whose results the next stream gets as text. */
  get orphanedCalls(): ReadonlySet<string> {
    const results = [...this.#orphanedToolResults, ...this.#incompleteToolResults];
    return new Set(results.map(({ callId }) => callId));
  }

  /** The results that a stream does not have yet, as one message. */
  takeOrphanedToolResults(
    stream: Pick<StreamSession, 'orphanedToolResultsSent'>,
  ): string | undefined {
    const results = this.#orphanedToolResults.slice(stream.orphanedToolResultsSent);
    stream.orphanedToolResultsSent = this.#orphanedToolResults.length;
    return results.length > 0 ? results.map(({ text }) => text).join('\n') : undefined;
  }

  /** Sent on every stream until one is up, so that a failed connect does not lose them. */
  confirmOrphanedToolResults(stream: Pick<StreamSession, 'orphanedToolResultsSent'>): void {
    this.#orphanedToolResults.splice(0, stream.orphanedToolResultsSent);
    stream.orphanedToolResultsSent = 0;
  }
}
