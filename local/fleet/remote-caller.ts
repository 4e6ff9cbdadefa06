// SPDX-License-Identifier: Apache-2.0

import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { CallEvent } from '../../agent/src/call/call-events.js';
import type { Line } from '../caller/caller.js';
import type { HostRequest } from './caller-host.js';
import type { Answer } from './light-caller.js';

const HOST = fileURLToPath(new URL('caller-host.ts', import.meta.url));
const CALLERS_PER_HOST = 5;

type FromHost = { name: string } & (
  | { event: 'feed'; message: CallEvent }
  | { event: 'agent'; identity: string; present: boolean; at: number }
  | { event: 'reconnected' }
  | { event?: undefined; id: number; result?: unknown; error?: string }
);

interface Events {
  feed: [CallEvent];
  agent: [present: boolean, at: number];
}

/** A light caller in another process. */
export class RemoteCaller extends EventEmitter<Events> {
  readonly feed: CallEvent[] = [];
  /** Every time LiveKit's connection was lost and found again. */
  reconnects = 0;
  /** Ms since the epoch. */
  agentJoinedAt: number | undefined;
  agentLeftAt: number | undefined;
  agentIdentity: string | undefined;
  readonly #host: CallerHost;

  /** @param name also of the room */
  constructor(
    readonly name: string,
    host: CallerHost,
  ) {
    super();
    this.setMaxListeners(50);
    this.#host = host;
    host.add(this);
  }

  /** The id of the job that answers this call. */
  get job(): string {
    return (this.agentIdentity ?? '').replace(/^agent-/, '');
  }

  get agentPresent(): boolean {
    return this.agentJoinedAt !== undefined && this.agentLeftAt === undefined;
  }

  async join(line: Line): Promise<void> {
    await this.#host.ask(this.name, 'join', [line]);
  }

  /** Speaks, and listens to the answer; undefined when none has begun within `ms`. */
  async ask(question: Int16Array, ms = 15_000): Promise<Answer | undefined> {
    return (await this.#host.ask(this.name, 'ask', [question, ms])) as Answer | undefined;
  }

  /** Listens to one answer that begins after `from`; undefined when none has begun within `ms`. */
  async listen(from: number, ms = 15_000): Promise<Answer | undefined> {
    return (await this.#host.ask(this.name, 'listen', [from, ms])) as Answer | undefined;
  }

  async hangUp(): Promise<void> {
    await this.#host.ask(this.name, 'hangUp', []);
    this.#host.remove(this);
  }

  /** When the agent joined, in ms since the epoch; undefined when it did not within `ms`. */
  async untilAgent(ms: number): Promise<number | undefined> {
    await this.#until('agent', () => this.agentPresent, ms);
    return this.agentPresent ? this.agentJoinedAt : undefined;
  }

  /** Whether the agent left within `ms`. */
  untilAlone(ms: number): Promise<boolean> {
    return this.#until('agent', () => !this.agentPresent, ms);
  }

  /** The first thing told that fits, of the past or within `ms`. */
  async told<T extends CallEvent['type']>(
    type: T,
    fits: (message: Extract<CallEvent, { type: T }>) => boolean = () => true,
    ms = 15_000,
  ): Promise<Extract<CallEvent, { type: T }> | undefined> {
    const find = () =>
      this.feed.find(
        (message): message is Extract<CallEvent, { type: T }> =>
          message.type === type && fits(message as Extract<CallEvent, { type: T }>),
      );
    await this.#until('feed', () => find() !== undefined, ms);
    return find();
  }

  async #until(event: keyof Events, fits: () => boolean, ms: number): Promise<boolean> {
    const signal = AbortSignal.timeout(ms);
    try {
      while (!fits()) await once(this, event, { signal });
      return true;
    } catch {
      return false;
    }
  }

  /** @internal Something happened in the other process. */
  take(message: FromHost): void {
    switch (message.event) {
      case 'feed':
        this.feed.push(message.message);
        this.emit('feed', message.message);
        return;
      case 'agent':
        this.agentIdentity = message.identity;
        if (message.present) {
          this.agentJoinedAt = message.at;
          this.agentLeftAt = undefined;
        } else {
          this.agentLeftAt = message.at;
        }
        this.emit('agent', message.present, message.at);
        return;
      case 'reconnected':
        this.reconnects += 1;
    }
  }
}

/** One of the processes that hold the callers. */
class CallerHost {
  readonly #child: ChildProcess;
  readonly #callers = new Map<string, RemoteCaller>();
  readonly #open = new Map<number, (message: { result?: unknown; error?: string }) => void>();
  #ids = 0;

  constructor() {
    this.#child = fork(HOST, [], {
      execArgv: ['--import', 'tsx'],
      env: { ...process.env, NODE_ENV: 'production', NODE_OPTIONS: '' },
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child.on('message', (message: FromHost) => {
      if (message.event) this.#callers.get(message.name)?.take(message);
      else this.#open.get(message.id)?.(message);
    });
    this.#child.on('exit', () => {
      for (const settle of this.#open.values()) settle({ error: 'the callers are gone' });
    });
  }

  get size(): number {
    return this.#callers.size;
  }

  add(caller: RemoteCaller): void {
    this.#callers.set(caller.name, caller);
  }

  remove(caller: RemoteCaller): void {
    this.#callers.delete(caller.name);
  }

  ask<M extends HostRequest['method']>(
    name: string,
    method: M,
    args: Extract<HostRequest, { method: M }>['args'],
  ): Promise<unknown> {
    this.#ids += 1;
    const id = this.#ids;
    return new Promise((resolve, reject) => {
      this.#open.set(id, ({ result, error }) => {
        this.#open.delete(id);
        if (error === undefined) resolve(result);
        else reject(new Error(`${name}: ${error}`));
      });
      this.#child.send({ id, name, method, args });
    });
  }

  stop(): void {
    if (this.#child.connected) this.#child.disconnect();
  }
}

/** The processes that hold the callers, as many as are needed. */
export class CallerHosts {
  readonly #hosts: CallerHost[] = [];

  caller(name: string): RemoteCaller {
    let host = this.#hosts.find(({ size }) => size < CALLERS_PER_HOST);
    if (!host) {
      host = new CallerHost();
      this.#hosts.push(host);
    }
    return new RemoteCaller(name, host);
  }

  stop(): void {
    for (const host of this.#hosts.splice(0)) host.stop();
  }
}
