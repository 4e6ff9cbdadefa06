// SPDX-License-Identifier: Apache-2.0

import { AgentServer, InferenceRunner, type JobRequest, log, ServerOptions } from '@livekit/agents';
import { RoomServiceClient } from 'livekit-server-sdk';
import { systemClock } from '../clock.js';
import type { Settings } from '../config.js';
import { TaskProtection } from '../ecs/task-protection.js';
import { ecsAgent } from '../ecs/task-protection-endpoint.js';
import { type CallRecord, naming, summary } from '../supervision/call-record.js';
import { CallLedger } from '../supervision/call-supervisor.js';
import { SOCKET_VARIABLE } from '../supervision/supervisor-client.js';
import { CallChannel } from '../supervision/supervisor-server.js';
import { FleetMetrics } from '../telemetry/metrics.js';
import { SessionSlots } from './call-slots.js';
import { Drain } from './drain.js';
import { serveHealth } from './health.js';
import { JobGate } from './job-admission.js';
import { CpuMeter, cores, load } from './load.js';
import { LoadReporter } from './load-reporter.js';
import { WarmPool } from './warm-pool.js';

const LOOK_EVERY_MS = 1_000;
/** LiveKit gives up on an assignment after 10 s; after this an accepted job will not come any more. */
const ASSIGNMENT_MS = 20_000;
/** The framework's own closing waits for calls that do not end, and for its next try to reach LiveKit. */
const CLOSE_MS = 4_000;
/** Failed boots in a row after which a task without calls is not sound. */
const BOOT_FAILURES = 5;
/** How far beyond its limit a process may be when the framework, which looks every 5 s, ends it. */
const MEMORY_TOLERANCE = 1.25;

/**
 * A worker that is a good citizen of Fargate: takes calls while it has slots and protection, tells LiveKit and
 * CloudWatch how it is, and leaves when its last call has ended.
 */
export class FleetWorker {
  readonly #settings: Settings;
  readonly #clock = systemClock;
  readonly #metrics: FleetMetrics;
  readonly #gate: JobGate;
  readonly #ledger: CallLedger;
  readonly #warm: WarmPool;
  readonly #cpu = new CpuMeter();
  readonly #drain: Drain;
  readonly #agentFile: string;
  #reporter: LoadReporter | undefined;
  #everRegistered = false;
  readonly #left: Promise<void>;
  #leave: () => void = () => {};
  /** Why the process is not sound, once it is not. */
  #broken: string | undefined;

  /** @param agentFile path of the module whose default export is the agent, for the job processes */
  constructor(settings: Settings, agentFile: string) {
    this.#settings = settings;
    this.#agentFile = agentFile;
    this.#left = new Promise((resolve) => {
      this.#leave = resolve;
    });
    const { fleet } = settings;
    const slots = new SessionSlots(settings.callsPerTask);
    this.#metrics = new FleetMetrics(fleet.metrics);
    this.#gate = new JobGate(slots, this.#protection(), this.#clock, {
      onFull: () => this.#reporter?.report(),
      onAccepted: (job) => {
        this.#metrics.add('CallsAccepted');
        log().info({ call_id: job, slots_used: slots.used }, 'call accepted');
      },
      onRefused: (job, reason) => {
        this.#metrics.add('CallsRefused', 1, reason);
        log().info({ call_id: job, reason }, 'call refused');
      },
    });
    this.#warm = new WarmPool({
      wanted: () => (this.#gate.draining ? 0 : slots.free + fleet.spareProcesses),
      parallel: Math.max(1, Math.floor(cores() / 2)),
      onBootFailure: (inARow) => log().error({ in_a_row: inARow }, 'a job process failed to start'),
    });
    this.#ledger = new CallLedger(
      this.#clock,
      this.#metrics,
      {
        prices: fleet.prices,
        hangMs: fleet.hangMs,
        memoryLimitMB: fleet.memoryLimitMB,
        maxCallMs: fleet.maxCallMs,
        goodbyeMs: fleet.goodbye ? fleet.goodbyeMs : 0,
      },
      {
        onBegin: (record) => {
          log().info(naming(record), 'call began');
          this.#gate.begin(record.job);
        },
        onEnd: (record, now) => this.#callEnded(record, now),
        onRests: (regions) => log().info({ rest_ms: regions }, 'Regions that rest'),
      },
    );
    this.#drain = new Drain(
      this.#clock,
      {
        stopTaking: () => {
          this.#gate.drain();
          this.#reporter?.report();
          log().info({ calls: slots.used }, 'draining: no new calls, waiting for the last one');
        },
        calls: () => slots.used,
        goodbye: () => this.#ledger.order('goodbye', 'task_stopping'),
        endCalls: () => this.#ledger.order('end', 'task_stopping'),
      },
      { timeoutMs: fleet.drainMs, goodbyeMs: fleet.goodbye ? fleet.goodbyeMs : 0 },
    );
  }

  /** Runs until the process has left in order; the exit code. */
  async run(): Promise<number> {
    const { fleet, livekit } = this.#settings;
    const channel = await CallChannel.open(this.#ledger);
    process.env[SOCKET_VARIABLE] = channel.path;
    await this.#serveHealth();
    if (!(await this.#warm.install())) {
      log().warn('this version of @livekit/agents keeps its own number of warm processes');
    }
    leaveOutLocalInference();
    const server = new AgentServer(
      new ServerOptions({
        agent: this.#agentFile,
        wsURL: livekit.url,
        apiKey: livekit.apiKey,
        apiSecret: livekit.apiSecret,
        agentName: livekit.agentName,
        requestFunc: (request) => this.#answer(request),
        loadFunc: async () => this.#load(),
        loadThreshold: 1,
        numIdleProcesses: this.#settings.callsPerTask,
        // The ledger ends a call at the limit; this is for a process that is too busy to tell, or has no call.
        jobMemoryLimitMB: fleet.memoryLimitMB * MEMORY_TOLERANCE,
        // The framework gives up after 10 tries, which would take the calls with it.
        maxRetry: Number.MAX_SAFE_INTEGER,
        logLevel: this.#settings.logLevel,
        // Its health page is 503 while LiveKit is away: nobody but us may look at it.
        host: '127.0.0.1',
      }),
    );
    this.#reporter = new LoadReporter(
      server,
      () => this.#load(),
      (registered) => this.#registered(server, registered),
    );
    const timers = [
      setInterval(() => this.#look(), LOOK_EVERY_MS),
      setInterval(() => this.#publish(), fleet.metrics.intervalMs),
    ];
    this.#obeySignals();
    const failed = server.run().then(
      () => 'it ended by itself',
      (error: unknown) => String(error),
    );
    const never = this.#neverRegistered();
    const reason = await Promise.race([this.#left, failed, never]);
    if (typeof reason === 'string' && !this.#drain.started) {
      this.#broken = reason;
      log().fatal({ reason }, 'the worker cannot go on');
      await this.#untilIdle();
    } else {
      await this.#left;
    }
    for (const timer of timers) clearInterval(timer);
    this.#ledger.closing();
    this.#gate.protection.stop();
    this.#warm.abandonBoots();
    await Promise.race([server.close().catch(() => {}), pause(CLOSE_MS)]);
    channel.close();
    this.#cpu.stop();
    this.#publish();
    log().info('worker ended');
    return this.#broken ? 1 : 0;
  }

  /** Something happened that must not: no new calls, and the end when the last one has ended. */
  unsound(error: unknown): void {
    log().fatal({ error }, 'unexpected error in the worker: it takes no more calls');
    this.#broken ??= 'unexpected error';
    this.#gate.drain();
    this.#reporter?.report();
    this.#afterEnd();
  }

  #protection(): TaskProtection {
    const { fleet } = this.#settings;
    if (!fleet.ecsAgentUri) log().info('not on ECS: task protection is off');
    const agent = fleet.ecsAgentUri ? ecsAgent(fleet.ecsAgentUri) : undefined;
    return new TaskProtection(agent, this.#clock, {
      ...fleet.protection,
      onChange: (confirmed) => log().info({ confirmed }, 'task protection'),
      onFailure: (what, reason) => {
        this.#metrics.add('ProtectionFailures');
        log().error({ what, reason }, 'ECS did not confirm the task protection');
      },
    });
  }

  async #serveHealth(): Promise<void> {
    const { healthPort, healthPortGiven } = this.#settings.fleet;
    const state = {
      notLive: () => this.#notLive(),
      notReady: () => this.#notReady(),
      detail: () => ({
        calls: this.#gate.slots.used,
        slots: this.#gate.slots.total,
        warm: this.#ledger.warm,
        registered: this.#reporter?.registered ?? false,
        draining: this.#gate.draining,
        protected: this.#gate.protection.confirmed,
      }),
    };
    const server = await serveHealth(healthPort, state).catch((error) => {
      if (healthPortGiven) throw error;
      log().warn('the default health port is in use, taking any free one');
      return serveHealth(0, state);
    });
    log().info({ port: (server.address() as { port: number }).port }, 'health');
  }

  /** A task with calls is live: whatever is wrong with it, killing it would end them. */
  #notLive(): string | undefined {
    if (this.#gate.slots.used > 0) return undefined;
    if (this.#broken) return this.#broken;
    return this.#warm.failures >= BOOT_FAILURES ? 'job processes do not start' : undefined;
  }

  #notReady(): string | undefined {
    if (this.#gate.draining) return 'draining';
    if (!this.#reporter?.registered) return 'not registered with LiveKit';
    return this.#notLive();
  }

  async #answer(request: JobRequest): Promise<void> {
    if (await this.#gate.admit(request.id)) await request.accept();
    else await request.reject();
  }

  #load(): number {
    const { slots, draining } = this.#gate;
    const cold = Math.max(0, slots.free - this.#ledger.warm) / slots.total;
    const { cpuFullAt } = this.#settings.fleet;
    return load({
      slotShare: slots.share,
      draining,
      coldShare: cold,
      cpu: this.#cpu.used,
      cpuFullAt,
    });
  }

  #registered(server: AgentServer, registered: boolean): void {
    if (!registered) {
      log().warn('connection to LiveKit lost: calls go on, registering again');
      return;
    }
    if (this.#everRegistered) return;
    this.#everRegistered = true;
    const { livekit, regions } = this.#settings;
    log().info({ worker: server.id, livekit: livekit.url, regions }, 'ready');
  }

  #look(): void {
    this.#ledger.look();
    for (const job of this.#gate.sweep(ASSIGNMENT_MS)) {
      log().warn({ call_id: job }, 'LiveKit never sent the call that was accepted');
    }
    this.#afterEnd();
    // Also how a lost connection is noticed.
    this.#reporter?.report();
  }

  #publish(): void {
    const { slots, draining } = this.#gate;
    this.#metrics.gauges({
      activeCalls: slots.used,
      slotShare: slots.share,
      registered: this.#reporter?.registered ?? false,
      draining,
    });
    this.#metrics.flush();
  }

  #callEnded(record: CallRecord, now: number): void {
    log().info(summary(record, now), 'call ended');
    if (!record.ended) void this.#removeDead(record);
    this.#gate.leave(record.job);
    this.#metrics.flush();
    this.#afterEnd();
  }

  /** LiveKit waits some 20 s for a participant whose process died: the caller should know at once. */
  async #removeDead({ room, job }: CallRecord): Promise<void> {
    const { url, apiKey, apiSecret } = this.#settings.livekit;
    const rooms = new RoomServiceClient(url.replace(/^ws/, 'http'), apiKey, apiSecret);
    // The identity that JobRequest.accept gives an agent.
    await rooms
      .removeParticipant(room, `agent-${job}`)
      .catch((error) => log().debug({ error, call_id: job }, 'the agent was gone already'));
  }

  #afterEnd(): void {
    this.#warm.changed();
    this.#drain.callEnded();
    if (this.#broken && this.#gate.slots.used === 0) this.#leaveAfterDrain();
  }

  /** SIGTERM, however often, and SIGINT begin to drain. A second SIGINT, from a terminal, ends the calls. */
  #obeySignals(): void {
    process.on('SIGTERM', () => this.#leaveAfterDrain());
    process.on('SIGINT', () => {
      if (this.#drain.started) this.#drain.hurry();
      else this.#leaveAfterDrain();
    });
  }

  #leaveAfterDrain(): void {
    if (this.#drain.started) return;
    void this.#drain.start().then((result) => {
      log().info({ result }, 'drained');
      this.#leave();
    });
  }

  /** Keeps the calls that are here, takes no more, and returns when the last has ended. */
  async #untilIdle(): Promise<void> {
    this.#gate.drain();
    while (this.#gate.slots.used > 0) await pause(200);
  }

  /** A task that LiveKit has never accepted ends, so that the deployment that brought it fails visibly. */
  #neverRegistered(): Promise<string> {
    const { registerMs } = this.#settings.fleet;
    return new Promise((resolve) => {
      if (registerMs === 0) return;
      this.#clock.after(registerMs, () => {
        if (this.#everRegistered) return;
        resolve(
          `LiveKit at ${this.#settings.livekit.url} did not accept this worker in ${registerMs / 1000} s: ` +
            'check LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET.',
        );
      });
    });
  }
}

/** The framework starts a 300 MB process for turn detection models, which Nova Sonic has no use for. */
function leaveOutLocalInference(): void {
  InferenceRunner.registerRunner = () => {};
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
