// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto';
import type { MonotonicClock } from '../../agent/src/clock.js';
import { AlarmWatch } from './alarm-watch.js';
import { DeploymentList } from './deployment-list.js';
import {
  type Deployment,
  EcsError,
  type EcsTask,
  type ProtectionOutcome,
  type ServiceSettings,
  type TaskDefinition,
  type TaskRunner,
} from './ecs-model.js';
import { HealthWatch } from './health-watch.js';
import { TaskProtections } from './task-protections.js';

const DEFAULT_STOP_TIMEOUT_MS = 30_000;

/**
 * The service scheduler of ECS for one service, on a clock that is passed in; it starts nothing itself. A rule has its
 * source beside it; what is unverified is a setting. AWS's pages are under docs.aws.amazon.com/AmazonECS/latest/.
 */
export class EcsScheduler {
  readonly #clock: MonotonicClock;
  readonly #idSuffix: string;
  readonly #runner: TaskRunner;
  readonly #settings: Required<Omit<ServiceSettings, 'alarms' | 'earlySuccessPercent'>> &
    Pick<ServiceSettings, 'earlySuccessPercent'>;
  readonly #alarms: AlarmWatch;
  #desired = 0;
  readonly #deployments: DeploymentList;
  readonly #tasks: EcsTask[] = [];
  readonly #protections: TaskProtections;
  readonly #health: HealthWatch;
  /** What happened, for a table or a failed test. */
  readonly events: { at: number; text: string }[] = [];

  constructor(
    readonly name: string,
    clock: MonotonicClock,
    runner: TaskRunner,
    settings: ServiceSettings = {},
  ) {
    this.#clock = clock;
    this.#runner = runner;
    this.#protections = new TaskProtections(clock, () => this.#reconcile());
    this.#health = new HealthWatch(clock, (task) => runner.checkHealth(task), {
      healthy: (task) => this.#becameHealthy(task),
      unhealthy: (task) => this.#becameUnhealthy(task),
    });
    this.#alarms = new AlarmWatch(settings.alarms ?? { names: [], bakeMs: 0 }, clock);
    this.#idSuffix = createHash('sha256').update(name).digest('hex').slice(0, 24);
    this.#settings = {
      minimumHealthyPercent: 100,
      maximumPercent: 200,
      circuitBreaker: { enable: false, rollback: false },
      startMs: () => 0,
      renewalBlocked: false,
      protectedTasksDelaySuccess: false,
      rollbackCreatesDeployment: false,
      replaceTasks: true,
      scaleIn: 'newest',
      ...settings,
    };
    this.#deployments = new DeploymentList(clock, {
      started: ({ id }) => this.#alarms.started(id),
      note: (text) => this.#note(text),
      rollbackCreatesDeployment: this.#settings.rollbackCreatesDeployment,
    });
  }

  get desired(): number {
    return this.#desired;
  }

  /** PRIMARY first, then the ones being replaced, newest first. */
  get deployments(): readonly Deployment[] {
    return this.#deployments.primaryFirst;
  }

  get primary(): Deployment {
    const { primary } = this.#deployments;
    if (!primary) throw new EcsError('ServiceNotFoundException', 'Service not found.');
    return primary;
  }

  /** All tasks that ever were, in the order of their start. */
  get tasks(): readonly EcsTask[] {
    return this.#tasks;
  }

  /** Tasks that are pending or running, and not told to stop. */
  live(deployment?: Deployment): EcsTask[] {
    return this.#tasks.filter(
      (task) =>
        (task.status === 'PENDING' || task.status === 'RUNNING') &&
        (!deployment || task.deployment === deployment),
    );
  }

  /**
   * CreateService, UpdateService.
   *
   * A new task definition or `forceNewDeployment` makes a deployment; a new desired count does not.
   * (APIReference/API_UpdateService.html)
   * @throws EcsError while five deployments have not ended
   */
  update(change: {
    desired?: number;
    definition?: TaskDefinition;
    forceNewDeployment?: boolean;
  }): void {
    const current = this.#deployments.primary?.definition;
    const definition = change.definition ?? current;
    if (definition && (change.forceNewDeployment || definition !== current))
      this.#deployments.add(definition);
    this.#desired = change.desired ?? this.#desired;
    this.#reconcile();
  }

  /**
   * UpdateTaskProtection.
   *
   * Protection lasts 1 to 2,880 minutes, 120 by default, and each request counts anew. DEPLOYMENT_BLOCKED: more tasks
   * would be protected than the service wants; protected tasks of older deployments count.
   * (developerguide/task-scale-in-protection-endpoint.html, developerguide/api_failures_messages.html)
   * @throws EcsError for a time out of range
   */
  protect(task: EcsTask, enabled: boolean, minutes = 120): ProtectionOutcome {
    if (!Number.isInteger(minutes) || minutes < 1 || minutes > 2_880)
      throw new EcsError('InvalidParameterException', 'expiresInMinutes is out of range.');
    if (task.status !== 'RUNNING') return { failure: 'TASK_NOT_VALID' };
    if (!enabled) {
      this.#protections.end(task);
      this.#reconcile();
      return { protected: false };
    }
    const others = this.live().filter((other) => other !== task && other.protected).length;
    const renewal = task.protected && !this.#settings.renewalBlocked;
    if (!renewal && others + 1 > this.#desired) return { failure: 'DEPLOYMENT_BLOCKED' };
    return { protected: true, until: this.#protections.begin(task, minutes) };
  }

  /** When the protection of a task expires, in ms of the clock. */
  protectedUntil(task: EcsTask): number | undefined {
    return this.#protections.until(task);
  }

  /**
   * CloudWatch: the state of an alarm. One that goes off fails a deployment in progress, also in its bake time.
   * (developerguide/deployment-alarm-failure.html)
   */
  setAlarm(name: string, state: 'OK' | 'ALARM'): void {
    const deployment = this.#deployments.primary;
    if (!deployment || !this.#alarms.change(deployment.id, name, state)) return;
    if (deployment.rolloutState !== 'IN_PROGRESS') return;
    // What ECS says in its own words is not known.
    this.#deployments.fail(
      deployment,
      `ECS deployment alarm: ${name} is in ALARM`,
      this.#alarms.rollback,
    );
    this.#reconcile();
  }

  /** The container of a task has ended. */
  exited(task: EcsTask, code: number): void {
    if (task.status === 'STOPPED') return;
    const unexpected = task.status !== 'STOPPING';
    task.status = 'STOPPED';
    this.#protections.end(task);
    if (unexpected) {
      task.stoppedReason = `Essential container in task exited (${code})`;
      this.#note(`task ${task.id} exited with ${code}`);
      if (task.health !== 'HEALTHY') this.#taskFailed(task);
    }
    this.#reconcile();
  }

  #note(text: string): void {
    this.events.push({ at: this.#clock.now(), text });
  }

  #reconcile(): void {
    const { primary } = this.#deployments;
    if (!primary) return;
    this.#startMissing(primary);
    this.#scaleIn(primary);
    this.#replaceOld(primary);
    this.#complete(primary);
    this.#deployments.keep((deployment) =>
      this.#tasks.some((task) => task.deployment === deployment && task.status !== 'STOPPED'),
    );
  }

  /**
   * No more tasks are pending or running than maximumPercent of the desired count, rounded down. A deployment that
   * FAILED starts no task. (APIReference/API_DeploymentConfiguration.html, API_DeploymentCircuitBreaker.html)
   */
  #startMissing(primary: Deployment): void {
    if (primary.rolloutState === 'FAILED') return;
    const started = this.#tasks.filter((task) => task.deployment === primary).length;
    if (!this.#settings.replaceTasks && started >= this.#desired) return;
    const max = Math.floor((this.#desired * this.#settings.maximumPercent) / 100);
    while (this.live(primary).length < this.#desired && this.live().length < max)
      this.#start(primary);
  }

  #start(deployment: Deployment): void {
    const task: EcsTask = {
      // Unique over all services of an endpoint, and in the order of their start within one.
      id: `${String(this.#tasks.length + 1).padStart(8, '0')}${this.#idSuffix}`,
      deployment,
      definition: deployment.definition,
      status: 'PENDING',
      health: 'UNKNOWN',
      protected: false,
      protectionChanges: [],
      killed: false,
      startedAt: this.#clock.now(),
    };
    this.#tasks.push(task);
    this.#clock.after(this.#settings.startMs(), () => {
      if (task.status !== 'PENDING') return;
      task.status = 'RUNNING';
      this.#runner.start(task);
      this.#health.watch(task);
    });
  }

  #becameHealthy(task: EcsTask): void {
    if (task.status !== 'RUNNING' || task.health === 'HEALTHY') return;
    task.health = 'HEALTHY';
    // "Once a service deployment has one or more successfully running tasks, the failed task count resets to zero."
    // (APIReference/API_Deployment.html)
    task.deployment.failedTasks = 0;
    this.#note(`task ${task.id} is healthy`);
    this.#reconcile();
  }

  /** Protection is for scale-in and deployments only: an unhealthy task is stopped. (task-scale-in-protection.html) */
  #becameUnhealthy(task: EcsTask): void {
    const everHealthy = task.health === 'HEALTHY';
    task.health = 'UNHEALTHY';
    this.#stop(task, 'Task failed container health checks');
    if (!everHealthy) this.#taskFailed(task);
    this.#reconcile();
  }

  /**
   * The circuit breaker counts tasks that do not reach RUNNING or fail their health check. The threshold is half of the
   * desired count, at least 3 and at most 200. On failure the service goes back to the last deployment that was
   * COMPLETED. (developerguide/deployment-circuit-breaker.html)
   */
  #taskFailed(task: EcsTask): void {
    const { deployment } = task;
    const { enable, rollback } = this.#settings.circuitBreaker;
    deployment.failedTasks += 1;
    const threshold = Math.min(200, Math.max(3, Math.ceil(this.#desired * 0.5)));
    const inProgress =
      deployment === this.#deployments.primary && deployment.rolloutState === 'IN_PROGRESS';
    if (!enable || !inProgress || deployment.failedTasks < threshold) return;
    this.#deployments.fail(deployment, 'ECS deployment circuit breaker', rollback);
  }

  /** Scale-in stops tasks that are not protected, and only these. (developerguide/task-scale-in-protection.html) */
  #scaleIn(primary: Deployment): void {
    let surplus = this.live(primary).length - this.#desired;
    for (const task of this.#unprotected(this.live(primary))) {
      if (surplus-- <= 0) return;
      this.#stop(task, 'Scaling activity initiated by deployment');
    }
  }

  /**
   * Tasks of older deployments are stopped while at least minimumHealthyPercent of the desired count, rounded up, stay
   * healthy, whatever deployment they are of; a protected one is not, and hears nothing.
   * (APIReference/API_DeploymentConfiguration.html, developerguide/task-scale-in-protection.html)
   */
  #replaceOld(primary: Deployment): void {
    const min = Math.ceil((this.#desired * this.#settings.minimumHealthyPercent) / 100);
    const old = this.live().filter((task) => task.deployment !== primary);
    for (const task of this.#unprotected(old)) {
      const healthy = this.live().filter((other) => other !== task && other.health === 'HEALTHY');
      if (task.health !== 'HEALTHY' || healthy.length >= min)
        this.#stop(task, 'Scaling activity initiated by deployment');
    }
    this.#startMissing(primary);
  }

  #unprotected(tasks: EcsTask[]): EcsTask[] {
    const open = tasks.filter((task) => !task.protected);
    return this.#settings.scaleIn === 'newest' ? open.reverse() : open;
  }

  /** SIGTERM, and SIGKILL after stopTimeout. (APIReference/API_ContainerDefinition.html) */
  #stop(task: EcsTask, reason: string): void {
    const pending = task.status === 'PENDING';
    task.status = 'STOPPING';
    task.stoppedReason = reason;
    this.#note(`task ${task.id} is told to stop: ${reason}`);
    if (pending) {
      task.status = 'STOPPED';
      return;
    }
    this.#runner.stop(task);
    this.#clock.after(task.definition.stopTimeoutMs ?? DEFAULT_STOP_TIMEOUT_MS, () => {
      if (task.status !== 'STOPPING') return;
      task.killed = true;
      this.#note(`task ${task.id} is killed`);
      this.#runner.kill(task);
    });
  }

  /**
   * COMPLETED: all tasks of the deployment are healthy and no older one is left; with early success, when the
   * percentage of new tasks is healthy; with deployment alarms, once the bake time is over as well. (APIReference/API_Deployment.html; EarlySuccessCriteria of AWS::ECS::Service)
   */
  #complete(primary: Deployment): void {
    if (primary.rolloutState !== 'IN_PROGRESS') return;
    const { earlySuccessPercent, protectedTasksDelaySuccess } = this.#settings;
    const healthy = this.live(primary).filter((task) => task.health === 'HEALTHY').length;
    const old = this.live().filter((task) => task.deployment !== primary);
    const early =
      earlySuccessPercent !== undefined &&
      healthy >= Math.ceil((this.#desired * earlySuccessPercent) / 100) &&
      !(protectedTasksDelaySuccess && old.some((task) => task.protected));
    if (!early && (healthy < this.#desired || old.length > 0)) return;
    if (!this.#alarms.baked(primary.id, () => this.#reconcile())) return;
    this.#deployments.complete(primary);
  }
}
