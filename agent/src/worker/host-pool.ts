// SPDX-License-Identifier: Apache-2.0

import type { RunningJobInfo } from '@livekit/agents';
import { pauseAfter, STABLE_MS } from '../growing-pause.js';
import type { HostCommand, HostReport } from '../host/host-messages.js';
import { replaceFrameworkPool } from './framework-pool.js';
import type { JobProcesses } from './job-processes.js';
import { forResumption } from './resumed-job.js';

/** A host's process as the pool needs it: a `ChildProcess` with an IPC channel. */
export interface HostProcess {
  readonly pid?: number | undefined;
  send(command: HostCommand): unknown;
  kill(signal: 'SIGKILL'): unknown;
  on(event: 'message', listener: (report: HostReport) => void): unknown;
  on(event: 'exit', listener: () => void): unknown;
}

export interface HostPoolOptions {
  /** Hosts that are kept running. */
  readonly hosts: number;
  /** Most calls of one host. */
  readonly callsPerHost: number;
  /** Starts a process that reports `ready` when it can take a call. */
  readonly spawn: () => HostProcess;
  /** Whether a process reacts at the moment; one that does not gets no call.  @default always */
  readonly responsive?: (pid: number) => boolean;
  /** Called when a host is asked to exit after its last call. */
  readonly onRetired?: (pid: number) => void;
  /** Called when a host ended before it was ready, with how many in a row did. */
  readonly onInitializeFailure: (inARow: number) => void;
  /** Counts the processes when the framework has another pool than expected, and runs one for each call. */
  readonly fallback?: Pick<JobProcesses, 'room' | 'failures' | 'resume' | 'forget'>;
}

/** One call on its host; what the framework's job executor is to the framework. */
export class HostedJob {
  readonly started = true;
  readonly userArguments = undefined;
  runningJob: RunningJobInfo | undefined;
  readonly #host: Host;
  readonly #closed: Promise<void>;
  #resolve: () => void = () => {};

  constructor(host: Host, info: RunningJobInfo) {
    this.#host = host;
    this.runningJob = info;
    this.#closed = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Resolves when the call has ended, or its host has. */
  join(): Promise<void> {
    return this.#closed;
  }

  /** Ends the call in order. */
  close(reason = 'shutdown request'): Promise<void> {
    if (this.runningJob) this.#host.send({ type: 'close', callId: this.runningJob.job.id, reason });
    return this.#closed;
  }

  /** To be called by the host only. */
  closed(): void {
    this.runningJob = undefined;
    this.#resolve();
  }
}

type HostState = 'starting' | 'ready' | 'retiring' | 'gone';

class Host {
  readonly process: HostProcess;
  readonly jobs = new Map<string, HostedJob>();
  state: HostState = 'starting';
  readyAt = Number.POSITIVE_INFINITY;

  constructor(process: HostProcess) {
    this.process = process;
  }

  send(command: HostCommand): void {
    if (this.state !== 'gone') this.process.send(command);
  }
}

/**
 * The processes that carry a worker's calls: as many as were asked for, warm from the start, each with several
 * calls. A call goes to the host with the fewest. A host that should not be used any more is retired: it takes no
 * new call, another starts in its place, and it exits after its last call.
 */
export class HostPool implements JobProcesses {
  readonly #options: HostPoolOptions;
  readonly #hosts = new Set<Host>();
  /** Jobs that found no host ready, in the order of their arrival. */
  readonly #waiting: { info: RunningJobInfo; started: (job: HostedJob) => void }[] = [];
  /** Jobs whose host died, which go first. */
  readonly #resuming: RunningJobInfo[] = [];
  /** All jobs, until they are forgotten. */
  readonly #jobs = new Map<string, RunningJobInfo>();
  #failures = 0;
  /** Hosts that died soon after they were ready, since one that did not. */
  #earlyDeaths = 0;
  /** No host is started until then. */
  #notBefore = Number.NEGATIVE_INFINITY;
  #installed = false;
  #closed = false;
  #onReady = () => {};
  readonly #firstReady = new Promise<void>((resolve) => {
    this.#onReady = resolve;
  });

  constructor(options: HostPoolOptions) {
    this.#options = options;
  }

  /** Hosts that ended before they were ready, since the last one that got ready. */
  get failures(): number {
    const { fallback } = this.#options;
    return fallback && !this.#installed ? fallback.failures : this.#failures;
  }

  /** Calls that could start at once, on hosts that are ready. */
  get room(): number {
    const { fallback } = this.#options;
    if (fallback && !this.#installed) return fallback.room;
    return this.#ready().reduce((sum, { jobs }) => sum + this.#options.callsPerHost - jobs.size, 0);
  }

  get shared(): boolean {
    return this.#installed;
  }

  get ready(): Promise<void> {
    return this.#installed ? this.#firstReady : Promise.resolve();
  }

  async install(replace = replaceFrameworkPool): Promise<boolean> {
    this.#installed = await replace({
      run: async () => this.resize(),
      launchJob: (info) => this.launch(info),
      close: () => this.close(),
    });
    return this.#installed;
  }

  /** Starts the hosts that are missing, and the calls that wait for a host that is responsive again. */
  resize(): void {
    if (!this.#installed) return;
    const mayStart = () => !this.#closed && performance.now() >= this.#notBefore;
    while (mayStart() && this.#serving().length < this.#options.hosts) this.#add();
    this.#startWaiting();
  }

  /** Starts a call on the host with the most room; waits for one while none has any. */
  launch(info: RunningJobInfo): Promise<HostedJob> {
    this.#jobs.set(info.job.id, info);
    return new Promise((started) => {
      this.#waiting.push({ info, started });
      this.#startWaiting();
    });
  }

  /**
   * The framework does not learn of it: LiveKit ends the job when the agent that died is replaced, and so the one that
   * replaces it.
   */
  resume(jobId: string): boolean {
    const { fallback } = this.#options;
    if (fallback && !this.#installed) return fallback.resume(jobId);
    const info = this.#jobs.get(jobId);
    if (!info || this.#closed) return false;
    for (const host of this.#hosts) {
      host.jobs.get(jobId)?.closed();
      if (!host.jobs.delete(jobId)) continue;
      // It is dead, whether or not its exit has been noticed yet.
      if (host.state === 'ready') this.#noteDeath(host);
      host.state = 'retiring';
    }
    this.resize();
    void forResumption(info).then((resumed) => {
      // Given up in the meantime.
      if (!this.#jobs.has(jobId)) return;
      this.#resuming.push(resumed);
      this.#startWaiting();
    });
    return true;
  }

  forget(jobId: string): void {
    this.#options.fallback?.forget(jobId);
    this.#jobs.delete(jobId);
    // Nobody answers a call any more that found no host in time: its record is closed, and its caller has been let go.
    const waiting = this.#resuming.findIndex(({ job }) => job.id === jobId);
    if (waiting >= 0) this.#resuming.splice(waiting, 1);
  }

  /** Takes no new calls on a host, and lets it go after its last one. */
  retire(pid: number): void {
    const host = [...this.#hosts].find(({ process }) => process.pid === pid);
    if (!host || (host.state !== 'ready' && host.state !== 'starting')) return;
    host.state = 'retiring';
    host.send({ type: 'exit' });
    this.#options.onRetired?.(pid);
    this.resize();
  }

  killInitializing(): void {
    this.#closed = true;
    for (const { state, process } of this.#hosts) if (state === 'starting') process.kill('SIGKILL');
  }

  /** Kills hosts that are starting, ends the calls of the others and lets them go; resolves when all are gone. */
  async close(): Promise<void> {
    this.killInitializing();
    const gone = [...this.#hosts].map(
      (host) =>
        new Promise<void>((resolve) => {
          host.process.on('exit', resolve);
          for (const job of host.jobs.values()) void job.close();
          host.send({ type: 'exit' });
        }),
    );
    await Promise.all(gone);
  }

  #serving(): Host[] {
    return [...this.#hosts].filter(({ state }) => state === 'starting' || state === 'ready');
  }

  /** Hosts that can take a call, those with the fewest first. */
  #ready(limit = this.#options.callsPerHost): Host[] {
    const { responsive } = this.#options;
    return [...this.#hosts]
      .filter(
        ({ state, jobs, process: { pid } }) =>
          state === 'ready' &&
          jobs.size < limit &&
          (pid === undefined || !responsive || responsive(pid)),
      )
      .sort((a, b) => a.jobs.size - b.jobs.size);
  }

  #add(): void {
    const host = new Host(this.#options.spawn());
    this.#hosts.add(host);
    host.process.on('message', (report) => this.#take(host, report));
    host.process.on('exit', () => this.#gone(host));
  }

  #take(host: Host, report: HostReport): void {
    switch (report.type) {
      case 'ready':
        if (host.state === 'starting') host.state = 'ready';
        host.readyAt = performance.now();
        this.#onReady();
        this.#failures = 0;
        break;
      case 'closed':
        host.jobs.get(report.callId)?.closed();
        host.jobs.delete(report.callId);
        break;
      case 'unsound':
        if (host.process.pid !== undefined) this.retire(host.process.pid);
        return;
    }
    this.#startWaiting();
  }

  #startWaiting(): void {
    for (;;) {
      // These people talk to nobody: better one call too many in a process.
      const [host] = this.#ready(Number.POSITIVE_INFINITY);
      const info = host && this.#resuming.shift();
      if (!info) break;
      this.#start(host, info);
    }
    for (;;) {
      const [host] = this.#ready();
      const next = host && this.#waiting.shift();
      if (!next) return;
      next.started(this.#start(host, next.info));
    }
  }

  #start(host: Host, info: RunningJobInfo): HostedJob {
    const job = new HostedJob(host, info);
    host.jobs.set(info.job.id, job);
    host.send({ type: 'start', job: info });
    return job;
  }

  #gone(host: Host): void {
    const failed = host.state === 'starting' && !this.#closed;
    if (host.state === 'ready') this.#noteDeath(host);
    host.state = 'gone';
    this.#hosts.delete(host);
    for (const job of host.jobs.values()) job.closed();
    host.jobs.clear();
    if (failed) {
      this.#failures += 1;
      this.#options.onInitializeFailure(this.#failures);
      this.#pause(pauseAfter(this.#failures));
    }
    this.resize();
  }

  /** Of hosts that die soon after they were ready the next but one has to wait, longer each time. */
  #noteDeath({ readyAt }: Host): void {
    const early = performance.now() - readyAt < STABLE_MS;
    this.#earlyDeaths = early ? this.#earlyDeaths + 1 : 0;
    this.#pause(pauseAfter(this.#earlyDeaths - 1));
  }

  #pause(ms: number): void {
    this.#notBefore = performance.now() + ms;
    if (ms > 0) setTimeout(() => this.resize(), ms);
  }
}
