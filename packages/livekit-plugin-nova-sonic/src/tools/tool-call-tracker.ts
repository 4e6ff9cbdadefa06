// SPDX-License-Identifier: Apache-2.0
import { llm } from '@livekit/agents';
import type { Clock } from '../clock.js';
import type { ToolCallEnded, ToolCallStarted } from '../session-events.js';
import { outputText, type ToolOutcome } from './tool-output.js';

interface Call {
  readonly name: string;
  readonly args: string;
  readonly since: number;
  running: boolean;
  /** Its end has been emitted. */
  ended: boolean;
  outcome?: ToolOutcome;
  cancel?: () => void;
}

/** A call that has no answer yet. */
export interface OpenToolCall {
  readonly callId: string;
  readonly name: string;
  readonly args: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

/** Receives the start and the end of each call. */
export interface ToolCallListener {
  started(call: ToolCallStarted): void;
  ended(call: ToolCallEnded): void;
}

/** The framework gives a cancelled tool 2 s; one that was never started is answered after this (ms). */
const NEVER_STARTED_MS = 3_000;
/** How long a cancelled tool may still take to finish before it is answered (ms). */
const CANCELLED_MS = 500;

const INTERRUPTED: ToolOutcome = {
  output:
    'The caller spoke before the result was there; whether the action was carried out is not known.',
  isError: true,
};

/**
 * Ensures that every tool call of the model gets an answer. The framework delivers results through `updateChatCtx`, but
 * drops them when the caller barges in over the words before the tool, and for a tool that throws StopResponse: then
 * the tracker answers, with the real result where there is one.
 */
export class ToolCallTracker {
  readonly #calls = new Map<string, Call>();
  readonly #clock: Clock;
  readonly #onAnswer: (callId: string, outcome: ToolOutcome) => void;
  readonly #listener: ToolCallListener;

  constructor(
    clock: Clock,
    answer: (callId: string, outcome: ToolOutcome) => void,
    listener: ToolCallListener,
  ) {
    this.#clock = clock;
    this.#onAnswer = answer;
    this.#listener = listener;
  }

  /** The model calls a tool. */
  called(callId: string, name: string, args: string): void {
    const since = this.#clock.now();
    this.#calls.set(callId, { name, args, since, running: false, ended: false });
    this.#listener.started({ callId, name, args, at: since });
  }

  /** A call that an earlier session made and whose tool still runs. */
  adopt({ callId, name, args, since }: OpenToolCall): void {
    this.#calls.set(callId, { name, args, since, running: true, ended: false });
  }

  nameOf(callId: string): string | undefined {
    return this.#calls.get(callId)?.name;
  }

  /** The framework delivered a result. Returns false when the call has its answer already. */
  delivered(callId: string, outcome: ToolOutcome): boolean {
    const call = this.#calls.get(callId);
    call?.cancel?.();
    // Most ended when the tool returned; one that could not even be run ends here.
    this.#ended(callId, outcome);
    return this.#calls.delete(callId);
  }

  /** Runs a tool and tracks it; its result and its exceptions go to the framework unchanged. */
  async run(
    callId: string,
    execute: () => Promise<unknown>,
    abort?: AbortSignal,
  ): Promise<unknown> {
    const call = this.#calls.get(callId);
    if (!call) return execute();
    call.running = true;
    call.cancel?.();
    const onAbort = () => this.#scheduleAnswer(callId, CANCELLED_MS);
    abort?.addEventListener('abort', onAbort, { once: true });
    try {
      const value = await execute();
      const failed = value instanceof Error;
      call.outcome = { output: outputText(value), isError: failed };
      this.#ended(callId, call.outcome);
      if (typeof value === 'function' || typeof value === 'bigint' || typeof value === 'symbol') {
        this.#scheduleAnswer(callId, 0);
      }
      return value;
    } catch (error) {
      const stopped = error instanceof Error && error.name === 'StopResponse';
      call.outcome = stopped
        ? { output: 'done; no reply is needed', isError: false }
        : {
            output: error instanceof llm.ToolError ? error.message : 'An internal error occurred',
            isError: true,
          };
      this.#ended(callId, call.outcome);
      if (stopped) this.#scheduleAnswer(callId, 0);
      throw error;
    } finally {
      abort?.removeEventListener('abort', onAbort);
      if (abort?.aborted) this.#answer(callId);
    }
  }

  /** The caller barged in, or the application stopped the reply: the framework may drop what it has. */
  interrupted(): void {
    for (const [callId, call] of this.#calls) {
      if (call.outcome) this.#answer(callId);
      else if (!call.running && !call.cancel) this.#scheduleAnswer(callId, NEVER_STARTED_MS);
    }
  }

  /** Forgets all calls. Returns those whose tools still run. */
  close(): OpenToolCall[] {
    const open = [...this.#calls].filter(([, call]) => call.running && !call.ended);
    for (const call of this.#calls.values()) call.cancel?.();
    this.#calls.clear();
    return open.map(([callId, { name, args, since }]) => ({ callId, name, args, since }));
  }

  #scheduleAnswer(callId: string, ms: number): void {
    const call = this.#calls.get(callId);
    if (!call) return;
    call.cancel?.();
    call.cancel = this.#clock.after(ms, () => this.#answer(callId));
  }

  #answer(callId: string): void {
    const call = this.#calls.get(callId);
    if (!call) return;
    call.cancel?.();
    const outcome = call.outcome ?? INTERRUPTED;
    this.#ended(callId, outcome);
    this.#calls.delete(callId);
    this.#onAnswer(callId, outcome);
  }

  #ended(callId: string, { output, isError }: ToolOutcome): void {
    const call = this.#calls.get(callId);
    if (!call || call.ended) return;
    call.ended = true;
    const { name, args, since } = call;
    const at = this.#clock.now();
    this.#listener.ended({ callId, name, args, output, isError, at, ms: at - since });
  }
}

/** The session's tools as the framework sees them: the same tools, but their execution is tracked. */
export class TrackedToolContext extends llm.ToolContext {
  readonly #calls: ToolCallTracker;

  constructor(tools: llm.ToolContext, calls: ToolCallTracker) {
    super([...tools.tools]);
    this.#calls = calls;
  }

  override getFunctionTool(id: string): ReturnType<llm.ToolContext['getFunctionTool']> {
    const tool = super.getFunctionTool(id);
    if (!tool) return undefined;
    const calls = this.#calls;
    return {
      ...tool,
      execute: (args, opts) =>
        calls.run(opts.toolCallId, async () => tool.execute(args, opts), opts.abortSignal),
    };
  }
}
