// SPDX-License-Identifier: Apache-2.0

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const KILL_WITH_PARENT = fileURLToPath(new URL('kill-with-parent.js', import.meta.url));
const DEFAULT_GRACE_MS = 5000;

export interface ManagedProcessOptions {
  /** The complete environment. Default: that of this process. */
  env?: NodeJS.ProcessEnv;
  /** Working directory. Default: that of this process. */
  cwd?: string;
  /** Called with each line that the program writes, and the stream it came from. */
  onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  /** Time from SIGTERM to SIGKILL, in ms. Default 5000. */
  graceMs?: number;
}

/** A program that ends when this process ends, even if this process is killed (see kill-with-parent.js). */
export class ManagedProcess {
  readonly name: string;
  /** Resolves with the exit code when the program has ended. */
  readonly exited: Promise<number>;
  #process: ChildProcess;
  #last: string[] = [];
  #lineListeners = new Set<(line: string) => void>();

  constructor(name: string, command: string, args: string[], options: ManagedProcessOptions = {}) {
    this.name = name;
    this.#process = spawn(process.execPath, [KILL_WITH_PARENT, command, ...args], {
      cwd: options.cwd,
      env: {
        ...(options.env ?? process.env),
        KILL_GRACE_MS: String(options.graceMs ?? DEFAULT_GRACE_MS),
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // The pipe breaks when kill-with-parent.js ends first.
    this.#process.stdin?.on('error', () => {});
    this.exited = once(this.#process, 'exit').then(([code]) => (code as number | null) ?? 1);
    for (const stream of ['stdout', 'stderr'] as const) {
      const input = this.#process[stream];
      if (!input) continue;
      createInterface({ input }).on('line', (line) => {
        this.#last = [...this.#last.slice(-19), line];
        options.onLine?.(line, stream);
        for (const listener of this.#lineListeners) listener(line);
      });
    }
  }

  /** @throws Error when the program could not be started */
  get pid(): number {
    const { pid } = this.#process;
    if (pid === undefined) throw new Error(`${this.name} could not be started.`);
    return pid;
  }

  /** The last 20 lines that the program wrote. */
  get lastLines(): string {
    return this.#last.join('\n');
  }

  /**
   * Resolves with the first line that `matches` accepts, one of the last 20 included.
   * @throws Error with the last lines when the program ends first, or after `timeoutMs`.
   */
  async waitForLine(matches: (line: string) => boolean, timeoutMs: number): Promise<string> {
    let listener: ((line: string) => void) | undefined;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await Promise.race([
        new Promise<string>((resolve) => {
          listener = (line) => matches(line) && resolve(line);
          this.#lineListeners.add(listener);
          const seen = this.#last.find(matches);
          if (seen !== undefined) resolve(seen);
        }),
        this.exited.then((code) => {
          throw new Error(`${this.name} ended with code ${code}:\n${this.lastLines}`);
        }),
        new Promise<never>((_, reject) => {
          timer = setTimeout(
            () =>
              reject(
                new Error(
                  `${this.name} was not ready in ${timeoutMs / 1000} s:\n${this.lastLines}`,
                ),
              ),
            timeoutMs,
          );
        }),
      ]);
    } finally {
      if (listener) this.#lineListeners.delete(listener);
      clearTimeout(timer);
    }
  }

  /** Kills the program at once, as a crash would, and waits until it has ended. */
  async kill(): Promise<void> {
    this.#process.kill('SIGUSR2');
    await this.exited;
  }

  /** Stops the program (SIGTERM, then SIGKILL after the grace time) and waits until it has ended. */
  async stop(): Promise<void> {
    this.#process.stdin?.end();
    await this.exited;
  }
}
