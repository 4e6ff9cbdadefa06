// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Report } from './call-record.js';
import type { CallLedger } from './call-supervisor.js';
import { lines } from './json-lines.js';

/** The socket on which the job processes report to the ledger, in a directory that only we can enter. */
export class CallChannel {
  readonly path: string;
  readonly #directory = mkdtempSync(join(tmpdir(), 'fleet-'));
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(ledger: CallLedger) {
    this.path = join(this.#directory, 'calls.sock');
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      serve(socket, ledger);
    });
  }

  static async open(ledger: CallLedger): Promise<CallChannel> {
    const channel = new CallChannel(ledger);
    await new Promise<void>((resolve, reject) => {
      channel.#server.once('error', reject);
      channel.#server.listen(channel.path, resolve);
    });
    channel.#server.unref();
    return channel;
  }

  /** Hangs up on every process: those with a call end it, the others exit. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.drop();
    this.#server.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function serve(socket: Socket, ledger: CallLedger): void {
  const link = ledger.connected({
    send: (order) => socket.write(`${JSON.stringify(order)}\n`),
    kill: (pid) => {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone already.
      }
    },
  });
  lines(socket, (report) => link.report(report as Report));
  socket.on('error', () => {});
  socket.on('close', () => link.gone());
}
