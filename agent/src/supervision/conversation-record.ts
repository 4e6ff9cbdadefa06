// SPDX-License-Identifier: Apache-2.0

/** Bytes of a conversation that are kept: more than Bedrock accepts as the history of a stream (200 KB). */
const MAX_BYTES = 256 * 1024;

/** A message, tool call or tool result of a conversation, as JSON of LiveKit's chat context; `id` is its own. */
export interface ConversationItem {
  readonly id: string;
  readonly [field: string]: unknown;
}

/**
 * What was said in a call, for the process that takes the call up when its own dies. It is kept in the memory of the
 * worker process for as long as the call lasts, and goes nowhere else: never to a log, a metric or another task.
 */
export class ConversationRecord {
  readonly #items = new Map<string, { item: ConversationItem; bytes: number }>();
  #bytes = 0;

  /** Adds an item, or replaces the one with its id: a reply that is being spoken comes more than once. */
  add(item: ConversationItem): void {
    const bytes = Buffer.byteLength(JSON.stringify(item));
    this.#bytes += bytes - (this.#items.get(item.id)?.bytes ?? 0);
    this.#items.set(item.id, { item, bytes });
    for (const [id, oldest] of this.#items) {
      if (this.#bytes <= MAX_BYTES || this.#items.size === 1) return;
      this.#items.delete(id);
      this.#bytes -= oldest.bytes;
    }
  }

  /** In the order in which they began; of a long conversation the newest. */
  get items(): ConversationItem[] {
    return [...this.#items.values()].map(({ item }) => item);
  }

  /** How much is kept: nothing of it belongs into a log. */
  toJSON(): { items: number } {
    return { items: this.#items.size };
  }
}
