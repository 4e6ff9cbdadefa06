// SPDX-License-Identifier: Apache-2.0

import type { SonicEvent } from '../protocol/server-events.js';
import type { Generation } from './agent-turn.js';

/** One content of the service: the events between a contentStart and its contentEnd share an id. */
export interface Content {
  readonly kind: 'TEXT' | 'AUDIO' | 'TOOL' | 'UNKNOWN';
  readonly role: string;
  readonly stage?: 'SPECULATIVE' | 'FINAL';
  /** The reply that its audio belongs to. */
  generation?: Generation;
  /** It goes to nobody. */
  dropped: boolean;
}

/** Kept after their end, since audio of a reply that was cut may still come; the oldest are forgotten. */
const KEPT = 500;

/** The contents of the current stream by their ids. Pure. */
export class Contents {
  readonly #contents = new Map<string, Content>();

  start(event: Extract<SonicEvent, { type: 'contentStart' }>): Content {
    const { kind, role, stage } = event;
    const content: Content = { kind, role, stage, dropped: false };
    this.#contents.set(event.contentId, content);
    if (this.#contents.size > KEPT)
      this.#contents.delete(this.#contents.keys().next().value as string);
    return content;
  }

  get(contentId: string): Content | undefined {
    return this.#contents.get(contentId);
  }

  /** Another stream has ids of its own. */
  clear(): void {
    this.#contents.clear();
  }
}
