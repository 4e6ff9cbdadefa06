// SPDX-License-Identifier: Apache-2.0
// Long because it connects the parts of the worker, each of which decides in a file of its own.

import type { AddressInfo } from 'node:net';
import { type AgentServer, type JobRequest, log } from '@livekit/agents';
import type { MonotonicClock } from '../clock.js';
import type { WorkerConfig } from '../config.js';
import {
  type CallRecord,
  callFields,
  callSummary,
  streamsByLane,
} from '../supervision/call-record.js';
import { CallSupervisor } from '../supervision/call-supervisor.js';
import { SUPERVISOR_SOCKET } from '../supervision/supervisor-client.js';
import { WorkerMetrics } from '../telemetry/metrics.js';
import { callSpan } from '../tracing/call-span.js';
import { flushTraces, traceFields, writeRootSpan } from '../tracing/tracing.js';
import type { CallerWatcher } from '../watcher/caller-watcher.js';
import { createCallerWatcher } from '../watcher/create-caller-watcher.js';
import { CallDemand } from './call-demand.js';
import { CallSlots } from './call-slots.js';
import type { CpuMonitor } from './cpu.js';
import { createProtection } from './create-protection.js';
import { Drain } from './drain.js';
import { JobAdmission } from './job-admission.js';
import type { JobProcesses } from './job-processes.js';
import { workerLoad } from './load.js';
import { LoadReporter } from './load-reporter.js';
import { logResumed, resumeCall } from './resume-call.js';
import { serverOptions } from './server-options.js';
import { ServiceStanding } from './service-standing.js';
import { WorkerHealth } from './worker-health.js';
import { systemPeers, type WorkerPeers } from './worker-peers.js';

const CHECK_INTERVAL_MS = 1_000;
/** LiveKit gives up on an assignment after 10 s; after this an accepted job will not come any more. */
const ASSIGNMENT_TIMEOUT_MS = 20_000;
/** A worker registers when a process can take a call; after this in any case: others may be slower, and see why. */
const READY_TIMEOUT_MS = 10_000;
/** The framework's close() waits for calls that do not end, and for its next attempt to reach LiveKit. */
const CLOSE_TIMEOUT_MS = 4_000;

/** Why the worker exits: after a drain, or because it failed. */
type ExitReason = 'drained' | 'failed';

/**
 * The worker process of one Fargate task: takes calls while it has slots and task protection, reports its state to
 * LiveKit and CloudWatch, and exits when its last call has ended.
 */
export class AgentWorker {
  readonly #config: WorkerConfig;
  readonly #agentFile: string;
  readonly #peers: WorkerPeers;
  readonly #clock: MonotonicClock;
  readonly #cpu: CpuMonitor;
  readonly #metrics: WorkerMetrics;
  readonly #demand: CallDemand;
  readonly #admission: JobAdmission;
  readonly #standing: ServiceStanding;
  readonly #supervisor: CallSupervisor;
  readonly #processes: JobProcesses;
  readonly #drain: Drain;
  readonly #health: WorkerHealth;
  /** Undefined when it is turned off. */
  readonly #watcher: CallerWatcher | undefined;
  /** Undefined until the server runs. */
  #reporter: LoadReporter | undefined;
  #exit: (reason: ExitReason) => void = () => {};
  readonly #exitReason = new Promise<ExitReason>((resolve) => {
    this.#exit = resolve;
  });

  /** @param agentFile path of the module whose default export is the agent, for the job processes */
  constructor(config: WorkerConfig, agentFile: string, peers: WorkerPeers = systemPeers) {
    this.#config = config;
    this.#agentFile = agentFile;
    this.#peers = peers;
    this.#clock = peers.clock;
    this.#cpu = peers.createCpu();
    this.#demand = new CallDemand(peers.clock.now() / 1000);
    this.#metrics = new WorkerMetrics(config.metrics);
    this.#admission = this.#createAdmission();
    this.#standing = new ServiceStanding(config, this.#admission, this.#metrics, peers, {
      onChanged: () => {
        this.#reporter?.report();
        this.#slotsChanged();
      },
      onServing: (task) => this.#watcher?.serves(task),
    });
    this.#processes = peers.createJobProcesses(
      config,
      agentFile,
      this.#admission,
      () => this.#supervisor,
    );
    this.#supervisor = this.#createSupervisor();
    this.#drain = this.#createDrain();
    this.#watcher = createCallerWatcher(config, this.#metrics, peers, {
      room: () => (this.#reporter?.registered && this.#load() < 1 ? this.#admission.slots.free : 0),
      onServing: (serving) => this.#standing.hear(serving),
    });
    this.#health = new WorkerHealth({
      admission: this.#admission,
      processes: this.#processes,
      registered: () => this.#reporter?.registered ?? false,
    });
  }

  /** Runs the worker until its last call has ended; resolves with the exit code. */
  async run(): Promise<number> {
    const supervisorServer = await this.#peers.openSupervisor(this.#supervisor);
    this.#peers.process.env[SUPERVISOR_SOCKET] = supervisorServer.path;
    await this.#serveHealth();
    if (!(await this.#processes.install())) {
      log().warn(
        'unsupported @livekit/agents version: one process per call, started by the framework',
      );
    }
    this.#standing.start();
    const timers = [
      this.#peers.every(CHECK_INTERVAL_MS, () => this.#check()),
      this.#peers.every(this.#config.metrics.intervalMs, () => this.#publishMetrics()),
    ];
    this.#handleSignals();
    this.#watcher?.start();
    const server = (await this.#ready()) ? this.#startServer() : undefined;

    const reason = await this.#exitReason;

    for (const stop of timers) stop();
    this.#supervisor.closing();
    this.#admission.protection.stop();
    this.#standing.stop();
    this.#processes.killInitializing();
    const closed = Promise.all([server?.close().catch(() => {}), this.#watcher?.stop()]);
    let cancel = () => {};
    const late = new Promise<'late'>((resolve) => {
      cancel = this.#clock.after(CLOSE_TIMEOUT_MS, () => resolve('late'));
    });
    if ((await Promise.race([closed, late])) === 'late')
      log().warn({ waited_ms: CLOSE_TIMEOUT_MS }, 'worker did not close');
    cancel();
    supervisorServer.close();
    this.#cpu.stop();
    this.#publishMetrics();
    await flushTraces();
    log().info('worker ended');
    return reason === 'failed' ? 1 : 0;
  }

  /** Handles an unexpected error: takes no more calls and exits when the last one has ended. */
  failFatally(error: unknown): void {
    this.#fail('unexpected error', error);
  }

  #createAdmission(): JobAdmission {
    const slots = new CallSlots(this.#config.callsPerTask);
    const protection = createProtection(this.#config, this.#metrics, this.#peers);
    return new JobAdmission(slots, protection, this.#clock, {
      onFullChanged: (full) => {
        this.#demand.fullChanged(full, this.#clock.now() / 1000);
        this.#reporter?.report();
        this.#watcher?.roomChanged();
      },
      onAccepted: (job, unprotected) => {
        this.#demand.arrived(this.#clock.now() / 1000);
        this.#metrics.add('CallsAccepted');
        if (unprotected) this.#metrics.add('CallsUnprotected');
        log().info({ ...callId(job), slots_used: slots.used, unprotected }, 'call accepted');
      },
      onRejected: (job, reason) => {
        // Who joins the waiting line is counted there, and waits for a slot that is free: nothing to raise an alarm for.
        if (reason !== 'line') this.#metrics.add('CallsRejected', 1, reason);
        log().info({ ...callId(job), reason }, 'call rejected');
      },
    });
  }

  #createSupervisor(): CallSupervisor {
    const { endCallInstructions, endCallTimeoutMs, jobMemoryLimitMB, ...config } = this.#config;
    return new CallSupervisor(
      this.#clock,
      this.#metrics,
      {
        prices: config.prices,
        sharedProcesses: () => this.#processes.shared,
        unresponsiveTimeoutMs: config.unresponsiveTimeoutMs,
        memoryLimitMB: jobMemoryLimitMB,
        maxCallMs: config.maxCallMs,
        endCallTimeoutMs: endCallInstructions ? endCallTimeoutMs : 0,
      },
      {
        onCallStarted: (record) => {
          log().info({ ...callFields(record), host_pid: record.pid }, 'call started');
          this.#admission.start(record.job);
          this.#watcher?.callStarted(record);
        },
        onCallLost: (record) => resumeCall(this.#config, this.#processes, record),
        onCallResumed: logResumed,
        onCallEnded: (record, now) => this.#callEnded(record, now),
        onRetire: ({ pid, reason, memoryMB, job, grownMB }) => {
          const cause = { ...(job && { call_id: job }), ...(grownMB && { grown_mb: grownMB }) };
          log().warn(
            { host_pid: pid, reason, memory_mb: memoryMB, ...cause },
            'call host gets no more calls',
          );
          this.#processes.retire(pid);
        },
        onCooldownsChanged: (lanes) => log().info({ cooldown_ms: lanes }, 'lane cooldowns changed'),
      },
    );
  }

  #createDrain(): Drain {
    const { drainTimeoutMs, endCallInstructions, endCallTimeoutMs } = this.#config;
    const { slots } = this.#admission;
    return new Drain(
      this.#clock,
      {
        stopAccepting: () => {
          this.#stopAccepting();
          log().info({ calls: slots.used }, 'draining: no new calls, waiting for the last one');
        },
        calls: () => slots.used,
        endGracefully: () => this.#supervisor.command('end_gracefully', 'task_stopping'),
        endNow: () => this.#supervisor.command('end_now', 'task_stopping'),
      },
      { timeoutMs: drainTimeoutMs, endCallTimeoutMs: endCallInstructions ? endCallTimeoutMs : 0 },
    );
  }

  /** Waits until a call could start at once. @returns false when the worker is to end already */
  async #ready(): Promise<boolean> {
    this.#processes.resize();
    let cancel = () => {};
    const late = new Promise<true>((resolve) => {
      cancel = this.#clock.after(READY_TIMEOUT_MS, () => resolve(true));
    });
    const ready = this.#processes.ready.then(() => true);
    const ended = this.#exitReason.then(() => false);
    return Promise.race([ended, ready, late]).finally(() => cancel());
  }

  #startServer(): AgentServer {
    const load = () => this.#load();
    const server = this.#peers.createServer(
      serverOptions(this.#config, this.#agentFile, {
        requestFunc: (request) => this.#answer(request),
        load,
      }),
    );
    const stopWaiting = this.#failWithoutRegistration();
    this.#reporter = new LoadReporter(server, load, {
      onFirstRegistered: () => {
        stopWaiting();
        this.#standing.registered();
        this.#watcher?.roomChanged();
        const { livekit, lanes } = this.#config;
        const names = lanes.map(({ name }) => name);
        log().info({ worker: server.id, livekit: livekit.url, lanes: names }, 'ready');
      },
      onConnectionLost: () =>
        log().warn('connection to LiveKit lost: calls continue, reconnecting'),
    });
    server.run().then(
      () => this.#failUnlessStopping('the agent server ended by itself'),
      (error: unknown) => this.#failUnlessStopping(String(error)),
    );
    return server;
  }

  #failUnlessStopping(reason: string): void {
    // A worker that drains or has failed exits anyway; closing the server also ends it.
    if (!this.#drain.started && !this.#health.fatalReason) this.#fail(reason);
  }

  /** Fails a worker that LiveKit never accepts, so that the deployment that brought it fails visibly. */
  #failWithoutRegistration(): () => void {
    const { registerTimeoutMs, livekit } = this.#config;
    if (registerTimeoutMs === 0) return () => {};
    return this.#clock.after(registerTimeoutMs, () =>
      this.#failUnlessStopping(
        `LiveKit at ${livekit.url} did not accept this worker in ${registerTimeoutMs / 1000} s: ` +
          'check LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET.',
      ),
    );
  }

  #fail(reason: string, error?: unknown): void {
    log().fatal({ reason, ...(error !== undefined && { error }) }, 'worker failed');
    this.#health.fail(reason);
    this.#stopAccepting();
    this.#slotsChanged();
  }

  #stopAccepting(): void {
    this.#admission.drain();
    this.#standing.update();
    this.#reporter?.report();
  }

  async #serveHealth(): Promise<void> {
    const { port, explicit } = this.#config.health;
    const server = await this.#peers.serveHealth(port, this.#health).catch((error) => {
      if (explicit) throw error;
      log().warn('default health port is in use, taking any free one');
      return this.#peers.serveHealth(0, this.#health);
    });
    log().info({ port: (server.address() as AddressInfo).port }, 'health server listening');
  }

  async #answer(request: JobRequest): Promise<void> {
    const roomSid = request.room?.sid ?? '';
    const isTurn = () => this.#watcher?.isTurnOf(roomSid) ?? Promise.resolve(true);
    if (!(await this.#admission.admit(request.id, isTurn))) return request.reject();
    this.#watcher?.callAccepted(roomSid);
    await request.accept();
  }

  #load(): number {
    const { slots, refusal } = this.#admission;
    return workerLoad({
      slotUtilization: slots.utilization,
      draining: refusal !== undefined,
      coldSlots: Math.max(0, slots.free - this.#processes.room) / slots.total,
      cpuUtilization: this.#cpu.utilization,
      cpuLoadThreshold: this.#config.cpuLoadThreshold,
    });
  }

  #check(): void {
    this.#supervisor.check();
    for (const job of this.#admission.expire(ASSIGNMENT_TIMEOUT_MS)) {
      log().warn(callId(job), 'job assignment timed out');
    }
    this.#slotsChanged();
    // Also how a lost connection is noticed.
    this.#reporter?.report();
  }

  #publishMetrics(): void {
    const { slots, refusal } = this.#admission;
    const deployment = this.#standing.gauges();
    const registered = this.#reporter?.registered ?? false;
    const takesCalls = registered && refusal === undefined;
    const demand = this.#demand.measure(this.#clock.now() / 1000, {
      calls: slots.used,
      waiting: this.#watcher?.unanswered ?? 0,
      slots: slots.total,
      cpuUtilization: this.#cpu.smoothed,
      cpuLoadThreshold: this.#config.cpuLoadThreshold,
    });
    this.#metrics.gauges({
      activeCalls: slots.used,
      slotUtilization: slots.utilization,
      registered,
      draining: refusal !== undefined,
      ...(deployment && { deployment }),
      activeStreams: streamsByLane(
        this.#config.lanes.map(({ name }) => name),
        this.#supervisor.calls,
      ),
      callDemand: demand.now,
      // New callers go to other tasks than one that takes none.
      expectedCallDemand: takesCalls ? demand.expected : demand.now,
      callCapacity: takesCalls ? slots.total : 0,
      callersUnanswered: this.#watcher?.unanswered ?? 0,
      callersWaiting: this.#watcher?.waiting ?? 0,
    });
    this.#metrics.flush();
  }

  #callEnded(record: CallRecord, now: number): void {
    log().info(callSummary(record, now), 'call ended');
    const seconds = (now - record.startedAt) / 1000;
    writeRootSpan(record.job, callSpan(record, seconds, this.#peers.wallClock()));
    this.#processes.forget(record.job);
    if (!record.ended) void this.#peers.endDeadCall(this.#config, record);
    void this.#watcher?.callEnded(record);
    this.#admission.release(record.job);
    this.#metrics.flush();
    this.#slotsChanged();
  }

  /** Slots may have become free. */
  #slotsChanged(): void {
    this.#processes.resize();
    this.#watcher?.roomChanged();
    this.#drain.callEnded();
    if (this.#health.fatalReason && this.#admission.slots.used === 0) this.#exit('failed');
  }

  /** SIGTERM and SIGINT start the drain. A second SIGINT, from a terminal, ends the calls. */
  #handleSignals(): void {
    this.#peers.process.on('SIGTERM', () => this.#exitAfterDrain());
    this.#peers.process.on('SIGINT', () => {
      if (this.#drain.started) this.#drain.hurry();
      else this.#exitAfterDrain();
    });
  }

  #exitAfterDrain(): void {
    if (this.#drain.started) return;
    void this.#drain.start().then((result) => {
      log().info({ result }, 'drained');
      this.#exit(this.#health.fatalReason ? 'failed' : 'drained');
    });
  }
}

const callId = (job: string) => ({ call_id: job, ...traceFields(job) });
