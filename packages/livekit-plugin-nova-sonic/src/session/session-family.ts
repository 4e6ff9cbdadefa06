// SPDX-License-Identifier: Apache-2.0
import type { ToolResultEntry } from '../history/entries.js';
import type { OpenToolCall } from '../tools/tool-call-tracker.js';

/** Tools of closed agents may run for ever; the oldest are forgotten. */
const MAX_CALLS = 100;

/** A session that continues a conversation may take the results of calls that an earlier one made. */
interface FamilyMember {
  /** Takes a result. Returns false when the session does not wait for it. */
  takeResult(result: ToolResultEntry): boolean;
}

/**
 * The sessions of one model. LiveKit closes the session of an agent whose tool awaits an `AgentTask`, opens another for the
 * task and a third when the agent resumes, and then hands the tool's result to the first: it belongs to the session
 * whose history has the call.
 */
export class SessionFamily<T extends FamilyMember> {
  /** Those that were not closed, the newest last. */
  readonly open = new Set<T>();
  readonly #calls = new Map<string, OpenToolCall>();

  /** A session closes with tools that still run. */
  leave(calls: readonly OpenToolCall[]): void {
    for (const call of calls) this.#calls.set(call.callId, call);
    while (this.#calls.size > MAX_CALLS)
      this.#calls.delete(this.#calls.keys().next().value as string);
  }

  /** The call of a closed session, for each whose history has it: a task may begin with a copy of the history. */
  adopt(callId: string): OpenToolCall | undefined {
    return this.#calls.get(callId);
  }

  /** A closed session was handed a result: the newest open one that waits for it takes it. */
  deliver(result: ToolResultEntry): boolean {
    this.#calls.delete(result.callId);
    return [...this.open].reverse().some((member) => member.takeResult(result));
  }
}
