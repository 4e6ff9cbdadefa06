// SPDX-License-Identifier: Apache-2.0
import { ConversationHistory } from '../history/conversation-history.js';
import type { HistoryEntry } from '../history/entries.js';
import { AgentTurnTracker, type Generation } from './agent-turn.js';
import { ContentBlocks } from './content-blocks.js';
import { DiscardedReply } from './discarded-reply.js';
import type { CloseReason, Effect } from './effects.js';
import { FalseInterruption } from './false-interruption.js';
import { PendingResponse } from './pending-response.js';
import { ReplyRequestQueue } from './reply-requests.js';
import { UserTurnTracker } from './user-turn.js';

export interface ConversationOptions {
  readonly newId: (prefix: string) => string;
  readonly outputSampleRate: number;
  /** Time after which a question without an answer does not count as pending any more (ms). @default 12000 */
  readonly patienceMs?: number;
}

/** The parts of a conversation and the steps that several of them take together. Pure. */
export class ConversationState {
  readonly newId: (prefix: string) => string;
  readonly history = new ConversationHistory();
  readonly blocks = new ContentBlocks();
  readonly requests: ReplyRequestQueue;
  readonly discarded = new DiscardedReply();
  readonly falseInterruption = new FalseInterruption();
  readonly agent: AgentTurnTracker;
  readonly user: UserTurnTracker;
  readonly pending: PendingResponse;
  /** Counts what a model on another stream would have to know: unchanged means that nothing happened. */
  version = 0;
  /** A text was sent and no reply has begun since: what ends a reply now is that text. */
  textUnanswered = false;
  /** Counts the questions for which the model called tools. */
  toolTurn = 0;
  /** When the model last called a tool, unless something else of it came since. */
  lastToolCallAt?: number;
  /** The answer to the caller's last words is expected already, before the words have arrived. */
  speechCounted = false;
  /** The words of the caller's speech are to come until then (ms since the epoch). */
  wordsDueUntil?: number;
  /** When the beginning of the caller's speech was sent, while it goes on. */
  speechSentAt?: number;
  /** When the sample was sent at which the service noticed that the caller's last speech was over. */
  speechOverAt?: number;
  #effects: Effect[] = [];

  constructor({ newId, outputSampleRate, patienceMs = 12_000 }: ConversationOptions) {
    this.newId = newId;
    const emit = (effect: Effect) => this.emit(effect);
    this.agent = new AgentTurnTracker(newId, outputSampleRate, emit);
    this.user = new UserTurnTracker(this.history, () => newId('item_'), patienceMs, emit);
    this.pending = new PendingResponse(patienceMs);
    this.requests = new ReplyRequestQueue(patienceMs);
  }

  emit(effect: Effect): void {
    this.#effects.push(effect);
  }

  /** The effects since the last call. */
  takeEffects(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** The model goes on without words for the caller's speech, or they are overdue: there were none. */
  noWords(): void {
    this.wordsDueUntil = undefined;
    this.requests.spokeNoWords(this.speechCounted);
    this.speechCounted = false;
  }

  /** The open generation; a new one begins when there is none. `requested`: it may be the reply to a request. */
  openGeneration(now: number, requested = true): Generation {
    if (this.agent.open) return this.agent.open;
    this.noWords();
    this.user.responseStarted();
    this.falseInterruption.over();
    const request = requested ? this.requests.begin(now) : undefined;
    // With a request still out, this reply answers what was said before it.
    if (!this.requests.sentWaiting) this.textUnanswered = false;
    const generation = this.agent.begin(now, this.pending.responseStarted(now), request);
    this.version += 1;
    return generation;
  }

  /** Closes the open generation, if there is one. */
  closeGeneration(reason: CloseReason, now: number): Generation | undefined {
    const generation = this.agent.close(reason, now);
    if (!generation) return undefined;
    // The caller waited for the answer itself, not for words before a tool call.
    if (reason !== 'tool_call' || generation.audioMs > 0) this.pending.reset();
    this.version += 1;
    return generation;
  }

  /** The history without the requested replies whose text is still to be sent. */
  snapshot(): HistoryEntry[] {
    const unsent = new Set(this.requests.unsent.map((request) => request.id));
    return this.history.entries.filter((entry) => !unsent.has(entry.id));
  }
}
