// SPDX-License-Identifier: Apache-2.0

import type { TokenPrices } from 'livekit-plugin-nova-sonic/models';
import type { MonotonicClock } from '../clock.js';
import type { WorkerMetrics } from '../telemetry/metrics.js';
import { applyReport, type CallRecord, costUsd, newCallRecord } from './call-record.js';
import { type ConnectOutcome, RegionCooldowns } from './region-cooldowns.js';
import type { CooldownsMessage, JobCommand, JobReport } from './supervisor-messages.js';

/** The connection to one job process. */
export interface JobConnection {
  send(message: JobCommand | CooldownsMessage): void;
  /** Sends SIGKILL, for a process that no longer reacts. */
  kill(pid: number): void;
}

export interface SupervisorOptions {
  prices: TokenPrices;
  /** Milliseconds without a heartbeat after which a process with a call is killed. Default 20 000. */
  unresponsiveTimeoutMs?: number;
  /** Megabytes above which the process of a call is killed; 0: no limit. Default 0. */
  memoryLimitMB?: number;
  /** Milliseconds that a call may last; 0: no limit. Default 0. */
  maxCallMs?: number;
  /** Milliseconds from `end_gracefully` to `end_now`; 0: calls end without a last reply. Default 12 000. */
  endCallTimeoutMs?: number;
  /** Milliseconds from `end_now` to SIGKILL. Default 20 000. */
  killAfterMs?: number;
  /**
   * Milliseconds that a process may take to exit after it reported the end of its call. The framework waits up to
   * 60 s for the audio of an agent whose caller hung up before hearing it. Default 8 000.
   */
  exitTimeoutMs?: number;
}

export interface SupervisorEvents {
  onCallStarted?: (record: CallRecord) => void;
  /** The process of a call is gone; the record is complete. */
  onCallEnded?: (record: CallRecord, now: number) => void;
  /** For each Region in cooldown the milliseconds left. */
  onCooldownsChanged?: (regions: Record<string, number>) => void;
}

interface TrackedProcess {
  connection: JobConnection;
  pid: number;
  /** Time of the last report. */
  seenAt: number;
  record?: CallRecord;
  endGracefullySentAt?: number;
  endNowSentAt?: number;
  endedAt?: number;
  killed?: boolean;
}

/** A check that comes so much later than planned means that this process did not run. */
const LATE_CHECK_MS = 2_000;

/**
 * Keeps track of the job processes and their calls, and enforces the limits on calls. Reports go into the metrics as
 * they arrive, so a process that is killed loses only what it had not reported.
 */
export class CallSupervisor {
  readonly #clock: MonotonicClock;
  readonly #metrics: WorkerMetrics;
  readonly #options: Required<SupervisorOptions>;
  readonly #events: SupervisorEvents;
  readonly #processes = new Set<TrackedProcess>();
  readonly #cooldowns: RegionCooldowns;
  #closing = false;
  #checkedAt: number;

  constructor(
    clock: MonotonicClock,
    metrics: WorkerMetrics,
    options: SupervisorOptions,
    events: SupervisorEvents = {},
  ) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#options = {
      unresponsiveTimeoutMs: 20_000,
      memoryLimitMB: 0,
      maxCallMs: 0,
      endCallTimeoutMs: 12_000,
      killAfterMs: 20_000,
      exitTimeoutMs: 8_000,
      ...options,
    };
    this.#events = events;
    this.#cooldowns = new RegionCooldowns(clock);
    this.#checkedAt = clock.now();
  }

  /** Warm processes that wait for a call. */
  get warmProcesses(): number {
    return [...this.#processes].filter((job) => job.pid && !job.record).length;
  }

  get calls(): CallRecord[] {
    return [...this.#processes].flatMap((job) => job.record ?? []);
  }

  /** The worker is shutting down: idle processes that end from now on have not crashed. */
  closing(): void {
    this.#closing = true;
  }

  /** A job process has connected; returns what to call with its reports, and when it disconnects. */
  connected(connection: JobConnection): { report(report: JobReport): void; disconnected(): void } {
    const job: TrackedProcess = { connection, pid: 0, seenAt: this.#clock.now() };
    this.#processes.add(job);
    return {
      report: (report) => this.#receive(job, report),
      disconnected: () => this.#disconnected(job),
    };
  }

  /** Sends a command to every process with a call. */
  command(type: JobCommand['type'], reason: string): void {
    for (const job of this.#processes) {
      if (job.record) this.#send(job, { type, reason });
    }
  }

  /** Looks for unresponsive processes and calls beyond a limit. Call it about once a second. */
  check(): void {
    const now = this.#clock.now();
    const late = now - this.#checkedAt > LATE_CHECK_MS;
    this.#checkedAt = now;
    for (const job of this.#processes) {
      // This process was stopped or starved: the heartbeats of the others are still waiting to be read.
      if (late) job.seenAt = now;
      if (job.record) this.#enforceLimits(job, job.record, now);
    }
  }

  #enforceLimits(job: TrackedProcess, record: CallRecord, now: number): void {
    const options = this.#options;
    if (job.killed) return;
    if (job.endedAt !== undefined) {
      if (now - job.endedAt > options.exitTimeoutMs) {
        this.#kill(job, record, record.endReason ?? 'closed');
      }
      return;
    }
    if (options.memoryLimitMB > 0 && record.memoryMB > options.memoryLimitMB) {
      this.#kill(job, record, 'memory_limit');
      return;
    }
    if (now - job.seenAt > options.unresponsiveTimeoutMs) {
      this.#kill(job, record, 'unresponsive');
      return;
    }
    if (job.endNowSentAt !== undefined) {
      if (now - job.endNowSentAt > options.killAfterMs) this.#kill(job, record, 'did_not_end');
      return;
    }
    if (options.maxCallMs > 0 && now - record.startedAt > options.maxCallMs) {
      this.#endLongCall(job, now);
    }
  }

  #endLongCall(job: TrackedProcess, now: number): void {
    const { endCallTimeoutMs } = this.#options;
    const reason = 'max_call_length';
    if (job.endGracefullySentAt === undefined) {
      this.#send(job, { type: endCallTimeoutMs > 0 ? 'end_gracefully' : 'end_now', reason });
    } else if (now - job.endGracefullySentAt > endCallTimeoutMs) {
      this.#send(job, { type: 'end_now', reason });
    }
  }

  #send(job: TrackedProcess, command: JobCommand): void {
    if (job.record) job.record.endReason ??= command.reason;
    if (command.type === 'end_gracefully') job.endGracefullySentAt ??= this.#clock.now();
    else job.endNowSentAt ??= this.#clock.now();
    job.connection.send(command);
  }

  #kill(job: TrackedProcess, record: CallRecord, reason: string): void {
    job.killed = true;
    record.endReason = reason;
    job.connection.kill(job.pid);
  }

  #receive(job: TrackedProcess, report: JobReport): void {
    job.seenAt = this.#clock.now();
    switch (report.type) {
      case 'hello':
        job.pid = report.pid;
        this.#sendCooldowns(job);
        return;
      case 'connect':
        this.#recordConnect(report);
        return;
      case 'call':
        job.record = newCallRecord(report, this.#clock.now());
        this.#events.onCallStarted?.(job.record);
        return;
      default:
        if (job.record) this.#recordReport(job.record, report);
        if (report.type === 'ended') job.endedAt ??= this.#clock.now();
    }
  }

  #recordConnect(outcome: ConnectOutcome): void {
    if (!this.#cooldowns.record(outcome)) return;
    this.#events.onCooldownsChanged?.(this.#cooldowns.active);
    for (const job of this.#processes) this.#sendCooldowns(job);
  }

  #sendCooldowns(job: TrackedProcess): void {
    job.connection.send({ type: 'cooldowns', regions: this.#cooldowns.active });
  }

  #recordReport(record: CallRecord, report: JobReport): void {
    const { prices } = this.#options;
    applyReport(record, report, prices);
    if (report.type !== 'add') return;
    this.#metrics.add(report.metric, report.value, report.split);
    const cost = costUsd(report.metric, report.value, prices);
    if (cost > 0) this.#metrics.add('EstimatedCostUsd', cost);
  }

  #disconnected(job: TrackedProcess): void {
    if (!this.#processes.delete(job)) return;
    const { record } = job;
    const now = this.#clock.now();
    if (!record) {
      if (!this.#closing && job.pid) this.#metrics.add('JobCrashes');
      return;
    }
    // A command to end is a reason, yet a process that then dies without reporting the end has crashed all the same.
    if (!record.ended || record.failed) this.#metrics.add('JobCrashes');
    record.endReason ??= 'crashed';
    this.#metrics.add('CallDuration', (now - record.startedAt) / 1000);
    this.#events.onCallEnded?.(record, now);
  }
}
