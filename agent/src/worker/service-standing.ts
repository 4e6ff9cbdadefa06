// SPDX-License-Identifier: Apache-2.0

import { log } from '@livekit/agents';
import type { MonotonicClock } from '../clock.js';
import type { WorkerConfig } from '../config.js';
import type { Standing } from '../ecs/deployment-standing.js';
import { DeploymentWatch } from '../ecs/deployment-watch.js';
import type { ServingTasks } from '../ecs/service-api.js';
import type { Gauges, WorkerMetrics } from '../telemetry/metrics.js';
import type { JobAdmission } from './job-admission.js';
import type { WorkerPeers } from './worker-peers.js';

export interface StandingEvents {
  /** The task began or ceased to accept calls. */
  onChanged: () => void;
  /** What the other tasks may know: the deployment of this one, and whether it accepts calls. */
  onServing: (task: ServingTasks | undefined) => void;
}

/**
 * Applies the standing of the task in its service: a task that is superseded or surplus takes no new calls, and keeps
 * its protection until its last one has ended. Outside ECS it does nothing.
 */
export class ServiceStanding {
  readonly #admission: JobAdmission;
  readonly #clock: MonotonicClock;
  readonly #maxCallMs: number;
  readonly #watch: DeploymentWatch | undefined;
  readonly #events: StandingEvents;
  #registered = false;
  #supersededAt: number | undefined;

  constructor(
    config: Pick<WorkerConfig, 'deployment' | 'ecsAgentUri' | 'ecsMetadataUri' | 'maxCallMs'>,
    admission: JobAdmission,
    metrics: Pick<WorkerMetrics, 'add'>,
    { clock, random, serviceApi }: Pick<WorkerPeers, 'clock' | 'random' | 'serviceApi'>,
    events: StandingEvents,
  ) {
    const { deployment, ecsAgentUri, ecsMetadataUri, maxCallMs } = config;
    this.#admission = admission;
    this.#clock = clock;
    this.#maxCallMs = maxCallMs;
    this.#events = events;
    if (!ecsAgentUri || !ecsMetadataUri) return;
    this.#watch = new DeploymentWatch(() => serviceApi(ecsMetadataUri), clock, {
      ...deployment,
      random,
      onStanding: (standing) => this.#change(standing),
      onIdentity: () => this.update(),
      onInformed: (informed) => {
        this.update();
        if (informed) log().info('ECS reports the deployments of the service again');
        else
          log().warn('ECS does not report the deployments of the service: taking calls regardless');
      },
      onFailure: (error) => {
        metrics.add('DeploymentReadFailures');
        log().warn({ error }, 'the deployments of the service could not be read');
      },
    });
  }

  /** Finds out who this task is, so that the others know as soon as it takes calls. */
  start(): void {
    this.#watch?.start();
  }

  /** LiveKit has accepted the worker. */
  registered(): void {
    this.#registered = true;
    this.update();
  }

  stop(): void {
    this.#watch?.stop();
  }

  /** What the tasks tell each other, see DeploymentWatch. */
  hear(serving: readonly ServingTasks[]): void {
    this.#watch?.hear(serving);
  }

  /**
   * Call it when the task may have begun or ceased to accept calls. One that may be given a call at any time is protected
   * ahead, unless nobody could tell it to let go.
   */
  update(): void {
    if (!this.#registered) return;
    const { protection, refusal } = this.#admission;
    if (refusal) protection.mode = 'leaving';
    else protection.mode = this.#watch?.informed ? 'ahead' : 'on_demand';
    const identity = this.#watch?.identity;
    this.#events.onServing(identity && { ...identity, tasks: refusal ? 0 : 1 });
  }

  /** Undefined outside ECS. */
  gauges(): Gauges['deployment'] {
    if (!this.#watch) return undefined;
    const { protection, slots } = this.#admission;
    const superseded = this.#supersededAt;
    const overdue =
      superseded !== undefined &&
      this.#maxCallMs > 0 &&
      this.#clock.now() - superseded > this.#maxCallMs;
    return {
      unprotectedCalls: protection.confirmed ? 0 : slots.used,
      supersededCalls: superseded === undefined ? 0 : slots.used,
      overdueCalls: overdue ? slots.used : 0,
    };
  }

  #change(standing: Standing): void {
    this.#admission.standing = standing;
    this.#supersededAt = standing === 'superseded' ? this.#clock.now() : undefined;
    log().info({ standing, calls: this.#admission.slots.used }, 'standing in the service changed');
    this.update();
    this.#events.onChanged();
  }
}
