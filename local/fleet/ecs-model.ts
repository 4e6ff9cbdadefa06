// SPDX-License-Identifier: Apache-2.0

// What ECS knows of a service: its settings, tasks and deployments.

import type { AlarmSettings } from './alarm-watch.js';

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
