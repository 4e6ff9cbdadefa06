// SPDX-License-Identifier: Apache-2.0

import { type llm, voice } from '@livekit/agents';
import type { CallReporter } from '../supervision/supervisor-client.js';
import { toItem } from './resumed-call.js';

/** How often a reply that is being spoken is kept, in milliseconds: it may be the last that this process says. */
const SPEAKING_MS = 1_000;

/** Where the newest items of a conversation are found first: a realtime session. */
interface LiveConversation {
  readonly chatCtx: llm.ChatContext;
}

/** Hands what is said to the worker as it happens, in case that this process dies. */
export class ConversationKeeper {
  readonly #reporter: Pick<CallReporter, 'keep'>;
  #live: LiveConversation | undefined;
  #speaking: NodeJS.Timeout | undefined;
  /** Items that are complete. */
  readonly #complete = new Set<string>();

  constructor(reporter: Pick<CallReporter, 'keep'>) {
    this.#reporter = reporter;
  }

  observeSession(session: Pick<voice.AgentSession, 'on'>): void {
    const { AgentSessionEventTypes: Events } = voice;
    session.on(Events.ConversationItemAdded, ({ item }) => this.#keep(item));
    session.on(Events.FunctionToolsExecuted, ({ functionCalls, functionCallOutputs }) => {
      for (const item of [...functionCalls, ...functionCallOutputs]) this.#keep(item);
    });
    session.on(Events.AgentStateChanged, ({ newState }) => {
      clearInterval(this.#speaking);
      if (newState !== 'speaking') return;
      this.#keepReply();
      this.#speaking = setInterval(() => this.#keepReply(), SPEAKING_MS).unref();
    });
    session.on(Events.Close, () => clearInterval(this.#speaking));
  }

  observeRealtimeSession(session: LiveConversation): void {
    this.#live = session;
  }

  #keep(item: llm.ChatItem): void {
    const kept = toItem(item);
    if (!kept) return;
    this.#complete.add(item.id);
    this.#reporter.keep(kept);
  }

  /** Keeps the reply that is being spoken, as one that was interrupted, which it was if nothing follows. */
  #keepReply(): void {
    const reply = this.#live?.chatCtx.items.findLast((item) => item.type === 'message');
    if (reply?.type !== 'message' || reply.role !== 'assistant') return;
    const kept = toItem(reply);
    if (kept && !this.#complete.has(reply.id)) this.#reporter.keep({ ...kept, interrupted: true });
  }
}
