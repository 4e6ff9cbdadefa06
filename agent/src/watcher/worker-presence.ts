// SPDX-License-Identifier: Apache-2.0

import { z } from 'zod';
import type { MonotonicClock } from '../clock.js';
import type { ServingTasks } from '../ecs/service-api.js';
import type { ConnectPresence, PresenceConnection } from './presence-connection.js';
import type { PresentCall, PresentWorker } from './rooms-api.js';
import { seatName } from './watcher-seats.js';

/** LiveKit drops a participant without WebRTC after 60 s: the next connection is there before. */
const RENEW_MS = 40_000;
const JOIN_TIMEOUT_MS = 10_000;
/** After a connection that was lost, or did not come about: several tries before anybody takes the worker for dead. */
const RETRY_MS = [100, 200, 300, 600, 1_000, 2_000, 5_000, 15_000];
/** As much as LiveKit takes by default is 64 KB. */
const MAX_CHARACTERS = 60_000;

/** The room that the workers of a service are in. */
export function presenceRoom(agentName: string): string {
  return `${seatName(agentName)}-workers`;
}

/**
 * Keeps this worker among the participants of a room, and its calls, its free slots and the deployment of its task in its
 * metadata, for as long as its process lives: so the others see at once when it does not. Of two connections that take
 * turns one is always there.
 */
export class WorkerPresence {
  readonly #clock: MonotonicClock;
  readonly #connect: ConnectPresence;
  readonly #room: string;
  readonly #worker: string;
  readonly #calls = new Map<string, string>();
  #task: ServingTasks | undefined;
  #free = 0;
  #current: PresenceConnection | undefined;
  #next: PresenceConnection | undefined;
  #connections = 0;
  #failures = 0;
  #running = false;
  #cancel = () => {};
  #onJoined = () => {};
  /** Called when LiveKit has closed the connection, or the network has. */
  onLost: () => void = () => {};
  /** Called with the metadata of the room, at first and when it changes. */
  onRoomMetadata: (metadata: string) => void = () => {};
  /** LiveKit has listed this worker. */
  readonly joined = new Promise<void>((resolve) => {
    this.#onJoined = resolve;
  });

  /** @param worker distinguishes this worker from the others */
  constructor(clock: MonotonicClock, connect: ConnectPresence, room: string, worker: string) {
    this.#clock = clock;
    this.#connect = connect;
    this.#room = room;
    this.#worker = worker;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#join();
  }

  stop(): void {
    this.#running = false;
    this.#cancel();
    this.#next?.leave();
    this.#current?.leave();
    this.#next = this.#current = undefined;
  }

  callStarted({ room, job }: PresentCall): void {
    this.#calls.set(job, room);
    this.#tell();
  }

  callEnded(job: string): void {
    if (this.#calls.delete(job)) this.#tell();
  }

  /** @param task what started the task of this worker, as one that takes calls or none */
  serves(task: ServingTasks | undefined): void {
    if (JSON.stringify(task) === JSON.stringify(this.#task)) return;
    this.#task = task;
    this.#tell();
  }

  /** @param free calls that this worker has room for */
  roomChanged(free: number): void {
    this.#free = free;
    this.#tell();
  }

  #tell(): void {
    this.#current?.tell(this.#metadata());
    this.#next?.tell(this.#metadata());
  }

  #metadata(): string {
    const calls: [string, string][] = [];
    const free = this.#free;
    const task = this.#task && [this.#task.service, this.#task.deployment, this.#task.tasks];
    let characters = JSON.stringify({ task, free, calls }).length;
    for (const [job, room] of this.#calls) {
      characters += JSON.stringify([room, job]).length + 1;
      if (characters > MAX_CHARACTERS) break;
      calls.push([room, job]);
    }
    return JSON.stringify({ task, free, calls });
  }

  #join(): void {
    if (!this.#running) return;
    this.#connections += 1;
    // LiveKit lets the later one of two with the same identity replace the earlier.
    const identity = `${this.#worker}.${this.#connections % 2}`;
    const told = this.#metadata();
    let self: PresenceConnection | undefined;
    const connection = this.#connect(
      this.#room,
      { identity, metadata: told },
      {
        onJoined: () => self && this.#joined(self, told),
        onRoomMetadata: (metadata) => this.onRoomMetadata(metadata),
        onClosed: () => self && this.#lost(self),
      },
    );
    self = connection;
    this.#next = connection;
    this.#plan(JOIN_TIMEOUT_MS, () => {
      connection.leave();
      this.#lost(connection);
    });
  }

  #joined(connection: PresenceConnection, told: string): void {
    if (connection !== this.#next) return;
    this.#current?.leave();
    this.#current = connection;
    this.#next = undefined;
    this.#failures = 0;
    this.#onJoined();
    const metadata = this.#metadata();
    if (metadata !== told) connection.tell(metadata);
    this.#plan(RENEW_MS, () => this.#join());
  }

  #lost(connection: PresenceConnection): void {
    if (connection === this.#current) {
      this.#current = undefined;
      this.onLost();
    } else if (connection === this.#next) this.#next = undefined;
    else return;
    // The other one is on its way.
    if (this.#next) return;
    const pause = RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)] ?? 0;
    this.#failures += 1;
    this.#plan(pause, () => this.#join());
  }

  #plan(ms: number, then: () => void): void {
    this.#cancel();
    this.#cancel = this.#running ? this.#clock.after(ms, then) : () => {};
  }
}

/** What LiveKit lists of the participants of that room. */
export function presentWorkers(
  participants: readonly { identity: string; metadata: string }[],
): PresentWorker[] {
  const workers = new Map<string, PresentWorker>();
  for (const { identity, metadata } of participants) {
    const worker = identity.replace(/\.[01]$/, '');
    const told = readPresence(metadata);
    const known = workers.get(worker);
    const { calls, free } = known && known.calls.length > told.calls.length ? known : told;
    workers.set(worker, { worker, calls, free, task: told.task ?? known?.task });
  }
  return [...workers.values()];
}

const pair = z.tuple([z.string(), z.string()]);
const presence = z.object({
  task: z.tuple([z.string(), z.string(), z.number().int()]).optional(),
  free: z.number().default(0),
  calls: z.array(pair),
});

function readPresence(metadata: string): Omit<PresentWorker, 'worker'> {
  try {
    const { task, free, calls } = presence.parse(JSON.parse(metadata));
    return {
      free,
      calls: calls.map(([room, job]) => ({ room, job })),
      ...(task && { task: { service: task[0], deployment: task[1], tasks: task[2] } }),
    };
  } catch {
    return { free: 0, calls: [] };
  }
}
