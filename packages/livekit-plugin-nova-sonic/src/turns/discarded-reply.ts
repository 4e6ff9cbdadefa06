// SPDX-License-Identifier: Apache-2.0
import type { ContentBlock } from './content-blocks.js';

/**
 * The service marks the end of a reply over which a text is sent, so silence alone is an end only after longer than a
 * connection may stall (ms): what comes of the old reply after that would be taken for the answer.
 */
const QUIET_MS = 4_000;
/** It marks nothing when a tool's result is sent: the reply to that comes no sooner than this after the words before. */
const QUIET_AFTER_RESULT_MS = 700;
/** The longest reply (1,024 tokens, about 40 s of speech) is sent in less than this, at five times real time (ms). */
const LONGEST_MS = 15_000;

/**
 * A reply that is not to be played: it was interrupted, or its request was abandoned. The service goes on sending it
 * for a while, also when the next question is on its way already, until it says that the reply is over. Pure.
 */
export class DiscardedReply {
  #since?: number;
  #lastContentAt = 0;
  #resultSent = false;

  /** What is left of the reply may still arrive. */
  get arriving(): boolean {
    return this.#since !== undefined;
  }

  /** From now on the reply is discarded. */
  begin(now: number): void {
    this.#since = now;
    this.#lastContentAt = now;
    this.#resultSent = false;
  }

  /** Something of the reply arrived. */
  received(now: number): void {
    this.#lastContentAt = now;
  }

  /** A tool's result was sent: its answer belongs to the turn that was interrupted, so no end of it may be marked. */
  resultSent(): void {
    this.#resultSent = true;
  }

  /** What arrives from now on belongs to another reply. */
  end(): void {
    this.#since = undefined;
  }

  /** Ends it when the service marked no end and nothing more came. */
  tick(now: number): void {
    if (this.#since === undefined) return;
    const quietMs = this.#resultSent ? QUIET_AFTER_RESULT_MS : QUIET_MS;
    if (now - this.#lastContentAt > quietMs || now - this.#since > LONGEST_MS) this.end();
  }

  /** True for text of the discarded reply. */
  discardsText(block: ContentBlock | undefined): boolean {
    return this.arriving || (block?.discarded ?? false);
  }

  /** True for audio of the discarded reply; audio of a generation that is still open is played. */
  discardsAudio(block: ContentBlock | undefined): boolean {
    return (block?.discarded ?? false) || (this.arriving && !block?.generation?.open);
  }
}
