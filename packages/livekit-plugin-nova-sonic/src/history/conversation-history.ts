// SPDX-License-Identifier: Apache-2.0
import type { AssistantEntry, HistoryEntry, UserEntry } from './entries.js';

/** One reply: what was planned (SPECULATIVE) and what was spoken (FINAL). */
interface Reply {
  readonly entry: AssistantEntry;
  readonly drafts: string[];
  readonly finals: string[];
  /** Stopped by the application: the service's FINAL texts are not what was played any more. */
  stopped: boolean;
}

const flat = (text: string): string => text.replace(/\s+/g, ' ').trim();

/**
 * The history as it grows. Pure. The service announces each sentence before it is spoken (SPECULATIVE) and repeats
 * it seconds later as it was really spoken (FINAL), often only when the next turn has begun, sometimes never: so
 * a FINAL text is matched with the sentence that it repeats, in whichever reply that was, and never added twice.
 */
export class ConversationHistory {
  entries: HistoryEntry[] = [];
  /** The newest replies; older ones get no FINAL text any more. */
  #replies: Reply[] = [];

  /** A user's message; its text may come later and in pieces. */
  addUser(id: string, at: number, text = ''): UserEntry {
    const entry: UserEntry = { kind: 'user', id, at, text };
    this.entries.push(entry);
    return entry;
  }

  add(entry: HistoryEntry): void {
    this.entries.push(entry);
  }

  /** A sentence that is about to be spoken. */
  addSpeculative(id: string, at: number, text: string): void {
    let reply = this.#replies.find((r) => r.entry.id === id);
    if (!reply) {
      const drafts: string[] = [];
      const entry: AssistantEntry = {
        kind: 'assistant',
        id,
        at,
        text: '',
        interrupted: false,
        drafts,
      };
      this.entries.push(entry);
      reply = { entry, drafts, finals: [], stopped: false };
      this.#replies.push(reply);
      if (this.#replies.length > 8) this.#replies.shift();
    }
    reply.drafts.push(flat(text));
    this.#updateText(reply);
  }

  /** A sentence as it was really spoken. */
  addFinal(text: string, at: number, newId: () => string): void {
    const sentence = flat(text);
    if (!sentence) return;
    const open = this.#replies.filter((r) => r.finals.length < r.drafts.length);
    const same = open.find((r) => r.drafts.slice(r.finals.length).includes(sentence));
    const cut = open.find(
      (r) => r.entry.interrupted && r.drafts.some((d) => d.startsWith(sentence)),
    );
    const target =
      same ??
      cut ??
      open.find((r) => r.drafts.join(' ').startsWith([...r.finals, sentence].join(' ')));
    if (target) {
      if (target.stopped) return;
      target.finals.push(sentence);
      this.#updateText(target);
      return;
    }
    const repeated = this.#replies.some(
      (r) => r.drafts.includes(sentence) || r.entry.text.includes(sentence),
    );
    if (repeated) return;
    const latest = open.findLast((r) => !r.stopped);
    if (latest) {
      latest.finals.push(sentence);
      this.#updateText(latest);
      return;
    }
    if (this.#replies.at(-1)?.stopped) return;
    const reply: Reply = {
      entry: { kind: 'assistant', id: newId(), at, text: '', interrupted: false },
      drafts: [sentence],
      finals: [sentence],
      stopped: false,
    };
    this.entries.push(reply.entry);
    this.#replies.push(reply);
    this.#updateText(reply);
  }

  /** The caller spoke over a reply (`stopped`: the application stopped it, so no FINAL text reports what was played). */
  markInterrupted(id: string | undefined, stopped: boolean): void {
    const reply = this.#replies.find((r) => r.entry.id === id);
    if (!reply) return;
    reply.entry.interrupted = true;
    reply.stopped ||= stopped;
    this.#updateText(reply);
  }

  /** Takes the history as an application edited it. */
  replace(entries: HistoryEntry[]): void {
    this.entries = entries;
    this.#replies = this.#replies.filter((r) => entries.includes(r.entry));
  }

  /** Removes a reply of which nothing was played. */
  remove(id: string): void {
    this.entries = this.entries.filter((entry) => entry.id !== id);
    this.#replies = this.#replies.filter((r) => r.entry.id !== id);
  }

  #updateText(reply: Reply): void {
    const { drafts, finals, entry } = reply;
    const complete = finals.length >= drafts.length;
    const spoken = complete || (entry.interrupted && finals.length > 0 && !reply.stopped);
    entry.text = (spoken ? finals : drafts).join(' ');
  }
}
