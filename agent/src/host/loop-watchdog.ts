// SPDX-License-Identifier: Apache-2.0

import { Worker } from 'node:worker_threads';
import { log } from '@livekit/agents';

/** Code that kept the event loop from running. */
export interface BlockedLoop {
  /** Milliseconds for which nothing else could run. */
  readonly ms: number;
  /** The call that the code ran for, and its tool; undefined when it ran for no call, or was not looked into. */
  readonly callId?: string;
  readonly tool?: string;
  /** The innermost five functions, as `name file:line`. */
  readonly frames: readonly string[];
}

export interface LoopWatchdogOptions {
  /** A pause of the event loop that counts, in milliseconds.  @default 500 */
  readonly blockedMs?: number;
  /**
   * A pause that is looked into in any case, and logged while it lasts, since it may last until the process is
   * killed; in milliseconds.  @default 2 000
   */
  readonly lastingMs?: number;
  /**
   * Milliseconds between two looks into the blocked thread, each of which costs it some more; a shorter block that
   * comes sooner is reported without a name.  @default 10 000
   */
  readonly inspectEveryMs?: number;
  /**
   * After the parent process has died, the milliseconds after which this one is killed if it has not left its calls and
   * ended by itself.  @default 15 000
   */
  readonly leaveMs?: number;
  /** Called when the loop runs again. */
  readonly onBlocked: (blocked: BlockedLoop) => void;
}

const BEAT_MS = 50;
/** The cells that both threads read and write. */
const HEARTBEAT = 0;
const INSPECTED = 1;
const INSPECTIONS = 2;

/** What the watching thread found while this one could do nothing. */
interface Finding {
  /** The last heartbeat before the stall. */
  readonly beat: bigint;
  readonly call?: { callId: string; tool?: string };
  readonly frames: readonly string[];
}

/**
 * Notices code that blocks the event loop of a process that carries several calls, and names it: another thread
 * sees that this one's heart has stopped, pauses it through the inspector, and asks which call's code it is in. That
 * thread logs a block that lasts, since this one may never run again. An orderly look costs nothing; only a stall is
 * inspected. It also sees to it that no process stays in its calls whose worker has died.
 */
export class LoopWatchdog {
  readonly #cells = new BigInt64Array(new SharedArrayBuffer(3 * 8));
  readonly #thread: Worker;
  readonly #timer: NodeJS.Timeout;
  readonly #options: Required<LoopWatchdogOptions>;
  #beatAt = Date.now();
  /** The block that just ended, whose finding is on its way. */
  #block: { beat: bigint; ms: number } | undefined;
  #finding: Finding | undefined;

  constructor(options: LoopWatchdogOptions) {
    this.#options = {
      ...{ blockedMs: 500, lastingMs: 2_000, inspectEveryMs: 10_000, leaveMs: 15_000 },
      ...options,
    };
    const { blockedMs, lastingMs, inspectEveryMs, leaveMs } = this.#options;
    Atomics.store(this.#cells, HEARTBEAT, BigInt(this.#beatAt));
    this.#thread = new Worker(new URL('./loop-watchdog-thread.js', import.meta.url), {
      workerData: {
        ...{ cells: this.#cells, blockedMs, lastingMs, inspectEveryMs },
        ...{ everyMs: BEAT_MS, leaveMs, parent: process.ppid },
      },
    });
    this.#thread.unref();
    // Without it a call goes on as well; only what blocks it has no name.
    this.#thread.on('error', (error) => log().warn({ error }, 'event loop watchdog failed'));
    this.#thread.on('message', (finding: Finding) => {
      this.#finding = finding;
      this.#report();
    });
    this.#timer = setInterval(() => this.#beat(), BEAT_MS);
    this.#timer.unref();
  }

  /** Stalls that the watching thread has looked into; also readable while the event loop is blocked. */
  get inspections(): number {
    return Number(Atomics.load(this.#cells, INSPECTIONS));
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#thread.terminate();
  }

  #beat(): void {
    const now = Date.now();
    const late = now - this.#beatAt - BEAT_MS;
    const beat = BigInt(this.#beatAt);
    this.#beatAt = now;
    Atomics.store(this.#cells, HEARTBEAT, BigInt(now));
    if (late < this.#options.blockedMs) return;
    if (Atomics.load(this.#cells, INSPECTED) !== beat) {
      // Too short, or too soon after the last look.
      this.#options.onBlocked({ ms: late, frames: [] });
      return;
    }
    this.#block = { beat, ms: late };
    this.#report();
  }

  /** The end of the block and the finding come in either order. */
  #report(): void {
    const [block, finding] = [this.#block, this.#finding];
    if (!block || finding?.beat !== block.beat) return;
    this.#block = undefined;
    const { call, frames } = finding;
    this.#options.onBlocked({
      ms: block.ms,
      frames,
      ...(call && { callId: call.callId }),
      ...(call?.tool && { tool: call.tool }),
    });
  }
}
