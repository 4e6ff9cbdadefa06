// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs';
import { ManagedProcess } from '../process/managed-process.js';
import type { TaskHandle } from './task-handle.js';

const READY_TIMEOUT_MS = 60_000;
/** Longer than any drain in a test, which must not be cut short. */
const GRACE_MS = 180_000;

/** One JSON line of a worker's log. */
export interface LogLine {
  msg?: string;
  level?: number;
  time?: number;
  pid?: number;
  [field: string]: unknown;
}

/** The body of a worker's `/ready` response. */
export interface Health {
  ok: boolean;
  calls: number;
  slots: number;
  warm: number;
  registered: boolean;
  draining: boolean;
  accepting: boolean;
  protected: boolean;
}

/** The worker process of one task. */
export class WorkerProcess {
  readonly log: LogLine[] = [];
  readonly nonJsonLines: string[] = [];
  readonly #child: ManagedProcess;
  #healthPort = 0;
  #pid = 0;
  readonly #lineListeners = new Set<(line: LogLine) => void>();
  /** Exit code, and when the worker ended (ms since the epoch). */
  readonly exited: Promise<{ code: number; at: number }>;

  constructor(
    readonly name: string,
    /** What ECS knows about it. */
    readonly ecs: TaskHandle,
    main: string,
    env: NodeJS.ProcessEnv,
  ) {
    this.#child = new ManagedProcess(name, process.execPath, [main], {
      env: { ...env, HEALTH_PORT: '0' },
      graceMs: GRACE_MS,
      onLine: (line, stream) => stream === 'stdout' && this.#handleLine(line),
    });
    this.exited = this.#child.exited.then((code) => ({ code, at: Date.now() }));
  }

  /** Waits until it is registered with LiveKit; kills it when it does not. */
  async ready(): Promise<void> {
    try {
      await this.#child.waitForLine((line) => line.includes('"msg":"ready"'), READY_TIMEOUT_MS);
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  /** Pid of the worker's main process. */
  get pid(): number {
    return this.#pid;
  }

  /** Pids of its job processes, idle ones included, without the one of the waiting line. */
  get jobPids(): number[] {
    return this.#childPids.filter((pid) => !commandOf(pid).includes('attendant-process'));
  }

  get #childPids(): number[] {
    const path = `/proc/${this.#pid}/task/${this.#pid}/children`;
    return readFileSync(path, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  }

  /** Pid of the process that runs a call, the last one if it had several, by the id of its job. */
  pidOf(jobId: string): number | undefined {
    const started = this.log.findLast(
      ({ msg, call_id }) => (msg === 'call started' || msg === 'call resumed') && call_id === jobId,
    );
    return started?.host_pid as number | undefined;
  }

  /** All lines so far with this message. */
  lines(msg: string): LogLine[] {
    return this.log.filter((line) => line.msg === msg);
  }

  /** The first matching line, logged already or within `ms`. */
  async waitForLine(matches: (line: LogLine) => boolean, ms: number): Promise<LogLine> {
    const known = this.log.find(matches);
    if (known) return known;
    return new Promise((resolve, reject) => {
      const listener = (line: LogLine) => {
        if (!matches(line)) return;
        clearTimeout(timer);
        this.#lineListeners.delete(listener);
        resolve(line);
      };
      const timer = setTimeout(() => {
        this.#lineListeners.delete(listener);
        const latest = this.log.flatMap(({ msg }) => msg ?? []).slice(-30);
        reject(
          new Error(
            `${this.name} did not log the expected line within ${ms} ms, but ended with: ${latest.join('; ')}`,
          ),
        );
      }, ms);
      this.#lineListeners.add(listener);
    });
  }

  async health(path: 'live' | 'ready' = 'ready'): Promise<Health & { status: number }> {
    const response = await fetch(`http://127.0.0.1:${this.#healthPort}/${path}`);
    return { ...((await response.json()) as Health), status: response.status };
  }

  /** Waits until the worker's health matches. */
  async waitUntil(matches: (health: Health) => boolean, ms: number): Promise<Health> {
    const end = Date.now() + ms;
    for (;;) {
      const health = await this.health();
      if (matches(health)) return health;
      if (Date.now() > end) throw new Error(`${this.name} still reports ${JSON.stringify(health)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.#pid, name);
  }

  /** SIGTERM, also while it starts; nothing when it has ended already, as a task that ECS finds unhealthy may have. */
  terminate(): void {
    if (this.#pid) this.#trySignal('SIGTERM');
    else void this.#child.stop();
  }

  /** Kills all of its processes at once (SIGKILL), as when a task is lost. */
  async killTask(): Promise<void> {
    for (const pid of [this.#pid, ...this.#childPids]) process.kill(pid, 'SIGKILL');
    await this.#child.stop();
  }

  /** Kills the worker's main process (SIGKILL): the others notice. */
  async kill(): Promise<void> {
    if (this.#pid) this.#trySignal('SIGKILL');
    await this.#child.stop();
  }

  #trySignal(name: NodeJS.Signals): void {
    try {
      this.signal(name);
    } catch {
      // It has ended already.
    }
  }

  #handleLine(text: string): void {
    let line: LogLine;
    try {
      line = JSON.parse(text) as LogLine;
    } catch {
      this.nonJsonLines.push(text);
      return;
    }
    this.log.push(line);
    if (line.msg === 'health server listening') {
      this.#healthPort = line.port as number;
      this.#pid = line.pid ?? 0;
    }
    for (const listener of this.#lineListeners) listener(line);
  }
}

/** The command line of a process; '' when it has ended. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
