// SPDX-License-Identifier: Apache-2.0

import { WatcherSeats } from '../../agent/src/watcher/watcher-seats.js';
import type { EcsTask } from '../../local/fleet/ecs-model.js';
import type { DayCaller, DayWorld } from './day-world.js';
import { type SimulatedTask, TASK_SLOTS } from './simulated-task.js';

/**
 * A caller without an agent has one after so long, when there is a free slot all the time: LiveKit notices a lost agent
 * after 18 s, the watcher needs a few seconds, and an agent that was promised and never came costs another six.
 */
const ANSWERED_WITHIN_MS = 45_000;
/** After the watcher's API, or the task that watched, was gone. */
const RECOVERY_MS = 30_000;
const LONGEST_CALL_MS = 3_600_000;
/** For a task to notice that it is superseded, three reads, and to say goodbye. */
const NOTICE_MS = 10 * 60_000;
const READ_EVERY_MS = 60_000;

/** What has to hold at every moment of a day. It reads the world, and changes nothing. */
export class DayRules {
  readonly #world: DayWorld;
  /** Since when there have been free slots, and an API to dispatch by. */
  #openSince: number | undefined;
  #troubledUntil = 0;
  readonly #oldSince = new Map<EcsTask, number>();
  readonly #waitedLong = new Set<DayCaller>();

  constructor(world: DayWorld) {
    this.#world = world;
  }

  /** Something went wrong that the service is not to blame for; until then nobody is owed an answer. */
  trouble(ms: number): void {
    this.#troubledUntil = Math.max(this.#troubledUntil, this.#world.clock.now() + ms + RECOVERY_MS);
  }

  /** To be called once a second. */
  check(): void {
    const world = this.#world;
    const { arrived, hung_up, gave_up, ended_by_agent } = world.counts;
    if (arrived !== hung_up + gave_up + ended_by_agent + world.callers.size)
      world.violation('a caller was lost or counted twice');
    for (const task of world.running) this.#checkTask(task);
    this.#checkWaiting();
    this.#checkReplaced();
  }

  /** At the end of a day, when the last caller has gone long ago. */
  checkEnd(minTasks: number): void {
    const { callers, livekit, running, scheduler, clock, tasks } = this.#world;
    const expectNone = (what: string, count: number) => {
      if (count > 0) this.#world.violation(`${count} ${what} are left at the end`);
    };
    expectNone('callers', callers.size);
    expectNone(
      'rooms',
      [...livekit.rooms.keys()].filter((name) => !WatcherSeats.isSeat(name)).length,
    );
    expectNone('tasks too many', Math.max(0, running.length - minTasks));
    expectNone('deployments too many', scheduler.deployments.length - 1);
    for (const task of running) {
      expectNone('slots of a task', Number(task.health.details().calls));
      expectNone('calls of a supervisor', task.supervisor.calls.length);
      expectNone('calls of a host', Math.max(0, ...task.hosts.map(({ calls }) => calls.size)));
    }
    expectNone('timers too many', Math.max(0, clock.pending - 100 * running.length));
    for (const task of tasks.values()) this.#checkLedger(task);
  }

  #checkTask(task: SimulatedTask): void {
    if (!task.health) return;
    const { promised, unassigned, ecsTask } = task;
    const { calls, protected: isProtected } = task.health.details();
    const used = Number(calls);
    const where = `task ${ecsTask.id.slice(0, 8)}`;
    if (used > TASK_SLOTS)
      this.#world.violation(`${where} has ${used} calls in ${TASK_SLOTS} slots`);
    if (used < promised.size || used > promised.size + unassigned.size)
      this.#world.violation(`${where} has ${used} slots in use for ${promised.size} calls`);
    if (isProtected && !ecsTask.protected)
      this.#world.violation(`${where} relies on a protection that ECS does not know of`);
    if (task.supervisor.calls.length > used)
      this.#world.violation(`${where} has more calls than slots in use`);
  }

  #checkWaiting(): void {
    const { clock, callers, running } = this.#world;
    const now = clock.now();
    const free = running
      .filter(({ open }) => open)
      .reduce((sum, task) => sum + TASK_SLOTS - Number(task.health.details().calls), 0);
    const waiting = [...callers.values()].filter(({ state }) => state === 'waiting');
    if (free <= waiting.length || now < this.#troubledUntil) this.#openSince = undefined;
    else this.#openSince ??= now;
    if (this.#openSince === undefined) return;
    for (const caller of waiting) {
      const owedMs = now - Math.max(caller.since, this.#openSince);
      if (owedMs <= ANSWERED_WITHIN_MS || this.#waitedLong.has(caller)) continue;
      this.#waitedLong.add(caller);
      this.#world.violation(`${caller.room} has no agent, though ${free} slots are free`);
    }
  }

  /** Old tasks are gone once their calls can have ended. */
  #checkReplaced(): void {
    const { clock, running, scheduler, ecs } = this.#world;
    const now = clock.now();
    const { primary } = scheduler;
    for (const { ecsTask } of running) {
      const old = ecsTask.deployment !== primary && primary.rolloutState === 'COMPLETED';
      if (!old || ecs.faults.answer) {
        this.#oldSince.delete(ecsTask);
        continue;
      }
      const since = this.#oldSince.get(ecsTask) ?? now;
      this.#oldSince.set(ecsTask, since);
      if (now - since === LONGEST_CALL_MS + NOTICE_MS)
        this.#world.violation(
          `an old task is there ${(now - since) / 60_000} minutes after its time`,
        );
    }
  }

  /** What the processes reported is what the worker published; a task that crashed may have lost some of it. */
  #checkLedger({ reported, published, crashed, reads }: SimulatedTask): void {
    for (const [metric, value] of reported) {
      const sum = published.get(metric) ?? 0;
      if (crashed ? sum > value : sum !== value)
        this.#world.violation(`${metric}: ${value} reported, ${sum} published`);
    }
    const hasty = reads.some((at, i) => i > 0 && at - (reads[i - 1] as number) < READ_EVERY_MS);
    if (hasty) this.#world.violation('a task asked ECS more than once in a minute');
  }
}
