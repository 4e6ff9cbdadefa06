// SPDX-License-Identifier: Apache-2.0
import type { ContentBlock } from './content-blocks.js';

/**
 * A reply that is not to be played: it was interrupted, or its request was abandoned. The service goes on sending it
 * for a while, until a sign that the next reply is another one. Pure.
 */
export class DiscardedReply {
  #arriving = false;

  /** What is left of the reply may still arrive. */
  get arriving(): boolean {
    return this.#arriving;
  }

  /** From now on the reply is discarded. */
  begin(): void {
    this.#arriving = true;
  }

  /** What arrives from now on belongs to another reply. */
  end(): void {
    this.#arriving = false;
  }

  /** True for text of the discarded reply. */
  discardsText(block: ContentBlock | undefined): boolean {
    return this.#arriving || (block?.discarded ?? false);
  }

  /** True for audio of the discarded reply; audio of a generation that is still open is played. */
  discardsAudio(block: ContentBlock | undefined): boolean {
    return (block?.discarded ?? false) || (this.#arriving && !block?.generation?.open);
  }
}
