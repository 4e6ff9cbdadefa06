// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CallSupervisor } from './call-supervisor.js';
import { readJsonLines } from './json-lines.js';
import type { JobReport } from './supervisor-messages.js';

/** The socket between the supervisor and the job processes, in a directory that only this user can enter. */
export class SupervisorServer {
  readonly path: string;
  readonly #directory = mkdtempSync(join(tmpdir(), 'supervisor-'));
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(supervisor: CallSupervisor) {
    this.path = join(this.#directory, 'calls.sock');
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      serve(socket, supervisor);
    });
  }

  static async open(supervisor: CallSupervisor): Promise<SupervisorServer> {
    const server = new SupervisorServer(supervisor);
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', reject);
      server.#server.listen(server.path, resolve);
    });
    server.#server.unref();
    return server;
  }

  /** Disconnects every job process: those with a call end it, the others exit. */
  disconnectAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.disconnectAll();
    this.#server.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function serve(socket: Socket, supervisor: CallSupervisor): void {
  const job = supervisor.connected({
    send: (message) => socket.write(`${JSON.stringify(message)}\n`),
    kill: (pid) => {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // The process is gone already.
      }
    },
  });
  readJsonLines(socket, (report) => job.report(report as JobReport));
  socket.on('error', () => {});
  socket.on('close', () => job.disconnected());
}
