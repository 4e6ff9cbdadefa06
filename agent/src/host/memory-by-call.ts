// SPDX-License-Identifier: Apache-2.0

const MEGABYTE = 1024 * 1024;

/** How much the memory of a shared process grew while tools of one call ran. */
export interface CallMemory {
  /** LiveKit's job id. */
  readonly callId: string;
  readonly grownMB: number;
}

/**
 * Says which call a process that grows should be blamed on. A process has one heap for all its calls, so this is an
 * estimate: what the process grew by while a call's tools ran, summed up over the call.
 */
export class MemoryByCall {
  readonly #rss: () => number;
  readonly #grown = new Map<string, number>();
  /** Tools that have not ended, in the order of their start. */
  readonly #running = new Set<{ callId: string; before: number }>();

  /** @param rss bytes that the process uses now */
  constructor(rss: () => number = () => process.memoryUsage.rss()) {
    this.#rss = rss;
  }

  /** Runs a tool of a call, and counts what the process grows by until the tool has ended. */
  measure<T>(callId: string, tool: () => T): T {
    const run = { callId, before: this.#rss() };
    this.#running.add(run);
    const count = () => {
      // A call that has ended is blamed for nothing any more.
      if (!this.#running.has(run)) return;
      const grown = this.#rss() - run.before;
      this.#grown.set(callId, (this.#grown.get(callId) ?? 0) + grown);
      // Nor is a tool that runs since before, and may never return, for what this one did.
      for (const earlier of this.#running) {
        if (earlier === run) break;
        earlier.before += Math.max(0, grown);
      }
      this.#running.delete(run);
    };
    let result: T;
    try {
      result = tool();
    } catch (error) {
      count();
      throw error;
    }
    if (result instanceof Promise) void result.then(count, count);
    else count();
    return result;
  }

  /** Forgets a call that has ended. */
  ended(callId: string): void {
    this.#grown.delete(callId);
    for (const run of this.#running) if (run.callId === callId) this.#running.delete(run);
  }

  /**
   * The call whose tools the process grew most by; undefined when it did not grow during any. Of the tools that still
   * run only the newest counts: one that never returns is not to blame for all that comes after it.
   */
  get largest(): CallMemory | undefined {
    const grown = new Map(this.#grown);
    const newest = [...this.#running].at(-1);
    if (newest) {
      const { callId, before } = newest;
      grown.set(callId, (grown.get(callId) ?? 0) + this.#rss() - before);
    }
    const [first] = [...grown].sort(([, a], [, b]) => b - a);
    if (!first || first[1] < MEGABYTE) return undefined;
    return { callId: first[0], grownMB: Math.round(first[1] / MEGABYTE) };
  }
}

/** That of this process. */
export const memoryByCall = new MemoryByCall();
