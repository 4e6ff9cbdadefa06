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

  /** @param rss bytes that the process uses now */
  constructor(rss: () => number = () => process.memoryUsage.rss()) {
    this.#rss = rss;
  }

  /** Runs a tool of a call, and counts what the process grows by until the tool has ended. */
  measure<T>(callId: string, tool: () => T): T {
    const before = this.#rss();
    const count = () => {
      const grown = (this.#grown.get(callId) ?? 0) + this.#rss() - before;
      this.#grown.set(callId, grown);
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
  }

  /** The call whose tools the process grew most by; undefined when it did not grow during any. */
  get largest(): CallMemory | undefined {
    const [first] = [...this.#grown].sort(([, a], [, b]) => b - a);
    if (!first || first[1] < MEGABYTE) return undefined;
    return { callId: first[0], grownMB: Math.round(first[1] / MEGABYTE) };
  }
}

/** That of this process. */
export const memoryByCall = new MemoryByCall();
