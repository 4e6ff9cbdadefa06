// SPDX-License-Identifier: Apache-2.0

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const LEASH = fileURLToPath(new URL('kill-with-parent.js', import.meta.url));

/** How a child is started. */
export interface ChildOptions {
  /** Whole environment of the child. Default: ours. */
  env?: NodeJS.ProcessEnv;
  /** Working directory. Default: ours. */
  cwd?: string;
  /** Called with each line the child writes, and the stream it came from. */
  onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  /** How long the child may take to end after SIGTERM before it is killed, in ms. Default 5000. */
  graceMs?: number;
}

/** A program that ends with us: also when we are killed, by way of `kill-with-parent.js`. */
export class Child {
  readonly name: string;
  /** Settles with the exit code when the child has ended. */
  readonly exited: Promise<number>;
  #process: ChildProcess;
  #last: string[] = [];
  #watchers = new Set<(line: string) => void>();

  constructor(name: string, command: string, args: string[], options: ChildOptions = {}) {
    this.name = name;
    this.#process = spawn(process.execPath, [LEASH, command, ...args], {
      cwd: options.cwd,
      env: { ...(options.env ?? process.env), LEASH_GRACE_MS: String(options.graceMs ?? 5000) },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // The pipe breaks when the leash ends first.
    this.#process.stdin?.on('error', () => {});
    this.exited = once(this.#process, 'exit').then(([code]) => (code as number | null) ?? 1);
    for (const stream of ['stdout', 'stderr'] as const) {
      const input = this.#process[stream];
      if (!input) continue;
      createInterface({ input }).on('line', (line) => {
        this.#last = [...this.#last.slice(-19), line];
        options.onLine?.(line, stream);
        for (const watch of this.#watchers) watch(line);
      });
    }
  }

  /** The last 20 lines that the child wrote. */
  get lastLines(): string {
    return this.#last.join('\n');
  }

  /**
   * Resolves with the first line that `find` accepts.
   * @throws Error with the child's last lines when it ends first, or after `timeoutMs`.
   */
  async line(find: (line: string) => boolean, timeoutMs: number): Promise<string> {
    let watch: ((line: string) => void) | undefined;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await Promise.race([
        new Promise<string>((resolve) => {
          watch = (line) => find(line) && resolve(line);
          this.#watchers.add(watch);
          const seen = this.#last.find(find);
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
      if (watch) this.#watchers.delete(watch);
      clearTimeout(timer);
    }
  }

  /** Kills the program outright, as a crash would, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#process.kill('SIGUSR2');
    await this.exited;
  }

  /** Ends the child (SIGTERM, then SIGKILL after the grace time) and waits until it is gone. */
  async stop(): Promise<void> {
    this.#process.stdin?.end();
    await this.exited;
  }
}
