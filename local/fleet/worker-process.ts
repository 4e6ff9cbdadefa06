// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs';
import { Child } from '../process/managed-process.js';
import { type EcsAgentOptions, EcsAgentStandIn } from './ecs-agent.js';

const READY_TIMEOUT_MS = 60_000;
/** Longer than any drain of a test: the leash must not cut it short. */
const GRACE_MS = 180_000;

/** A line of a worker's log. */
export interface LogLine {
  msg?: string;
  level?: number;
  time?: number;
  pid?: number;
  [field: string]: unknown;
}

/** What a worker tells at `/ready`. */
export interface Health {
  ok: boolean;
  calls: number;
  slots: number;
  warm: number;
  registered: boolean;
  draining: boolean;
  protected: boolean;
}

/** One task of the fleet: a worker process and the ECS agent that it talks to. */
export class WorkerProcess {
  readonly log: LogLine[] = [];
  /** Lines of the log that are not JSON. */
  readonly noise: string[] = [];
  readonly #child: Child;
  #health = 0;
  #pid = 0;
  readonly #watchers = new Set<(line: LogLine) => void>();
  /** The exit code, and when. */
  readonly exited: Promise<{ code: number; at: number }>;

  private constructor(
    readonly name: string,
    readonly ecs: EcsAgentStandIn,
    main: string,
    env: NodeJS.ProcessEnv,
  ) {
    this.#child = new Child(name, process.execPath, [main], {
      env: { ...env, ECS_AGENT_URI: ecs.uri, HEALTH_PORT: '0' },
      graceMs: GRACE_MS,
      onLine: (line, stream) => stream === 'stdout' && this.#take(line),
    });
    this.exited = this.#child.exited.then((code) => ({ code, at: Date.now() }));
  }

  /** Starts a worker and waits until LiveKit has accepted it. */
  static async start(
    name: string,
    main: string,
    env: NodeJS.ProcessEnv,
    ecs: EcsAgentOptions = {},
  ): Promise<WorkerProcess> {
    const worker = new WorkerProcess(name, await EcsAgentStandIn.start(name, ecs), main, env);
    try {
      await worker.#child.line((line) => line.includes('"msg":"ready"'), READY_TIMEOUT_MS);
    } catch (error) {
      await worker.kill();
      throw error;
    }
    return worker;
  }

  /** Of the worker's main process. */
  get pid(): number {
    return this.#pid;
  }

  /** The processes of its jobs, warm ones included. */
  get jobPids(): number[] {
    const path = `/proc/${this.#pid}/task/${this.#pid}/children`;
    return readFileSync(path, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  }

  /** The process that holds a call, by its job's id. */
  pidOf(job: string): number | undefined {
    return this.log.find((line) => line.jobID === job && line.pid !== this.#pid)?.pid;
  }

  lines(msg: string): LogLine[] {
    return this.log.filter((line) => line.msg === msg);
  }

  /** The first line that fits, of the past or within `ms`. */
  async line(fits: (line: LogLine) => boolean, ms: number): Promise<LogLine> {
    const known = this.log.find(fits);
    if (known) return known;
    return new Promise((resolve, reject) => {
      const watch = (line: LogLine) => {
        if (!fits(line)) return;
        clearTimeout(timer);
        this.#watchers.delete(watch);
        resolve(line);
      };
      const timer = setTimeout(() => {
        this.#watchers.delete(watch);
        reject(new Error(`${this.name} did not log that within ${ms} ms`));
      }, ms);
      this.#watchers.add(watch);
    });
  }

  async health(path: 'live' | 'ready' = 'ready'): Promise<Health & { status: number }> {
    const response = await fetch(`http://127.0.0.1:${this.#health}/${path}`);
    return { ...((await response.json()) as Health), status: response.status };
  }

  /** Resolves when the worker's state fits. */
  async until(fits: (health: Health) => boolean, ms: number): Promise<Health> {
    const end = Date.now() + ms;
    for (;;) {
      const health = await this.health();
      if (fits(health)) return health;
      if (Date.now() > end) throw new Error(`${this.name} is ${JSON.stringify(health)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.#pid, name);
  }

  /** SIGKILL, as a task that is lost. */
  async kill(): Promise<void> {
    if (this.#pid) {
      try {
        process.kill(this.#pid, 'SIGKILL');
      } catch {
        // Gone already.
      }
    }
    await this.#child.stop();
    await this.ecs.stop();
  }

  #take(text: string): void {
    let line: LogLine;
    try {
      line = JSON.parse(text) as LogLine;
    } catch {
      this.noise.push(text);
      return;
    }
    this.log.push(line);
    if (line.msg === 'health server listening') {
      this.#health = line.port as number;
      this.#pid = line.pid ?? 0;
    }
    for (const watch of this.#watchers) watch(line);
  }
}
