// SPDX-License-Identifier: Apache-2.0

import type { EcsTask, ServiceSettings, TaskDefinition } from '../../local/fleet/ecs-model.js';
import { EcsScheduler } from '../../local/fleet/ecs-scheduler.js';
import { agentOf, type OfferedJob, SimulatedLiveKit } from '../agent/watcher/simulated-livekit.js';
import { SimulatedEcs } from '../local/fleet/simulated-ecs.js';
import { ManualClock } from '../support/manual-clock.js';
import { SimulatedTask } from './simulated-task.js';
import type { TaskWorld } from './task-world.js';

/** livekit-server 1.13.5 removes a participant whose connection is gone after some 20 s. */
const LOST_AGENT_MS = 18_000;
/** A job request that takes longer is given up (livekit-server 1.13.5, psrpc). */
const LIVEKIT_PATIENCE_MS = 3_000;
const ASSIGNMENT_MS = 30;
/** LiveKit closes a room so long after the last participant has left. */
const DEPARTURE_MS = 20_000;
/** A caller whom nobody answers hangs up. */
const CALLER_PATIENCE_MS = 120_000;
const ASSIGNMENT_LOST = 0.001;

/** What became of a caller. */
export type Outcome = 'hung_up' | 'gave_up' | 'ended_by_agent';

/** A caller in its room. */
export interface DayCaller {
  readonly room: string;
  readonly arrivedAt: number;
  readonly talkMs: number;
  state: 'waiting' | 'talking' | 'done';
  /** Since when there has been no agent. */
  since: number;
  answeredAt?: number;
  agent?: string;
  outcome?: Outcome;
  reason?: string;
}

export const DAY_DEFINITION: TaskDefinition = {
  name: 'agent:1',
  stopTimeoutMs: 120_000,
  healthCheck: { intervalMs: 15_000, retries: 3, startPeriodMs: 60_000 },
};

/** Callers, LiveKit, ECS and the tasks of the service, in virtual time. */
export class DayWorld implements TaskWorld {
  readonly clock = new ManualClock();
  readonly livekit: SimulatedLiveKit;
  readonly scheduler: EcsScheduler;
  readonly ecs: SimulatedEcs;
  readonly tasks = new Map<EcsTask, SimulatedTask>();
  /** Callers that are in their room. */
  readonly callers = new Map<string, DayCaller>();
  readonly counts = {
    arrived: 0,
    hung_up: 0,
    gave_up: 0,
    ended_by_agent: 0,
    resumed: 0,
    lost: 0,
    unprotected: 0,
  };
  /** Why agents ended calls. */
  readonly endReasons = new Map<string, number>();
  readonly waitsMs: number[] = [];
  readonly violations: string[] = [];
  /** Task definitions that LiveKit never accepts. */
  readonly broken = new Set<string>();
  /** Jobs whose agent has been in its room. */
  readonly #joined = new Set<string>();

  constructor(
    readonly random: () => number,
    settings: ServiceSettings = {},
  ) {
    this.livekit = new SimulatedLiveKit(
      this.clock,
      () => 2 + 4 * random(),
      (job) => this.#assign(job),
    );
    this.scheduler = new EcsScheduler(
      'agents',
      this.clock,
      {
        start: (task) => this.#start(task),
        stop: (task) => this.#stop(this.tasks.get(task)),
        kill: (task) => {
          const killed = this.tasks.get(task);
          if (!killed) return;
          if (killed.calls > 0) this.violation(`ECS killed a task and cut ${killed.calls} calls`);
          this.crash(killed);
        },
        checkHealth: async (task) => (await this.tasks.get(task)?.checkHealth()) ?? false,
      },
      {
        earlySuccessPercent: 100,
        circuitBreaker: { enable: true, rollback: true },
        startMs: () => 40_000 + 50_000 * random(),
        ...settings,
      },
    );
    this.ecs = new SimulatedEcs(this.scheduler, this.clock);
  }

  /** Tasks that run. */
  get running(): SimulatedTask[] {
    return [...this.tasks.values()].filter(({ alive }) => alive);
  }

  violation(what: string): void {
    this.violations.push(what);
  }

  /** A caller comes, talks for so long once answered, and hangs up. */
  arrive(talkMs: number): void {
    this.counts.arrived += 1;
    const room = `call-${this.counts.arrived}`;
    const now = this.clock.now();
    const caller: DayCaller = { room, arrivedAt: now, talkMs, state: 'waiting', since: now };
    this.callers.set(room, caller);
    this.livekit.join(room);
    this.clock.after(CALLER_PATIENCE_MS, () => {
      if (caller.answeredAt === undefined) this.#leave(caller, 'gave_up');
    });
  }

  /** Whether there is a caller in a room. */
  talks(room: string): boolean {
    return this.callers.has(room);
  }

  agentJoined({ id, room }: OfferedJob): void {
    const caller = this.callers.get(room);
    const again = this.#joined.has(id);
    this.#joined.add(id);
    if (!caller) return;
    if (again) this.counts.resumed += 1;
    if (caller.agent !== undefined && caller.agent !== id && caller.state === 'talking')
      this.violation(`${room} has a second agent`);
    caller.state = 'talking';
    caller.agent = id;
    const now = this.clock.now();
    if (caller.answeredAt !== undefined) return;
    caller.answeredAt = now;
    this.waitsMs.push(now - caller.arrivedAt);
    this.clock.after(caller.talkMs, () => this.#leave(caller, 'hung_up'));
  }

  /** The process of an agent is gone: LiveKit notices later, unless another one takes its place. */
  agentLost({ id, room }: OfferedJob): void {
    this.#alone(id, room);
    this.counts.lost += 1;
    this.clock.after(LOST_AGENT_MS, () => {
      if (this.callers.get(room)?.agent !== id) this.removeAgent(id, room);
    });
  }

  /** The agent has left its room. */
  agentLeft({ id, room }: OfferedJob): void {
    this.#alone(id, room);
    this.removeAgent(id, room);
  }

  removeAgent(job: string, room: string): void {
    this.livekit.leave(room, agentOf(job));
    this.#closeLater(room);
  }

  /** The agent has disconnected the caller. */
  callerDisconnected({ id, room }: OfferedJob, reason: string): void {
    const caller = this.callers.get(room);
    if (!caller) return;
    caller.reason = reason;
    // What the worker cannot help: ECS does not protect a new task while a deployment leaves more of them protected than
    // it wants, and stops it when the service scales in. Its calls have two minutes, and a goodbye.
    if (reason === 'task_stopping' && this.#holderOf(id)?.protectionRefused)
      this.counts.unprotected += 1;
    else if (reason === 'task_stopping') this.violation(`${room} was ended by a task that stops`);
    this.endReasons.set(reason, (this.endReasons.get(reason) ?? 0) + 1);
    this.#leave(caller, 'ended_by_agent');
  }

  /** A crash of the machine. */
  crash(task: SimulatedTask): void {
    task.crashed = true;
    this.#end(task, 137);
  }

  #stop(task: SimulatedTask | undefined): void {
    if (task && task.calls > 0 && !task.protectionRefused)
      this.violation(`ECS stops a task with ${task.calls} calls that asked for no protection`);
    task?.terminate();
  }

  #start(ecsTask: EcsTask): void {
    const broken = this.broken.has(ecsTask.definition.name);
    const task: SimulatedTask = new SimulatedTask(ecsTask, this, broken, (code) =>
      this.#end(task, code),
    );
    this.tasks.set(ecsTask, task);
  }

  #end(task: SimulatedTask, code: number): void {
    task.kill();
    this.scheduler.exited(task.ecsTask, code);
  }

  #holderOf(job: string): SimulatedTask | undefined {
    return this.running.find(({ promised }) => promised.has(job));
  }

  #alone(job: string, room: string): void {
    const caller = this.callers.get(room);
    if (!caller || caller.agent !== job) return;
    caller.state = 'waiting';
    caller.since = this.clock.now();
    delete caller.agent;
  }

  #leave(caller: DayCaller, outcome: Outcome): void {
    if (caller.state === 'done') return;
    caller.state = 'done';
    caller.outcome = outcome;
    const { room } = caller;
    this.counts[outcome] += 1;
    this.callers.delete(room);
    this.livekit.leave(room);
    this.#closeLater(room);
    for (const { hosts } of this.running) for (const host of hosts) host.callerLeft(room);
  }

  #closeLater(room: string): void {
    this.clock.after(DEPARTURE_MS, () => {
      if (this.livekit.rooms.get(room)?.members.length === 0) this.livekit.remove(room);
    });
  }

  /**
   * LiveKit offers a job to the workers in turn, by chance and weighed by their free load, until one takes it or its
   * patience is over (livekit-server 1.13.5, pkg/service/agentservice.go).
   */
  async #assign(job: OfferedJob): Promise<boolean> {
    const since = this.clock.now();
    const tried = new Set<SimulatedTask>();
    for (;;) {
      const task = this.#choose(tried);
      if (!task) return false;
      tried.add(task);
      await this.#pass(2 + 18 * this.random());
      const accepted = await task.offer(job);
      const late = this.clock.now() - since > LIVEKIT_PATIENCE_MS;
      if (accepted && (late || this.random() < ASSIGNMENT_LOST)) task.forgetOffer(job);
      else if (accepted) this.clock.after(ASSIGNMENT_MS, () => task.assign(job));
      if (late) return false;
      if (accepted) return true;
    }
  }

  #choose(tried: Set<SimulatedTask>): SimulatedTask | undefined {
    const open = this.running.filter((task) => task.open && !tried.has(task));
    let at = this.random() * open.reduce((sum, { load }) => sum + 1 - load, 0);
    return open.find(({ load }) => {
      at -= 1 - load;
      return at < 0;
    });
  }

  #pass(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.after(ms, resolve);
    });
  }
}
