// SPDX-License-Identifier: Apache-2.0

import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { CallEvent } from '../../agent/src/call/call-events.js';
import type { CallerConditions } from '../caller/device.js';
import type { LiveKitConnection } from '../livekit/connection.js';
import type { HostRequest } from './caller-host.js';
import type { HeardAnswer, HeardSound } from './light-caller.js';

const HOST_PROGRAM = fileURLToPath(new URL('caller-host.ts', import.meta.url));
const CALLERS_PER_HOST = 5;

type HostMessage = { name: string } & (
  | { event: 'callEvent'; callEvent: CallEvent }
  | { event: 'agent'; identity: string; present: boolean; at: number }
  | { event: 'reconnected' }
  | { event: 'disconnected'; at: number }
  | { event?: undefined; id: number; result?: unknown; error?: string }
);

interface RemoteCallerEvents {
  callEvent: [CallEvent];
  agent: [present: boolean, at: number];
  disconnected: [at: number];
}

/** A LightCaller that runs in another process. */
export class RemoteCaller extends EventEmitter<RemoteCallerEvents> {
  /** Everything that the agent published about the call. */
  readonly callEvents: CallEvent[] = [];
  /** How often the connection to LiveKit was lost and restored. */
  reconnects = 0;
  /** The agent that answers; of several, the one that joined last and is still there. Ms since the epoch. */
  agentJoinedAt: number | undefined;
  /** When no agent was left in the room. */
  agentLeftAt: number | undefined;
  agentIdentity: string | undefined;
  /** When it was out of the room, hung up or disconnected. */
  disconnectedAt: number | undefined;
  /**
   * When each agent that is there joined. A second one may come, of a dispatch that was made again, and leave: the call
   * goes on.
   */
  readonly #agents = new Map<string, number>();
  readonly #host: CallerHost;

  /** @param name of the caller and of its room */
  constructor(
    readonly name: string,
    host: CallerHost,
  ) {
    super();
    this.setMaxListeners(50);
    this.#host = host;
    host.add(this);
  }

  /** Id of the LiveKit job that answers this call. */
  get jobId(): string {
    return (this.agentIdentity ?? '').replace(/^agent-/, '');
  }

  get agentPresent(): boolean {
    return this.agentJoinedAt !== undefined && this.agentLeftAt === undefined;
  }

  async join(connection: LiveKitConnection, options: CallerConditions = {}): Promise<void> {
    await this.#host.request(this.name, 'join', [connection, options]);
  }

  /** Publishes the microphone before the first question, as people do; done when an agent receives it. */
  async openMicrophone(): Promise<void> {
    await this.#host.request(this.name, 'openMicrophone', []);
  }

  /** Asks a question and listens to the answer; undefined when none has started within `ms`. */
  async ask(question: Int16Array, ms = 15_000): Promise<HeardAnswer | undefined> {
    return (await this.#host.request(this.name, 'ask', [question, ms])) as HeardAnswer | undefined;
  }

  /** Listens to one answer that starts after `from`; undefined when none has started within `ms`. */
  async listen(from: number, ms = 15_000): Promise<HeardAnswer | undefined> {
    return (await this.#host.request(this.name, 'listen', [from, ms])) as HeardAnswer | undefined;
  }

  /** Presses keys one after the other, as on a telephone; `w` is a pause of half a second. */
  async press(keys: string): Promise<void> {
    await this.#host.request(this.name, 'press', [keys]);
  }

  /** What it has heard since it joined. */
  async heard(): Promise<HeardSound> {
    return (await this.#host.request(this.name, 'heard', [])) as HeardSound;
  }

  async hangUp(): Promise<void> {
    await this.#host.request(this.name, 'hangUp', []);
    this.#host.remove(this);
  }

  /** When the agent joined, in ms since the epoch; undefined when it did not within `ms`. */
  async waitForAgent(ms: number): Promise<number | undefined> {
    await this.#waitUntil('agent', () => this.agentPresent, ms);
    return this.agentPresent ? this.agentJoinedAt : undefined;
  }

  /** Waits, as long as `ms`, until something about the agent holds. */
  waitForAgentUntil(holds: () => boolean, ms: number): Promise<boolean> {
    return this.#waitUntil('agent', holds, ms);
  }

  /** Whether the agent left within `ms`. */
  waitForAgentToLeave(ms: number): Promise<boolean> {
    return this.#waitUntil('agent', () => !this.agentPresent, ms);
  }

  /** When it was disconnected, in ms since the epoch; undefined when it was not within `ms`. */
  async waitUntilDisconnected(ms: number): Promise<number | undefined> {
    await this.#waitUntil('disconnected', () => this.disconnectedAt !== undefined, ms);
    return this.disconnectedAt;
  }

  /** The first matching event, received already or within `ms`. */
  async waitForEvent<T extends CallEvent['type']>(
    type: T,
    matches: (event: Extract<CallEvent, { type: T }>) => boolean = () => true,
    ms = 15_000,
  ): Promise<Extract<CallEvent, { type: T }> | undefined> {
    const find = () =>
      this.callEvents.find(
        (event): event is Extract<CallEvent, { type: T }> =>
          event.type === type && matches(event as Extract<CallEvent, { type: T }>),
      );
    await this.#waitUntil('callEvent', () => find() !== undefined, ms);
    return find();
  }

  async #waitUntil(
    event: keyof RemoteCallerEvents,
    condition: () => boolean,
    ms: number,
  ): Promise<boolean> {
    const signal = AbortSignal.timeout(ms);
    try {
      while (!condition()) await once(this, event, { signal });
      return true;
    } catch {
      return false;
    }
  }

  /** @internal Called with each message of the other process. */
  handleMessage(message: HostMessage): void {
    switch (message.event) {
      case 'callEvent':
        this.callEvents.push(message.callEvent);
        this.emit('callEvent', message.callEvent);
        return;
      case 'agent':
        this.#setAgentPresent(message);
        this.emit('agent', message.present, message.at);
        return;
      case 'reconnected':
        this.reconnects += 1;
        return;
      case 'disconnected':
        this.disconnectedAt = message.at;
        this.emit('disconnected', message.at);
    }
  }

  #setAgentPresent({ identity, present, at }: { identity: string; present: boolean; at: number }) {
    if (present) this.#agents.set(identity, at);
    else this.#agents.delete(identity);
    const newest = [...this.#agents].at(-1);
    if (newest) [this.agentIdentity, this.agentJoinedAt] = newest;
    else this.agentIdentity = identity;
    this.agentLeftAt = newest ? undefined : at;
  }
}

/** The parent's side of one process that runs callers (caller-host.ts). */
class CallerHost {
  readonly #child: ChildProcess;
  readonly #callers = new Map<string, RemoteCaller>();
  readonly #pending = new Map<number, (message: { result?: unknown; error?: string }) => void>();
  #lastId = 0;

  constructor() {
    this.#child = fork(HOST_PROGRAM, [], {
      execArgv: ['--import', 'tsx'],
      env: { ...process.env, NODE_ENV: 'production', NODE_OPTIONS: '' },
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child.on('message', (message: HostMessage) => {
      if (message.event) this.#callers.get(message.name)?.handleMessage(message);
      else this.#pending.get(message.id)?.(message);
    });
    this.#child.on('exit', () => {
      for (const settle of this.#pending.values())
        settle({ error: 'the process of the callers has ended' });
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

  request<M extends HostRequest['method']>(
    name: string,
    method: M,
    args: Extract<HostRequest, { method: M }>['args'],
  ): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, ({ result, error }) => {
        this.#pending.delete(id);
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

/** Distributes callers over as many processes as are needed. */
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
