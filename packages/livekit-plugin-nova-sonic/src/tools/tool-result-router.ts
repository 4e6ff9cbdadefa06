// SPDX-License-Identifier: Apache-2.0
import { shortuuid } from '@livekit/agents';
import type { Clock } from '../clock.js';
import type { ToolCallEntry, ToolResultEntry } from '../history/entries.js';
import { toolNote } from '../history/wire-messages.js';
import type { Conversation } from '../turns/conversation.js';
import type { Effect } from '../turns/effects.js';
import { type ToolCallListener, ToolCallTracker } from './tool-call-tracker.js';
import { toolResultContent } from './tool-output.js';

/** A result that reaches the model as a message is given whole, within what one message may hold (bytes). */
const WHOLE_NOTE = { args: 1_000, result: 40_000 };

/** Where results go: to the stream that asked for the tool, or as text (`note`) to the one that follows it. */
export interface ToolResultSink {
  toolResult(callId: string, content: string, note: string): void;
}

/** Takes a tool's result, from the framework or from the tracker, into the history and to the model. */
export class ToolResultRouter {
  /** The calls that have no answer yet. */
  readonly calls: ToolCallTracker;
  /** Set once the session's parts exist; nothing is routed before the first stream. */
  sink?: ToolResultSink;
  readonly #clock: Clock;
  readonly #conversation: Conversation;

  /**
   * @param listener receives the start and the end of each call
   * @param onDropped called for a result that the framework dropped and that is routed all the same
   */
  constructor(
    clock: Clock,
    conversation: Conversation,
    listener: ToolCallListener,
    onDropped: (callId: string) => void,
  ) {
    this.#clock = clock;
    this.#conversation = conversation;
    this.calls = new ToolCallTracker(
      clock,
      (callId, { output, isError }) => {
        onDropped(callId);
        this.#route(this.#result(callId, output, isError));
      },
      listener,
    );
  }

  /** The model calls a tool. Returns false when the call is `forbidden` and therefore answered at once. */
  called(
    { callId, name, args }: Extract<Effect, { type: 'tool_call' }>,
    forbidden: boolean,
  ): boolean {
    this.calls.called(callId, name, args);
    // The framework drops calls in a reply that was requested without tools: Sonic must not wait for them.
    if (forbidden) this.deliver(this.#result(callId, 'tools are not allowed in this reply', true));
    return !forbidden;
  }

  /** The framework delivers a result. */
  deliver(result: ToolResultEntry): void {
    this.calls.delivered(result.callId, result);
    this.#route(result);
  }

  #route(result: ToolResultEntry): void {
    const { callId, output, isError } = result;
    const call = this.#call(callId);
    this.#conversation.history.add(result);
    this.sink?.toolResult(
      callId,
      toolResultContent(output, isError),
      toolNote(call?.name ?? 'unknown', call?.args ?? '{}', { output, isError }, WHOLE_NOTE),
    );
  }

  #result(callId: string, output: string, isError: boolean): ToolResultEntry {
    const name = this.#call(callId)?.name ?? 'unknown';
    const id = shortuuid('item_');
    return { kind: 'tool_result', id, at: this.#clock.now(), callId, name, output, isError };
  }

  #call(callId: string): ToolCallEntry | undefined {
    const { entries } = this.#conversation.history;
    const call = entries.find((e) => e.kind === 'tool_call' && e.callId === callId);
    return call?.kind === 'tool_call' ? call : undefined;
  }
}
