// SPDX-License-Identifier: Apache-2.0

import { connect, type Socket } from 'node:net';
import type { ConversationItem } from './conversation-record.js';
import { readJsonLines } from './json-lines.js';
import { type ConnectOutcome, FIRST_COOLDOWN_MS } from './lane-cooldowns.js';
import type {
  CallCounter,
  JobCommand,
  JobReport,
  ResumeMessage,
  SupervisorMessage,
} from './supervisor-messages.js';

/** Environment variable with the path of the supervisor's socket; set by the worker for its job processes. */
export const SUPERVISOR_SOCKET = 'SUPERVISOR_SOCKET';

const HEARTBEAT_MS = 1_000;
const MEGABYTE = 1024 * 1024;

/** Where a call's reports go. */
export interface CallReporter {
  /** @param split value of the metric's extra dimension */
  addMetric(metric: CallCounter, value?: number, split?: string): void;
  reportStream(id: string, lane: string): void;
  reportCaller(identity: string): void;
  /** Keeps a part of the conversation for the process that takes the call up if this one dies. */
  keep(item: ConversationItem): void;
  /** Reports the end of the call; the first reason counts. `failed`: our own code threw. */
  ended(reason: string, failed?: boolean): void;
}

/** What the worker process wants of a call. */
export interface CallCommands {
  /** The call should end. */
  onCommand(command: JobCommand): void;
  /** The worker process is gone. */
  onWorkerLost(): void;
  /** LiveKit took the job back. */
  onWithdrawn?(): void;
  /** Another process had the call before. */
  onResume?(resumed: ResumeMessage): void;
}

/**
 * A job process's connection to the worker process. Reports are sent as things happen: what was written to the socket
 * is in the kernel's hands and arrives even if this process is killed the next moment. (Linux holds some 280 unread
 * messages; a call sends a few a second.)
 */
export class SupervisorClient {
  static #ofProcess: SupervisorClient | undefined;
  readonly #socket: Socket | undefined;
  readonly #calls = new Map<string, CallCommands>();
  #heartbeat: NodeJS.Timeout | undefined;
  #cooldownUntil: Record<string, number> = {};
  /** Of the calls of the task that wait for a lane, the one whose turn it is. */
  #laneTurn: string | undefined;
  /** What tells a call that it is its turn. */
  readonly #awaitTurn = new Map<string, () => void>();
  #closed = false;
  /** In a process with several calls: the one that it grew most by. */
  largestCall: (() => { callId: string; grownMB: number } | undefined) | undefined;

  /** The connection of this process, made when it is first asked for: from then on the process counts as warm. */
  static ofProcess(): SupervisorClient {
    SupervisorClient.#ofProcess ??= new SupervisorClient();
    return SupervisorClient.#ofProcess;
  }

  /** @param path the supervisor's socket; without one (an agent outside our worker) reports are dropped */
  constructor(path = process.env[SUPERVISOR_SOCKET]) {
    if (!path) return;
    this.#socket = connect(path);
    readJsonLines(this.#socket, (line) => this.#receive(line as SupervisorMessage));
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => this.#lost());
    this.#send({ type: 'hello', pid: process.pid });
    this.#heartbeat = setInterval(() => {
      const largest = this.largestCall?.();
      this.#send({
        type: 'alive',
        rssMB: process.memoryUsage.rss() / MEGABYTE,
        ...(largest && { largest: { job: largest.callId, grownMB: largest.grownMB } }),
      });
    }, HEARTBEAT_MS);
  }

  /** Reports that this process was given a call. A process without one exits when the worker process is gone. */
  callStarted(
    call: { job: string; room: string; roomSid: string; tenant?: string },
    commands: CallCommands,
  ): CallReporter {
    const { job } = call;
    this.#calls.set(job, commands);
    this.#send({ type: 'call', ...call });
    return {
      addMetric: (metric, value = 1, split) => {
        if (value !== 0) this.#send({ type: 'add', job, metric, value, ...(split && { split }) });
      },
      reportStream: (id, lane) => this.#send({ type: 'stream', job, id, lane }),
      reportCaller: (identity) => this.#send({ type: 'caller', job, identity }),
      keep: (item) => this.#send({ type: 'said', job, item }),
      ended: (reason, failed = false) =>
        this.#send({ type: 'ended', job, reason, ...(failed && { failed }) }),
    };
  }

  /** Reports that everything of a call is cleaned up, in a process that goes on. */
  callClosed(job: string): void {
    this.#calls.delete(job);
    this.#send({ type: 'closed', job });
  }

  /** LiveKit took the job of a call back: the call is not ended by us. */
  withdraw(job: string): void {
    this.#calls.get(job)?.onWithdrawn?.();
  }

  /** The same for the only call of this process. */
  withdrawAll(): void {
    for (const job of this.#calls.keys()) this.withdraw(job);
  }

  reportConnect(outcome: ConnectOutcome): void {
    this.#send({ type: 'connect', ...outcome });
    if (!this.#socket || outcome.ok) return;
    // The other calls of this process know at once, before the worker process has said for how long.
    const until = Math.max(this.#cooldownUntil[outcome.lane] ?? 0, Date.now() + FIRST_COOLDOWN_MS);
    this.#cooldownUntil[outcome.lane] = until;
  }

  /**
   * A call asks for a stream, of whatever lane: resolves when it is its turn, undefined: at once.
   * @param refused by every lane; a call that has not asked yet waits behind those that are
   */
  laneTurn(job: string, refused: boolean): Promise<void> | undefined {
    if (!this.#socket || this.#laneTurn === job) return undefined;
    if (!refused && this.#laneTurn === undefined) return undefined;
    this.#send({ type: 'waits', job, waits: true });
    return new Promise((resolve) => this.#awaitTurn.set(job, resolve));
  }

  /** A call has a stream, or wants none any more. */
  leaveLaneQueue(job: string): void {
    this.#awaitTurn.delete(job);
    this.#send({ type: 'waits', job, waits: false });
  }

  /** End of the cooldown of a lane that failed, in milliseconds since the epoch; undefined when it did not fail. */
  cooldownUntil(lane: string): number | undefined {
    return this.#cooldownUntil[lane];
  }

  close(): void {
    clearInterval(this.#heartbeat);
    this.#closed = true;
    this.#socket?.end();
  }

  #lost(): void {
    if (this.#closed) return;
    if (this.#calls.size === 0) process.exit(0);
    for (const commands of this.#calls.values()) commands.onWorkerLost();
  }

  #receive(message: SupervisorMessage): void {
    if (message.type !== 'cooldowns') {
      const call = this.#calls.get(message.job);
      if (message.type === 'resume') call?.onResume?.(message);
      else call?.onCommand(message);
      return;
    }
    const now = Date.now();
    this.#cooldownUntil = Object.fromEntries(
      Object.entries(message.lanes).map(([lane, ms]) => [lane, now + ms]),
    );
    this.#laneTurn = message.turn;
    if (message.turn === undefined) return;
    this.#awaitTurn.get(message.turn)?.();
    this.#awaitTurn.delete(message.turn);
  }

  #send(report: JobReport): void {
    this.#socket?.write(`${JSON.stringify(report)}\n`);
  }
}
