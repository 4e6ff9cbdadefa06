// SPDX-License-Identifier: Apache-2.0

import type { ServerEvent } from '../protocol/server-events.js';
import type { Generation } from './agent-turn.js';

/** One content of the service: the events between a contentStart and its contentEnd share an id. */
export interface ContentBlock {
  readonly kind: 'TEXT' | 'AUDIO' | 'TOOL' | 'UNKNOWN';
  readonly role: string;
  readonly stage?: 'SPECULATIVE' | 'FINAL';
  /** The reply that its audio belongs to. */
  generation?: Generation;
  /** It belongs to a reply that is discarded. */
  discarded: boolean;
}

/** Kept after their end, since audio of a reply that was cut may still come; the oldest are forgotten. */
const MAX_BLOCKS = 500;

/** The contents of the current stream by their ids. Pure. */
export class ContentBlocks {
  readonly #blocks = new Map<string, ContentBlock>();

  start(event: Extract<ServerEvent, { type: 'contentStart' }>): ContentBlock {
    const { kind, role, stage } = event;
    const content: ContentBlock = { kind, role, stage, discarded: false };
    this.#blocks.set(event.contentId, content);
    if (this.#blocks.size > MAX_BLOCKS)
      this.#blocks.delete(this.#blocks.keys().next().value as string);
    return content;
  }

  get(contentId: string): ContentBlock | undefined {
    return this.#blocks.get(contentId);
  }

  /** Another stream has ids of its own. */
  clear(): void {
    this.#blocks.clear();
  }
}
