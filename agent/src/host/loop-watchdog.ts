// SPDX-License-Identifier: Apache-2.0

import { Worker } from 'node:worker_threads';
import { log } from '@livekit/agents';

/** Code that kept the event loop from running. */
export interface BlockedLoop {
  /** Milliseconds for which nothing else could run. */
  readonly ms: number;
  /** The call that the code ran for, and its tool; undefined when it ran for no call, or ended too soon to be seen. */
  readonly callId?: string;
  readonly tool?: string;
  /** The innermost five functions, as `name file:line`. */
  readonly frames: readonly string[];
}

export interface LoopWatchdogOptions {
  /** A pause of the event loop that counts, in milliseconds.  @default 250 */
  readonly blockedMs?: number;
  /** Called when the loop runs again. */
  readonly onBlocked: (blocked: BlockedLoop) => void;
}

const BEAT_MS = 50;
/** For how long the thread's finding is waited for once the loop runs again. */
const FINDING_MS = 500;

/** What the watching thread found, while this one could do nothing. */
interface Finding {
  readonly call?: { callId: string; tool?: string };
  readonly frames: readonly string[];
}

/**
 * Notices code that blocks the event loop of a process that carries several calls, and names it: another thread
 * sees that this one's heart has stopped, pauses it through the inspector, and asks which call's code it is in.
 * An orderly look costs nothing; only a stall is inspected.
 */
export class LoopWatchdog {
  readonly #heartbeat = new BigInt64Array(new SharedArrayBuffer(8));
  readonly #thread: Worker;
  readonly #timer: NodeJS.Timeout;
  readonly #options: Required<LoopWatchdogOptions>;
  #beatAt = Date.now();
  #finding: Finding | undefined;
  #waiting: { ms: number; timer: NodeJS.Timeout } | undefined;

  constructor(options: LoopWatchdogOptions) {
    this.#options = { blockedMs: 250, ...options };
    const { blockedMs } = this.#options;
    this.#thread = new Worker(new URL('./loop-watchdog-thread.js', import.meta.url), {
      workerData: { heartbeat: this.#heartbeat, blockedMs, everyMs: BEAT_MS },
    });
    this.#thread.unref();
    // Without it a call goes on as well; only what blocks it has no name.
    this.#thread.on('error', (error) => log().warn({ error }, 'event loop watchdog failed'));
    this.#thread.on('message', (finding: Finding) => {
      if (this.#waiting) this.#report(this.#waiting.ms, finding);
      else this.#finding = finding;
    });
    this.#timer = setInterval(() => this.#beat(), BEAT_MS);
    this.#timer.unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#thread.terminate();
  }

  #beat(): void {
    const now = Date.now();
    const late = now - this.#beatAt - BEAT_MS;
    this.#beatAt = now;
    Atomics.store(this.#heartbeat, 0, BigInt(now));
    if (late < this.#options.blockedMs) return;
    if (this.#finding) {
      this.#report(late, this.#finding);
      return;
    }
    // What the thread found is on its way, unless the block was too short for a look.
    const timer = setTimeout(() => this.#report(late), FINDING_MS).unref();
    this.#waiting = { ms: late, timer };
  }

  #report(ms: number, { call, frames }: Finding = { frames: [] }): void {
    clearTimeout(this.#waiting?.timer);
    this.#waiting = undefined;
    this.#finding = undefined;
    this.#options.onBlocked({
      ms,
      frames,
      ...(call && { callId: call.callId }),
      ...(call?.tool && { tool: call.tool }),
    });
  }
}
