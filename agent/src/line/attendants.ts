// SPDX-License-Identifier: Apache-2.0

import { type ChildProcess, fork } from 'node:child_process';
import { log } from '@livekit/agents';
import type { MonotonicClock } from '../clock.js';
import { pauseAfter, STABLE_MS } from '../growing-pause.js';
import type { AttendantReport, AttendantRequest, AttendantTask } from './attendant-messages.js';
import type { LineAttendants, LineReport } from './waiting-line.js';

/** After a process that died, before the next one is started: longer each time, unless it had run for a while. */
const RESTART_MS = [1_000, 2_000, 5_000, 10_000, 30_000];

/** A process as it is needed here: a `ChildProcess` with an IPC channel. */
export type AttendantsProcess = Pick<ChildProcess, 'pid' | 'connected'> & {
  send(request: AttendantRequest): unknown;
  disconnect(): unknown;
  on(event: 'message', listener: (report: AttendantReport) => void): unknown;
  on(event: 'exit', listener: () => void): unknown;
};

export interface AttendantsOptions {
  readonly spawn: () => AttendantsProcess;
  readonly clock: MonotonicClock;
}

/** The attendants of this worker, in a process of their own that is there before the first of them is needed. */
export class Attendants implements LineAttendants {
  readonly #options: AttendantsOptions;
  readonly #rooms = new Set<string>();
  #child: AttendantsProcess | undefined;
  #running = false;
  /** Processes in a row that died soon. */
  #deaths = 0;
  #cancel = () => {};
  onReport: (report: LineReport) => void = () => {};

  constructor(options: AttendantsOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#spawn();
  }

  /** All leave their rooms. */
  stop(): void {
    this.#running = false;
    this.#cancel();
    const child = this.#child;
    this.#child = undefined;
    this.#rooms.clear();
    if (child?.connected) child.disconnect();
  }

  attend(task: AttendantTask): void {
    this.#rooms.add(task.room);
    if (!this.#send({ type: 'attend', task })) this.#end(task.room);
  }

  leave(room: string): void {
    this.#send({ type: 'leave', room });
  }

  #spawn(): void {
    const { clock, spawn } = this.#options;
    const startedAt = clock.now();
    const child = spawn();
    this.#child = child;
    child.on('message', (report) => {
      if (report.type === 'ended') this.#rooms.delete(report.room);
      this.onReport(report);
    });
    child.on('exit', () => {
      if (child !== this.#child) return;
      this.#child = undefined;
      log().warn({ pid: child.pid, rooms: this.#rooms.size }, 'process of the attendants died');
      for (const room of this.#rooms) this.#end(room);
      this.#deaths = clock.now() - startedAt < STABLE_MS ? this.#deaths + 1 : 1;
      const pause = pauseAfter(this.#deaths, RESTART_MS);
      this.#cancel = clock.after(pause, () => this.#running && this.#spawn());
    });
  }

  #send(request: AttendantRequest): boolean {
    if (!this.#child?.connected) return false;
    this.#child.send(request);
    return true;
  }

  #end(room: string): void {
    this.#rooms.delete(room);
    this.onReport({ type: 'ended', room, outcome: 'failed' });
  }
}

/** Starts the process of the attendants. @param args see attendant-process.ts */
export function forkAttendants(args: string[]): AttendantsProcess {
  const child = fork(new URL('attendant-process.js', import.meta.url), args);
  // A request to a process that has just died: its exit follows.
  child.on('error', (error) => log().debug({ error }, 'process of the attendants failed'));
  return child as AttendantsProcess;
}
