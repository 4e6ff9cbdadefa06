// SPDX-License-Identifier: Apache-2.0

import type { TokenPrices } from 'livekit-plugin-nova-sonic/models';
import type { MonotonicClock } from '../clock.js';
import type { WorkerMetrics } from '../telemetry/metrics.js';
import { applyReport, type CallRecord, costUsd, newCallRecord } from './call-record.js';
import { type ConnectOutcome, RegionCooldowns } from './region-cooldowns.js';
import type { CallReport, CooldownsMessage, JobCommand, JobReport } from './supervisor-messages.js';

/** The connection to one job process. */
export interface JobConnection {
  send(message: JobCommand | CooldownsMessage): void;
  /** Sends SIGKILL, for a process that no longer reacts. */
  kill(pid: number): void;
}

export interface SupervisorOptions {
  prices: TokenPrices;
  /** Whether a process may carry several calls: then no single call's fault is a reason to kill it. Default: never. */
  sharedProcesses?: () => boolean;
  /** Milliseconds without a heartbeat after which a process with a call is killed. Default 20 000. */
  unresponsiveTimeoutMs?: number;
  /**
   * Megabytes above which a process with a call is killed; 0: no limit. Default 0. A shared process is first given
   * no more calls, see `onProcessGrown`, and killed at twice the limit.
   */
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
  /** The call is cleaned up, or its process is gone; the record is complete. */
  onCallEnded?: (record: CallRecord, now: number) => void;
  /** For each Region in cooldown the milliseconds left. */
  onCooldownsChanged?: (regions: Record<string, number>) => void;
  /** A shared process uses more than its limit, or does not end a call: it should get no more calls. */
  onRetire?: (retired: RetiredProcess) => void;
}

/** A process with several calls that should get no more. */
export interface RetiredProcess {
  pid: number;
  reason: 'memory_limit' | 'did_not_end';
  memoryMB: number;
  /** The call that does not end, or the one that the process grew most by, as far as that is known. */
  job?: string;
  /** Megabytes by which the process grew while that call's tools ran. */
  grownMB?: number;
}

interface TrackedCall {
  record: CallRecord;
  endGracefullySentAt?: number;
  endNowSentAt?: number;
  endedAt?: number;
}

interface TrackedProcess {
  connection: JobConnection;
  pid: number;
  /** Time of the last report. */
  seenAt: number;
  memoryMB: number;
  /** The call that the process grew most by. */
  largest?: { job: string; grownMB: number } | undefined;
  calls: Map<string, TrackedCall>;
  /** It had a call: a process for a single call is then not warm any more. */
  used: boolean;
  killed?: boolean;
  retired?: boolean;
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
      sharedProcesses: () => false,
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

  /** Processes that have had no call yet and wait for one. */
  get warmProcesses(): number {
    return [...this.#processes].filter((process) => process.pid && !process.used).length;
  }

  get calls(): CallRecord[] {
    return [...this.#processes].flatMap(({ calls }) => [...calls.values()].map((c) => c.record));
  }

  /**
   * Whether a process has sent a heartbeat within `ms`; one that has not is busy with something. A process that has not
   * reported yet counts as responsive: its first report may be on its way.
   */
  responsive(pid: number, ms: number): boolean {
    const process = [...this.#processes].find((process) => process.pid === pid);
    return process === undefined || this.#clock.now() - process.seenAt <= ms;
  }

  /** A process was asked to exit after its last call: that will be no crash. */
  expectExit(pid: number): void {
    for (const process of this.#processes) if (process.pid === pid) process.retired = true;
  }

  /** The worker is shutting down: idle processes that end from now on have not crashed. */
  closing(): void {
    this.#closing = true;
  }

  /** A job process has connected; returns what to call with its reports, and when it disconnects. */
  connected(connection: JobConnection): { report(report: JobReport): void; disconnected(): void } {
    const process: TrackedProcess = {
      connection,
      pid: 0,
      seenAt: this.#clock.now(),
      memoryMB: 0,
      calls: new Map(),
      used: false,
    };
    this.#processes.add(process);
    return {
      report: (report) => this.#receive(process, report),
      disconnected: () => this.#disconnected(process),
    };
  }

  /** Sends a command to every call. */
  command(type: JobCommand['type'], reason: string): void {
    for (const process of this.#processes)
      for (const call of process.calls.values()) this.#send(process, call, type, reason);
  }

  /** Looks for unresponsive processes and calls beyond a limit. Call it about once a second. */
  check(): void {
    const now = this.#clock.now();
    const late = now - this.#checkedAt > LATE_CHECK_MS;
    this.#checkedAt = now;
    for (const process of this.#processes) {
      // This process was stopped or starved: the heartbeats of the others are still waiting to be read.
      if (late) process.seenAt = now;
      for (const call of process.calls.values()) this.#enforceCallLimits(process, call, now);
      this.#enforceProcessLimits(process, now);
    }
  }

  #enforceProcessLimits(process: TrackedProcess, now: number): void {
    const { memoryLimitMB, sharedProcesses, unresponsiveTimeoutMs } = this.#options;
    const open = [...process.calls.values()].filter(({ endedAt }) => endedAt === undefined);
    if (process.killed || open.length === 0) return;
    const grown = memoryLimitMB > 0 && process.memoryMB > memoryLimitMB;
    if (grown && (!sharedProcesses() || process.memoryMB > 2 * memoryLimitMB)) {
      this.#kill(process, 'memory_limit');
    } else if (now - process.seenAt > unresponsiveTimeoutMs) {
      this.#kill(process, 'unresponsive');
    } else if (grown) {
      this.#retire(process, 'memory_limit', process.largest);
    }
  }

  #enforceCallLimits(process: TrackedProcess, call: TrackedCall, now: number): void {
    const { exitTimeoutMs, killAfterMs, maxCallMs } = this.#options;
    if (process.killed) return;
    if (call.endedAt !== undefined) {
      if (now - call.endedAt > exitTimeoutMs) {
        this.#giveUp(process, call, call.record.endReason ?? 'closed');
      }
    } else if (call.endNowSentAt !== undefined) {
      if (now - call.endNowSentAt > killAfterMs) this.#giveUp(process, call, 'did_not_end');
    } else if (maxCallMs > 0 && now - call.record.startedAt > maxCallMs) {
      this.#endLongCall(process, call, now);
    }
  }

  /** A call does not end: its process is killed, unless others depend on it. */
  #giveUp(process: TrackedProcess, call: TrackedCall, reason: string): void {
    if (this.#options.sharedProcesses()) {
      this.#retire(process, 'did_not_end', { job: call.record.job });
      return;
    }
    call.record.endReason = reason;
    this.#kill(process);
  }

  #endLongCall(process: TrackedProcess, call: TrackedCall, now: number): void {
    const { endCallTimeoutMs } = this.#options;
    const reason = 'max_call_length';
    if (call.endGracefullySentAt === undefined) {
      this.#send(process, call, endCallTimeoutMs > 0 ? 'end_gracefully' : 'end_now', reason);
    } else if (now - call.endGracefullySentAt > endCallTimeoutMs) {
      this.#send(process, call, 'end_now', reason);
    }
  }

  #send(
    process: TrackedProcess,
    call: TrackedCall,
    type: JobCommand['type'],
    reason: string,
  ): void {
    call.record.endReason ??= reason;
    if (type === 'end_gracefully') call.endGracefullySentAt ??= this.#clock.now();
    else call.endNowSentAt ??= this.#clock.now();
    process.connection.send({ type, job: call.record.job, reason });
  }

  /** @param reason why its calls end; without one each keeps its own */
  #kill(process: TrackedProcess, reason?: string): void {
    process.killed = true;
    if (reason) for (const { record } of process.calls.values()) record.endReason = reason;
    process.connection.kill(process.pid);
  }

  #retire(
    process: TrackedProcess,
    reason: RetiredProcess['reason'],
    cause: { job?: string; grownMB?: number } = {},
  ): void {
    if (process.retired) return;
    process.retired = true;
    const { pid, memoryMB } = process;
    this.#events.onRetire?.({ pid, reason, memoryMB: Math.round(memoryMB), ...cause });
  }

  #receive(process: TrackedProcess, report: JobReport): void {
    process.seenAt = this.#clock.now();
    switch (report.type) {
      case 'hello':
        process.pid = report.pid;
        this.#sendCooldowns(process);
        return;
      case 'connect':
        this.#recordConnect(report);
        return;
      case 'alive':
        process.memoryMB = report.rssMB;
        process.largest = report.largest;
        for (const { record } of process.calls.values())
          record.memoryMB = Math.max(record.memoryMB, report.rssMB);
        return;
      case 'call': {
        const record = newCallRecord({ ...report, pid: process.pid }, this.#clock.now());
        process.used = true;
        process.calls.set(report.job, { record });
        this.#events.onCallStarted?.(record);
        return;
      }
      default:
        this.#receiveFromCall(process, report);
    }
  }

  #receiveFromCall(process: TrackedProcess, report: CallReport): void {
    const call = process.calls.get(report.job);
    if (!call) return;
    this.#recordReport(call.record, report);
    if (report.type === 'ended') call.endedAt ??= this.#clock.now();
    if (report.type === 'closed') this.#callGone(process, call);
  }

  #recordConnect(outcome: ConnectOutcome): void {
    if (!this.#cooldowns.record(outcome)) return;
    this.#events.onCooldownsChanged?.(this.#cooldowns.active);
    for (const process of this.#processes) this.#sendCooldowns(process);
  }

  #sendCooldowns(process: TrackedProcess): void {
    process.connection.send({ type: 'cooldowns', regions: this.#cooldowns.active });
  }

  #recordReport(record: CallRecord, report: CallReport): void {
    const { prices } = this.#options;
    applyReport(record, report, prices);
    if (report.type !== 'add') return;
    this.#metrics.add(report.metric, report.value, report.split);
    const cost = costUsd(report.metric, report.value, prices);
    if (cost > 0) this.#metrics.add('EstimatedCostUsd', cost);
  }

  #disconnected(process: TrackedProcess): void {
    if (!this.#processes.delete(process)) return;
    if (process.calls.size === 0) {
      const expected = this.#closing || process.retired;
      if (process.pid && !expected) this.#metrics.add('JobCrashes');
      return;
    }
    for (const call of process.calls.values()) this.#callGone(process, call);
  }

  #callGone(process: TrackedProcess, { record }: TrackedCall): void {
    process.calls.delete(record.job);
    const now = this.#clock.now();
    // A command to end is a reason, yet a process that then dies without reporting the end has crashed all the same.
    if (!record.ended || record.failed) this.#metrics.add('JobCrashes');
    record.endReason ??= 'crashed';
    this.#metrics.add('CallDuration', (now - record.startedAt) / 1000);
    this.#events.onCallEnded?.(record, now);
  }
}
