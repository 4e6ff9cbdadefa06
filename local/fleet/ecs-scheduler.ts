// SPDX-License-Identifier: Apache-2.0
// Long because the rules of one scheduler belong together: each reads the same tasks and deployments.

import { createHash } from 'node:crypto';
import type { MonotonicClock } from '../../agent/src/clock.js';
import { type AlarmSettings, AlarmWatch } from './alarm-watch.js';

/** What a task definition says about its tasks, as far as the scheduler needs it. All times in milliseconds. */
export interface TaskDefinition {
  /** Like `family:revision`. */
  name: string;
  /** From SIGTERM to SIGKILL. Default 30 000; Fargate allows 120 000. */
  stopTimeoutMs?: number;
  /** The container's health check. Undefined: a task counts as healthy 40 s after it runs. */
  healthCheck?: { intervalMs: number; retries: number; startPeriodMs: number };
}

export interface ServiceSettings {
  /** Share of the desired tasks that stay healthy during a deployment. Default 100. */
  minimumHealthyPercent?: number;
  /** Tasks that may be pending or running during a deployment. Default 200. */
  maximumPercent?: number;
  /** Default: off. */
  circuitBreaker?: { enable: boolean; rollback: boolean };
  /** Default: none. */
  alarms?: AlarmSettings;
  /** Percentage of healthy new tasks at which a deployment is COMPLETED, whatever old tasks are left. Default: none. */
  earlySuccessPercent?: number;
  /** From the decision to start a task until it runs, in ms. Default 0. Fargate: 40 000 to 90 000. */
  startMs?: () => number;
  /** Unverified: DEPLOYMENT_BLOCKED also for the renewal of protection. Default false. */
  renewalBlocked?: boolean;
  /** Unverified: protected old tasks keep a deployment with early success IN_PROGRESS. Default false. */
  protectedTasksDelaySuccess?: boolean;
  /** Unverified: a rollback makes a deployment of its own instead of the earlier one primary again. Default false. */
  rollbackCreatesDeployment?: boolean;
  /** Not a rule of ECS: whether a task that ended is replaced. Off for tests that end tasks themselves. Default true. */
  replaceTasks?: boolean;
  /** Unverified: which of some unprotected tasks is stopped first. Default `newest`. */
  scaleIn?: 'newest' | 'oldest';
}

/** Starts and stops what the scheduler decides on. */
export interface TaskRunner {
  start(task: EcsTask): void;
  /** SIGTERM. */
  stop(task: EcsTask): void;
  /** SIGKILL. */
  kill(task: EcsTask): void;
  /** Runs the health check of the container. */
  checkHealth(task: EcsTask): Promise<boolean>;
}

/** A change of a task's protection. */
export interface ProtectionChange {
  /** Milliseconds of the clock. */
  at: number;
  protected: boolean;
}

/** A task as ECS sees it. */
export interface EcsTask {
  readonly id: string;
  readonly deployment: Deployment;
  readonly definition: TaskDefinition;
  status: 'PENDING' | 'RUNNING' | 'STOPPING' | 'STOPPED';
  health: 'UNKNOWN' | 'HEALTHY' | 'UNHEALTHY';
  protected: boolean;
  /** Every change of the protection, oldest first. */
  readonly protectionChanges: ProtectionChange[];
  stoppedReason?: string;
  /** The task received SIGKILL. */
  killed: boolean;
  readonly startedAt: number;
}

export interface Deployment {
  readonly id: string;
  readonly definition: TaskDefinition;
  readonly createdAt: number;
  rolloutState: 'IN_PROGRESS' | 'COMPLETED' | 'FAILED';
  rolloutStateReason: string;
  failedTasks: number;
}

/** An error of the ECS API, with its name there. */
export class EcsError extends Error {
  constructor(
    override readonly name: string,
    message: string,
  ) {
    super(message);
  }
}

export type ProtectionOutcome = { protected: boolean; until?: number } | { failure: string };

const HEALTHY_AFTER_MS = 40_000;
const DEFAULT_STOP_TIMEOUT_MS = 30_000;
const MAX_DEPLOYMENTS = 5;
const MINUTE = 60_000;

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
  #lastId = 0;
  #primary: Deployment | undefined;
  /** Newest first. */
  #deployments: Deployment[] = [];
  #lastCompleted: Deployment | undefined;
  readonly #tasks: EcsTask[] = [];
  readonly #expiry = new Map<EcsTask, { at: number; cancel: () => void }>();
  readonly #failedChecks = new Map<EcsTask, number>();
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
  }

  get desired(): number {
    return this.#desired;
  }

  /** PRIMARY first, then the ones being replaced, newest first. */
  get deployments(): readonly Deployment[] {
    return [...this.#deployments].sort(
      (a, b) => Number(b === this.#primary) - Number(a === this.#primary),
    );
  }

  get primary(): Deployment {
    if (!this.#primary) throw new EcsError('ServiceNotFoundException', 'Service not found.');
    return this.#primary;
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
   * @throws EcsError while five deployments have not ended (aws/containers-roadmap#2836)
   */
  update(change: {
    desired?: number;
    definition?: TaskDefinition;
    forceNewDeployment?: boolean;
  }): void {
    const definition = change.definition ?? this.#primary?.definition;
    const deploys =
      change.forceNewDeployment || (definition && definition !== this.#primary?.definition);
    if (deploys && definition) {
      if (this.#deployments.length >= MAX_DEPLOYMENTS) {
        throw new EcsError(
          'InvalidParameterException',
          `${MAX_DEPLOYMENTS} active deployments exist, unable to create new deployment.`,
        );
      }
      this.#deploy(definition);
    }
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
      this.#setProtected(task, false);
      this.#reconcile();
      return { protected: false };
    }
    const others = this.live().filter((other) => other !== task && other.protected).length;
    const renewal = task.protected && !this.#settings.renewalBlocked;
    if (!renewal && others + 1 > this.#desired) return { failure: 'DEPLOYMENT_BLOCKED' };
    this.#expiry.get(task)?.cancel();
    const at = this.#clock.now() + minutes * MINUTE;
    const cancel = this.#clock.after(minutes * MINUTE, () => {
      this.#setProtected(task, false);
      this.#reconcile();
    });
    this.#setProtected(task, true);
    this.#expiry.set(task, { at, cancel });
    return { protected: true, until: at };
  }

  /** When the protection of a task expires, in ms of the clock. */
  protectedUntil(task: EcsTask): number | undefined {
    return this.#expiry.get(task)?.at;
  }

  /**
   * CloudWatch: the state of an alarm. One that goes off fails a deployment in progress, also in its bake time.
   * (developerguide/deployment-alarm-failure.html)
   */
  setAlarm(name: string, state: 'OK' | 'ALARM'): void {
    const deployment = this.#primary;
    if (!deployment || !this.#alarms.change(deployment.id, name, state)) return;
    if (deployment.rolloutState !== 'IN_PROGRESS') return;
    // What ECS says in its own words is not known.
    this.#fail(deployment, `ECS deployment alarm: ${name} is in ALARM`, this.#alarms.rollback);
    this.#reconcile();
  }

  /** The container of a task has ended. */
  exited(task: EcsTask, code: number): void {
    if (task.status === 'STOPPED') return;
    const unexpected = task.status !== 'STOPPING';
    task.status = 'STOPPED';
    this.#setProtected(task, false);
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

  #deploy(definition: TaskDefinition): Deployment {
    this.#lastId += 1;
    const deployment: Deployment = {
      id: `ecs-svc/${String(this.#lastId).padStart(19, '0')}`,
      definition,
      createdAt: this.#clock.now() + this.#lastId / 1000,
      rolloutState: 'IN_PROGRESS',
      rolloutStateReason: '',
      failedTasks: 0,
    };
    this.#primary = deployment;
    this.#alarms.started(deployment.id);
    this.#deployments.unshift(deployment);
    this.#note(`deployment ${deployment.id} of ${definition.name} started`);
    return deployment;
  }

  #setProtected(task: EcsTask, enabled: boolean): void {
    this.#expiry.get(task)?.cancel();
    this.#expiry.delete(task);
    if (task.protected === enabled) return;
    task.protected = enabled;
    task.protectionChanges.push({ at: this.#clock.now(), protected: enabled });
  }

  #reconcile(): void {
    const primary = this.#primary;
    if (!primary) return;
    this.#startMissing(primary);
    this.#scaleIn(primary);
    this.#replaceOld(primary);
    this.#complete(primary);
    this.#deployments = this.#deployments.filter(
      (deployment) =>
        deployment === primary ||
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
      this.#watchHealth(task);
    });
  }

  /**
   * A health check that fails in the start period does not count; after `retries` in a row the task is UNHEALTHY, and
   * the scheduler replaces it. A task without a health check counts as healthy 40 s after it runs.
   * (APIReference/API_HealthCheck.html, API_DeploymentConfiguration.html)
   */
  #watchHealth(task: EcsTask): void {
    const check = task.definition.healthCheck;
    if (!check) {
      this.#clock.after(HEALTHY_AFTER_MS, () => this.#becameHealthy(task));
      return;
    }
    const startedAt = this.#clock.now();
    const probe = () =>
      this.#clock.after(check.intervalMs, () => {
        if (task.status !== 'RUNNING') return;
        void this.#runner.checkHealth(task).then((healthy) => {
          if (task.status !== 'RUNNING') return;
          const counts =
            task.health === 'HEALTHY' || this.#clock.now() - startedAt > check.startPeriodMs;
          const failed = healthy ? 0 : (this.#failedChecks.get(task) ?? 0) + (counts ? 1 : 0);
          this.#failedChecks.set(task, failed);
          if (healthy) this.#becameHealthy(task);
          else if (failed >= check.retries) this.#becameUnhealthy(task);
          probe();
        });
      });
    probe();
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
    const inProgress = deployment === this.#primary && deployment.rolloutState === 'IN_PROGRESS';
    if (!enable || !inProgress || deployment.failedTasks < threshold) return;
    this.#fail(deployment, 'ECS deployment circuit breaker', rollback);
  }

  /** The service goes back to the last deployment that was COMPLETED, if there is one. */
  #fail(deployment: Deployment, why: string, rollback: boolean): void {
    deployment.rolloutState = 'FAILED';
    deployment.rolloutStateReason = `${why}: the deployment failed.`;
    this.#note(`deployment ${deployment.id} failed`);
    const target = this.#lastCompleted;
    if (!rollback || !target) return;
    if (this.#settings.rollbackCreatesDeployment || !this.#deployments.includes(target)) {
      this.#deploy(target.definition);
    } else {
      this.#primary = target;
      this.#alarms.started(target.id);
      target.rolloutState = 'IN_PROGRESS';
    }
    this.primary.rolloutStateReason = `${why}: rolling back to deploymentId ${target.id}.`;
    this.#note(`rolling back to ${this.primary.id}`);
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
    primary.rolloutState = 'COMPLETED';
    primary.rolloutStateReason = `ECS deployment ${primary.id} completed.`;
    this.#lastCompleted = primary;
    this.#note(`deployment ${primary.id} completed`);
  }
}
