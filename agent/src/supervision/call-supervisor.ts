// SPDX-License-Identifier: Apache-2.0

import type { Clock } from '../clock.js';
import type { FleetMetrics } from '../telemetry/metrics.js';
import {
  type CallRecord,
  cost,
  enter,
  newRecord,
  type Order,
  type Prices,
  type Report,
  type Rests,
} from './call-record.js';
import { type Connect, RegionRests } from './region-cooldowns.js';

/** One job process, as seen through its socket. */
export interface JobLink {
  send(message: Order | Rests): void;
  /** SIGKILL, for a process that no longer listens. */
  kill(pid: number): void;
}

export interface LedgerOptions {
  prices: Prices;
  /** Milliseconds without a sign of life after which a process with a call is killed. Default 20 000. */
  hangMs?: number;
  /** Megabytes above which the process of a call is killed; 0: no limit. Default 0. */
  memoryLimitMB?: number;
  /** Milliseconds that a call may last; 0: no limit. Default 0. */
  maxCallMs?: number;
  /** Milliseconds from the order to say goodbye to the order to end. 0: no goodbye. Default 12 000. */
  goodbyeMs?: number;
  /** Milliseconds from the order to end to SIGKILL. Default 20 000. */
  endMs?: number;
  /**
   * Milliseconds that a process may take to exit after it said that its call is over. The framework waits for up
   * to 60 s for the sound of an agent whose caller hung up before hearing it. Default 8 000.
   */
  closeMs?: number;
}

export interface LedgerEvents {
  onBegin?: (record: CallRecord) => void;
  /** The process of a call is gone; the record is complete. */
  onEnd?: (record: CallRecord, now: number) => void;
  /** Other Regions rest now, or for another time: milliseconds for each. */
  onRests?: (regions: Record<string, number>) => void;
}

interface JobProcess {
  link: JobLink;
  pid: number;
  seenAt: number;
  record?: CallRecord;
  goodbyeAt?: number;
  endAt?: number;
  endedAt?: number;
  killed?: boolean;
}

/** How much later than planned a look may come before we conclude that it was we who did not run. */
const LATE_MS = 2_000;

/**
 * What the main process knows of its job processes and their calls. Each report goes into the metrics as it
 * comes, so a process that is killed takes nothing with it but what it had not said.
 */
export class CallLedger {
  readonly #clock: Clock;
  readonly #metrics: FleetMetrics;
  readonly #options: Required<LedgerOptions>;
  readonly #events: LedgerEvents;
  readonly #processes = new Set<JobProcess>();
  readonly #rests: RegionRests;
  #closing = false;
  #lastLook: number;

  constructor(
    clock: Clock,
    metrics: FleetMetrics,
    options: LedgerOptions,
    events: LedgerEvents = {},
  ) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#options = {
      hangMs: 20_000,
      memoryLimitMB: 0,
      maxCallMs: 0,
      goodbyeMs: 12_000,
      endMs: 20_000,
      closeMs: 8_000,
      ...options,
    };
    this.#events = events;
    this.#rests = new RegionRests(clock);
    this.#lastLook = clock.now();
  }

  /** Warm processes that wait for a call. */
  get warm(): number {
    return [...this.#processes].filter((job) => job.pid && !job.record).length;
  }

  get calls(): CallRecord[] {
    return [...this.#processes].flatMap((job) => job.record ?? []);
  }

  /** The worker is shutting down: idle processes that end now have not crashed. */
  closing(): void {
    this.#closing = true;
  }

  /** A process has connected; returns what to do with its reports, and when it is gone. */
  connected(link: JobLink): { report(report: Report): void; gone(): void } {
    const job: JobProcess = { link, pid: 0, seenAt: this.#clock.now() };
    this.#processes.add(job);
    return {
      report: (report) => this.#report(job, report),
      gone: () => this.#gone(job),
    };
  }

  /** Tells every call to say goodbye and end, or to end at once. */
  order(what: Order['type'], reason: string): void {
    for (const job of this.#processes) {
      if (job.record) this.#tell(job, { type: what, reason });
    }
  }

  /** Looks for processes that hang and calls that are too long. To be called about once a second. */
  look(): void {
    const now = this.#clock.now();
    const late = now - this.#lastLook > LATE_MS;
    this.#lastLook = now;
    for (const job of this.#processes) {
      // Our own process was stopped or starved: the others' signs of life are still waiting to be read.
      if (late) job.seenAt = now;
      if (job.record) this.#judge(job, job.record, now);
    }
  }

  #judge(job: JobProcess, record: CallRecord, now: number): void {
    const { hangMs, memoryLimitMB, maxCallMs, goodbyeMs, endMs, closeMs } = this.#options;
    if (job.killed) return;
    if (job.endedAt !== undefined) {
      if (now - job.endedAt > closeMs) this.#kill(job, record, record.endReason ?? 'closed');
      return;
    }
    if (memoryLimitMB > 0 && record.memoryMB > memoryLimitMB) {
      this.#kill(job, record, 'memory_limit');
      return;
    }
    if (now - job.seenAt > hangMs) {
      this.#kill(job, record, 'hung');
      return;
    }
    if (job.endAt !== undefined) {
      if (now - job.endAt > endMs) this.#kill(job, record, 'did not end');
      return;
    }
    const overdue = maxCallMs > 0 && now - record.startedAt > maxCallMs;
    if (job.goodbyeAt !== undefined) {
      if (overdue && now - job.goodbyeAt > goodbyeMs) {
        this.#tell(job, { type: 'end', reason: 'max_call_length' });
      }
    } else if (overdue) {
      const type = goodbyeMs > 0 ? 'goodbye' : 'end';
      this.#tell(job, { type, reason: 'max_call_length' });
    }
  }

  #tell(job: JobProcess, order: Order): void {
    if (job.record) job.record.endReason ??= order.reason;
    if (order.type === 'goodbye') job.goodbyeAt ??= this.#clock.now();
    else job.endAt ??= this.#clock.now();
    job.link.send(order);
  }

  #kill(job: JobProcess, record: CallRecord, reason: string): void {
    job.killed = true;
    record.endReason = reason;
    job.link.kill(job.pid);
  }

  #report(job: JobProcess, report: Report): void {
    job.seenAt = this.#clock.now();
    switch (report.type) {
      case 'hello':
        job.pid = report.pid;
        this.#tellRests(job);
        return;
      case 'connect':
        this.#noteConnect(report);
        return;
      case 'call':
        job.record = newRecord(report, this.#clock.now());
        this.#events.onBegin?.(job.record);
        return;
      default:
        if (job.record) this.#enter(job.record, report);
        if (report.type === 'ended') job.endedAt ??= this.#clock.now();
    }
  }

  #noteConnect(connect: Connect): void {
    if (!this.#rests.note(connect)) return;
    this.#events.onRests?.(this.#rests.resting);
    for (const job of this.#processes) this.#tellRests(job);
  }

  #tellRests(job: JobProcess): void {
    job.link.send({ type: 'rests', regions: this.#rests.resting });
  }

  #enter(record: CallRecord, report: Report): void {
    enter(record, report, this.#options.prices);
    if (report.type !== 'add') return;
    this.#metrics.add(report.metric, report.value, report.split);
    const price = cost(report.metric, report.value, this.#options.prices);
    if (price > 0) this.#metrics.add('CostUsd', price);
  }

  #gone(job: JobProcess): void {
    if (!this.#processes.delete(job)) return;
    const { record } = job;
    const now = this.#clock.now();
    if (!record) {
      if (!this.#closing && job.pid) this.#metrics.add('JobCrashes');
      return;
    }
    // An order to end is a reason, yet a process that then dies without a word has crashed all the same.
    if (!record.ended || record.failed) this.#metrics.add('JobCrashes');
    record.endReason ??= 'crashed';
    this.#metrics.add('CallSeconds', (now - record.startedAt) / 1000);
    this.#events.onEnd?.(record, now);
  }
}
