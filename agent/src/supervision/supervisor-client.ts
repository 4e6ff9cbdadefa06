// SPDX-License-Identifier: Apache-2.0

import { connect, type Socket } from 'node:net';
import { readJsonLines } from './json-lines.js';
import type { ConnectOutcome } from './region-cooldowns.js';
import type {
  CallCounter,
  CooldownsMessage,
  JobCommand,
  JobReport,
} from './supervisor-messages.js';

/** Environment variable with the path of the supervisor's socket; set by the worker for its job processes. */
export const SUPERVISOR_SOCKET = 'SUPERVISOR_SOCKET';

const HEARTBEAT_MS = 1_000;
const MEGABYTE = 1024 * 1024;

/**
 * A job process's connection to the worker process. Reports are sent as things happen: what was written to the socket
 * is in the kernel's hands and arrives even if this process is killed the next moment. (Linux holds some 280 unread
 * messages; a call sends a few a second.)
 */
export class SupervisorClient {
  readonly #socket: Socket | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #onCommand: (command: JobCommand) => void = () => {};
  #cooldownUntil: Record<string, number> = {};
  #onLost: () => void = () => process.exit(0);

  /** @param path the supervisor's socket; without one (an agent that our worker did not start) reports are dropped */
  constructor(path = process.env[SUPERVISOR_SOCKET]) {
    if (!path) return;
    this.#socket = connect(path);
    readJsonLines(this.#socket, (line) => this.#receive(line as JobCommand | CooldownsMessage));
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => this.#onLost());
    this.#send({ type: 'hello', pid: process.pid });
    this.#heartbeat = setInterval(() => {
      this.#send({ type: 'alive', rssMB: process.memoryUsage.rss() / MEGABYTE });
    }, HEARTBEAT_MS);
  }

  /**
   * Reports that this process was given a call.
   * @param onCommand called when the worker process wants the call to end
   * @param onLost called when the worker process is gone; a process without a call exits by itself
   */
  callStarted(
    call: { job: string; room: string; roomSid: string },
    onCommand: (command: JobCommand) => void,
    onLost: () => void,
  ): void {
    this.#onCommand = onCommand;
    this.#onLost = onLost;
    this.#send({ type: 'call', ...call });
  }

  /** @param split value of the metric's extra dimension */
  addMetric(metric: CallCounter, value = 1, split?: string): void {
    if (value !== 0) this.#send({ type: 'add', metric, value, ...(split && { split }) });
  }

  reportConnect(outcome: ConnectOutcome): void {
    this.#send({ type: 'connect', ...outcome });
  }

  /** End of a Region's cooldown, in milliseconds since the epoch; undefined without one. */
  cooldownUntil(region: string): number | undefined {
    return this.#cooldownUntil[region];
  }

  reportStream(id: string, region: string): void {
    this.#send({ type: 'stream', id, region });
  }

  /** Reports the end of the call; the first reason counts. `failed`: our own code threw. */
  callEnded(reason: string, failed = false): void {
    this.#send({ type: 'ended', reason, ...(failed && { failed }) });
  }

  close(): void {
    clearInterval(this.#heartbeat);
    this.#onLost = () => {};
    this.#socket?.end();
  }

  #receive(message: JobCommand | CooldownsMessage): void {
    if (message.type !== 'cooldowns') {
      this.#onCommand(message);
      return;
    }
    const now = Date.now();
    this.#cooldownUntil = Object.fromEntries(
      Object.entries(message.regions).map(([region, ms]) => [region, now + ms]),
    );
  }

  #send(report: JobReport): void {
    this.#socket?.write(`${JSON.stringify(report)}\n`);
  }
}
