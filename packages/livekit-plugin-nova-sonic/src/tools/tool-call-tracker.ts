// SPDX-License-Identifier: Apache-2.0
import { llm } from '@livekit/agents';
import type { Clock } from '../clock.js';
import { asError } from '../protocol/errors.js';
import type { ToolSpec } from '../protocol/server-events.js';
import type { ToolCallEnded, ToolCallStarted } from '../session-events.js';

/**
 * Function tools as the service wants them, sorted by name so that equal tools give equal bytes.
 *
 * @param leftOut a tool whose parameters cannot be described is left out; the sentence says what to do
 */
export function toolSpecs(tools: llm.ToolContext, leftOut: (why: Error) => void): ToolSpec[] {
  const byName = Object.values(tools.functionTools).sort((a, b) => (a.name < b.name ? -1 : 1));
  return byName.flatMap((tool) => {
    const { name, description } = tool;
    try {
      const inputSchema = JSON.stringify(schemaOf(tool));
      return [{ name, description: description || name, inputSchema }];
    } catch (cause) {
      const why = `The tool ${name} is left out, since its parameters have no JSON schema (${asError(cause).message}): use types that JSON has.`;
      leftOut(new Error(why, { cause }));
      return [];
    }
  });
}

function schemaOf(tool: llm.FunctionTool): unknown {
  const { $schema: _, ...schema } = llm.toJsonSchema(tool.parameters, false) as Record<
    string,
    unknown
  >;
  return schema;
}

/** LiveKit's tool choice in the service's words; `none` has none: the tools are left out instead. */
export function toolChoiceConfig(
  choice: llm.ToolChoice | null | undefined,
): Record<string, unknown> | undefined {
  if (choice === 'auto') return { auto: {} };
  if (choice === 'required') return { any: {} };
  if (typeof choice === 'object' && choice !== null)
    return { tool: { name: choice.function.name } };
  return undefined;
}

const isPlainObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * A tool's output as the JSON object that the service demands: anything else ends the stream. Numbers, lists,
 * strings, null and text that is not JSON go under `result`, errors under `error`.
 */
export function toolResultContent(output: string, isError: boolean): string {
  if (isError) return JSON.stringify({ error: output || 'the tool failed' });
  let value: unknown;
  try {
    value = JSON.parse(output);
  } catch {
    value = output;
  }
  if (isPlainObject(value)) return JSON.stringify(value);
  return JSON.stringify({ result: value === '' ? 'done' : value });
}

/** Any value a tool may return, as text that can be sent; never throws. */
export function outputText(value: unknown): string {
  if (value === undefined) return '';
  if (value instanceof Error) return value.message;
  try {
    return (
      JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? v.toString() : v)) ?? String(value)
    );
  } catch {
    return String(value);
  }
}

/** What became of a tool. */
interface Outcome {
  readonly output: string;
  readonly isError: boolean;
}

interface Call {
  readonly name: string;
  readonly args: string;
  readonly since: number;
  running: boolean;
  /** Its end has been told. */
  ended: boolean;
  outcome?: Outcome;
  cancel?: () => void;
}

/** Who is told of the calls. */
export interface ToolCallListener {
  started(call: ToolCallStarted): void;
  ended(call: ToolCallEnded): void;
}

/** The framework gives a cancelled tool 2 s; one that it never started is answered after that. */
const NEVER_STARTED_MS = 3_000;
/** A cancelled tool may still finish; the caller should not wait long for it. */
const CANCELLED_MS = 500;

const INTERRUPTED: Outcome = {
  output:
    'The caller spoke before the result was there; whether the action was carried out is not known.',
  isError: true,
};

/**
 * Sees to it that every tool call of the model gets an answer. The framework hands results over through
 * `updateChatCtx`, but drops them when the caller barges in over the words before the tool, and for a tool that
 * throws StopResponse: then the answer comes from here, with the real result where there is one.
 */
export class ToolCallTracker {
  readonly #calls = new Map<string, Call>();
  readonly #clock: Clock;
  readonly #onAnswer: (callId: string, outcome: Outcome) => void;
  readonly #listener: ToolCallListener;

  constructor(clock: Clock, answer: (callId: string, outcome: Outcome) => void, tell: ToolCallListener) {
    this.#clock = clock;
    this.#onAnswer = answer;
    this.#listener = tell;
  }

  /** The model asks for a tool. */
  called(callId: string, name: string, args: string): void {
    const since = this.#clock.now();
    this.#calls.set(callId, { name, args, since, running: false, ended: false });
    this.#listener.started({ callId, name, args, at: since });
  }

  nameOf(callId: string): string | undefined {
    return this.#calls.get(callId)?.name;
  }

  /** The framework delivered a result. False when the call has its answer already. */
  delivered(callId: string, outcome: Outcome): boolean {
    const call = this.#calls.get(callId);
    call?.cancel?.();
    // Most have been told when the tool returned; one that could not even be run ends here.
    this.#ended(callId, outcome);
    return this.#calls.delete(callId);
  }

  /** Runs a tool and watches it; its result and its exceptions go to the framework unchanged. */
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

  close(): void {
    for (const call of this.#calls.values()) call.cancel?.();
    this.#calls.clear();
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

  #ended(callId: string, { output, isError }: Outcome): void {
    const call = this.#calls.get(callId);
    if (!call || call.ended) return;
    call.ended = true;
    const { name, args, since } = call;
    const at = this.#clock.now();
    this.#listener.ended({ callId, name, args, output, isError, at, ms: at - since });
  }
}

/** The session's tools as the framework sees them: the same tools, but running one is watched. */
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
