// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../clock.js';
import type { WorkerMetrics } from '../telemetry/metrics.js';
import { applyReport, type CallRecord, costUsd, newCallRecord } from './call-record.js';
import { ConversationRecord } from './conversation-record.js';
import { LaneCooldowns } from './lane-cooldowns.js';
import { LaneQueue } from './lane-queue.js';
import { LostCalls, type SurvivingCall } from './lost-calls.js';
import type { CallReport, JobCommand, JobReport } from './supervisor-messages.js';
import type {
  JobConnection,
  RetiredProcess,
  SupervisorEvents,
  SupervisorOptions,
} from './supervisor-options.js';

interface TrackedCall extends SurvivingCall {
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
  readonly #cooldowns: LaneCooldowns;
  readonly #laneQueue = new LaneQueue();
  readonly #lost: LostCalls;
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
    this.#cooldowns = new LaneCooldowns(clock);
    this.#lost = new LostCalls(clock);
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
    this.#lost.command(type, reason);
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
    for (const { record } of this.#lost.expire()) this.#ended(record);
  }

  #enforceProcessLimits(process: TrackedProcess, now: number): void {
    const { memoryLimitMB, sharedProcesses, unresponsiveTimeoutMs } = this.#options;
    const open = [...process.calls.values()].filter(({ endedAt }) => endedAt === undefined);
    if (process.killed || !process.pid) return;
    const grown = open.length > 0 && memoryLimitMB > 0 && process.memoryMB > memoryLimitMB;
    if (grown && (!sharedProcesses() || process.memoryMB > 2 * memoryLimitMB)) {
      this.#kill(process, 'memory_limit');
    } else if (now - process.seenAt > unresponsiveTimeoutMs) {
      // Also without an open call: it would never have room for one, nor give back the slot of one that has ended.
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
    for (const { record } of process.calls.values())
      if (reason && !record.ended) record.endReason = reason;
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
        this.#sendLanes([process]);
        return;
      case 'connect':
        if (this.#cooldowns.record(report)) this.#cooldownsChanged();
        return;
      case 'alive':
        process.memoryMB = report.rssMB;
        process.largest = report.largest;
        for (const { record } of process.calls.values())
          record.memoryMB = Math.max(record.memoryMB, report.rssMB);
        return;
      case 'call':
        process.used = true;
        if (!this.#resume(process, report.job)) this.#start(process, report);
        return;
      default:
        this.#receiveFromCall(process, report);
    }
  }

  #start(process: TrackedProcess, call: Omit<Parameters<typeof newCallRecord>[0], 'pid'>): void {
    const record = newCallRecord({ ...call, pid: process.pid }, this.#clock.now());
    process.calls.set(call.job, { record, conversation: new ConversationRecord() });
    this.#events.onCallStarted?.(record);
  }

  /** Gives a process the call that another one lost, with what was said; false when there is none. */
  #resume(process: TrackedProcess, job: string): boolean {
    const lost = this.#lost.take(job);
    if (!lost) return false;
    const { record, conversation } = lost.call;
    record.pid = process.pid;
    // The process that it had did not end it.
    delete record.endReason;
    process.calls.set(job, { record, conversation });
    this.#metrics.add('CallsResumed');
    for (const message of lost.messages) process.connection.send(message);
    this.#events.onCallResumed?.(record, lost.lostMs);
    return true;
  }

  #receiveFromCall(process: TrackedProcess, report: CallReport): void {
    const call = process.calls.get(report.job);
    if (!call) return;
    if (report.type === 'said') call.conversation.add(report.item);
    if (report.type === 'waits') this.#waits(call.record, report.waits);
    this.#recordReport(call.record, report);
    if (report.type === 'ended') call.endedAt ??= this.#clock.now();
    if (report.type === 'closed') this.#callGone(process, call);
  }

  #cooldownsChanged(): void {
    this.#events.onCooldownsChanged?.(this.#cooldowns.failed);
    this.#sendLanes();
  }

  #waits({ job, startedAt }: CallRecord, waits: boolean): void {
    if (this.#laneQueue.set(job, startedAt, waits)) this.#sendLanes();
  }

  #sendLanes(to: Iterable<TrackedProcess> = this.#processes): void {
    const { turn } = this.#laneQueue;
    for (const { connection } of to)
      connection.send({ type: 'cooldowns', lanes: this.#cooldowns.failed, turn });
  }

  #recordReport(record: CallRecord, report: CallReport): void {
    const { prices } = this.#options;
    applyReport(record, report, prices);
    if (report.type !== 'add') return;
    this.#metrics.add(report.metric, report.value, report.split);
    const cost = costUsd(report.metric, report.value, prices);
    if (cost > 0) this.#metrics.add('EstimatedCostUsd', cost, record.lanes.at(-1));
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

  #callGone(process: TrackedProcess, call: TrackedCall): void {
    const { record } = call;
    process.calls.delete(record.job);
    this.#waits(record, false);
    if (this.#cooldowns.streamEnded(record.lanes.at(-1))) this.#cooldownsChanged();
    // A command to end is a reason, yet a process that then dies without reporting the end has crashed all the same.
    if (!record.ended || record.failed) this.#metrics.add('JobCrashes');
    if (record.ended || !this.#survives(call)) this.#ended(record);
  }

  /** Whether another process takes the call up. One that was to end anyway ends with its process. */
  #survives(call: TrackedCall): boolean {
    const { record } = call;
    record.endReason ??= 'crashed';
    record.crashes += 1;
    const ending = call.endGracefullySentAt !== undefined || call.endNowSentAt !== undefined;
    record.over = ending || !LostCalls.mayResume(record);
    if (record.over || this.#closing) return false;
    // First, since a process may take it up at once.
    this.#lost.add(call);
    if (this.#events.onCallLost?.(record)) return true;
    this.#lost.remove(record.job);
    return false;
  }

  #ended(record: CallRecord): void {
    const now = this.#clock.now();
    record.endReason ??= 'crashed';
    this.#metrics.add('CallDuration', (now - record.startedAt) / 1000);
    this.#events.onCallEnded?.(record, now);
  }
}
