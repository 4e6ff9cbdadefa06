// SPDX-License-Identifier: Apache-2.0

/** A reply with less than this left to play is as good as heard (ms). */
const HEARD_MS = 1_000;
/** Words come right after the end of speech, seldom 2 s later; LiveKit waits as long before it resumes speech. */
const WORDS_MS = 2_000;
/** Noise that stops each reply is not talked against for ever. */
const MAX_IN_A_ROW = 3;

/**
 * A reply that the service stopped because of sound in which it then found no words, as AgentSession resumes speech after
 * a false interruption. It cannot with a model that has its own turn detection: what is not played yet is gone. Pure.
 */
export class FalseInterruption {
  #stopped = false;
  #resumed = 0;

  /** The service stopped a reply of which so much was still to be played. */
  stopped(leftMs: number): void {
    this.#stopped = leftMs > HEARD_MS;
  }

  /** The model has something else to say, or to answer. */
  over(): void {
    this.#stopped = false;
  }

  /** There were words. */
  understood(): void {
    this.#stopped = false;
    this.#resumed = 0;
  }

  /** Whether the model should be asked for the rest of its reply; `endReportedAt`: of the speech that had no words. */
  due(endReportedAt: number | undefined, now: number): boolean {
    if (!this.#stopped || endReportedAt === undefined) return false;
    return now - endReportedAt >= WORDS_MS && this.#resumed < MAX_IN_A_ROW;
  }

  /** The model is asked. */
  resumed(): void {
    this.#stopped = false;
    this.#resumed += 1;
  }
}
