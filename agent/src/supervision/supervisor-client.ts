// SPDX-License-Identifier: Apache-2.0

import { connect, type Socket } from 'node:net';
import type { CallCounter, Order, Report, Rests } from './call-record.js';
import { lines } from './json-lines.js';
import type { Connect } from './region-cooldowns.js';

/** Where the main process listens; set by it for the processes that it starts. */
export const SOCKET_VARIABLE = 'FLEET_SOCKET';

const ALIVE_EVERY_MS = 1_000;
const MEGABYTE = 1024 * 1024;

/**
 * A call's process telling the main process what happens, as it happens: what was written to the socket is in
 * the system's hands and arrives although this process may be killed the next moment. (Linux holds some 280
 * unread messages; a call makes a few a second.)
 */
export class CallReporter {
  readonly #socket: Socket | undefined;
  #alive: NodeJS.Timeout | undefined;
  #onOrder: (order: Order) => void = () => {};
  #restsUntil: Record<string, number> = {};
  #onLost: () => void = () => process.exit(0);

  /** @param path the main process's socket; without one (a call outside the fleet) nothing is told. */
  constructor(path = process.env[SOCKET_VARIABLE]) {
    if (!path) return;
    this.#socket = connect(path);
    lines(this.#socket, (line) => this.#take(line as Order | Rests));
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => this.#onLost());
    this.#tell({ type: 'hello', pid: process.pid });
    this.#alive = setInterval(() => {
      this.#tell({ type: 'alive', rssMB: process.memoryUsage.rss() / MEGABYTE });
    }, ALIVE_EVERY_MS);
  }

  /**
   * This process was given a call.
   * @param onOrder the main process wants the call to end
   * @param onLost the main process is gone; a process without a call just exits
   */
  call(
    call: { job: string; room: string; roomSid: string },
    onOrder: (order: Order) => void,
    onLost: () => void,
  ): void {
    this.#onOrder = onOrder;
    this.#onLost = onLost;
    this.#tell({ type: 'call', ...call });
  }

  add(metric: CallCounter, value = 1, split?: string): void {
    if (value !== 0) this.#tell({ type: 'add', metric, value, ...(split && { split }) });
  }

  connect(connect: Connect): void {
    this.#tell({ type: 'connect', ...connect });
  }

  /** Until when a Region rests, as the calls of this task have found; ms since the epoch. */
  restsUntil(region: string): number | undefined {
    return this.#restsUntil[region];
  }

  stream(id: string, region: string): void {
    this.#tell({ type: 'stream', id, region });
  }

  /** The call is over; the first reason told is the one that counts. `failed`: it was our fault. */
  ended(reason: string, failed = false): void {
    this.#tell({ type: 'ended', reason, ...(failed && { failed }) });
  }

  close(): void {
    clearInterval(this.#alive);
    this.#onLost = () => {};
    this.#socket?.end();
  }

  #take(message: Order | Rests): void {
    if (message.type !== 'rests') {
      this.#onOrder(message);
      return;
    }
    const now = Date.now();
    this.#restsUntil = Object.fromEntries(
      Object.entries(message.regions).map(([region, ms]) => [region, now + ms]),
    );
  }

  #tell(report: Report): void {
    this.#socket?.write(`${JSON.stringify(report)}\n`);
  }
}
