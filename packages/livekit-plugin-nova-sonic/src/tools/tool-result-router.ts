// SPDX-License-Identifier: Apache-2.0
import { shortuuid } from '@livekit/agents';
import type { Clock } from '../clock.js';
import type { SessionContinuation } from '../continuation/session-continuation.js';
import { type HistoryEntry, toolNote } from '../history/chat-context.js';
import type { Conversation } from '../turns/conversation.js';
import type { Effect } from '../turns/effects.js';
import { ToolCallTracker, type ToolCallListener, toolResultContent } from './tool-call-tracker.js';

type ToolResult = Extract<HistoryEntry, { kind: 'tool_result' }>;

/** The way of a tool's result: from the framework, or from us where it has none, into the history and to the model. */
export class ToolResultRouter {
  /** The calls that have no answer yet. */
  readonly calls: ToolCallTracker;
  readonly #clock: Clock;
  readonly #conversation: Conversation;
  readonly #sink: () => SessionContinuation;

  /**
   * @param telling is told of each call
   * @param dropped a result that the framework dropped is delivered all the same
   */
  constructor(
    clock: Clock,
    conversation: Conversation,
    continuity: () => SessionContinuation,
    telling: ToolCallListener,
    dropped: (callId: string) => void,
  ) {
    this.#clock = clock;
    this.#conversation = conversation;
    this.#sink = continuity;
    this.calls = new ToolCallTracker(
      clock,
      (callId, { output, isError }) => {
        dropped(callId);
        this.#deliver(this.#result(callId, output, isError));
      },
      telling,
    );
  }

  /** The model asks for a tool. False when it is answered at once, since `forbidden`. */
  called(
    { callId, name, args }: Extract<Effect, { type: 'tool_call' }>,
    forbidden: boolean,
  ): boolean {
    this.calls.called(callId, name, args);
    // The framework drops calls in a reply that was asked for without tools: Sonic must not wait for them.
    if (forbidden) this.deliver(this.#result(callId, 'tools are not allowed in this reply', true));
    return !forbidden;
  }

  /** The framework has a result. */
  deliver(result: ToolResult): void {
    this.calls.delivered(result.callId, result);
    this.#deliver(result);
  }

  #deliver(result: ToolResult): void {
    const { callId, output, isError } = result;
    const call = this.#call(callId);
    this.#conversation.history.add(result);
    this.#sink().toolResult(
      callId,
      toolResultContent(output, isError),
      toolNote(call?.name ?? 'unknown', call?.args ?? '{}', { output, isError }),
    );
  }

  #result(callId: string, output: string, isError: boolean): ToolResult {
    const name = this.#call(callId)?.name ?? 'unknown';
    const id = shortuuid('item_');
    return { kind: 'tool_result', id, at: this.#clock.now(), callId, name, output, isError };
  }

  #call(callId: string): Extract<HistoryEntry, { kind: 'tool_call' }> | undefined {
    const { entries } = this.#conversation.history;
    const call = entries.find((e) => e.kind === 'tool_call' && e.callId === callId);
    return call?.kind === 'tool_call' ? call : undefined;
  }
}
