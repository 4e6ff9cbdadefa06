// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../../agent/src/clock.js';
import { type Deployment, EcsError, type TaskDefinition } from './ecs-model.js';

const MAX_DEPLOYMENTS = 5;

/** The deployments of a service: the PRIMARY one, those being replaced, and the one to roll back to. */
export class DeploymentList {
  #lastId = 0;
  #primary: Deployment | undefined;
  /** Newest first. */
  #all: Deployment[] = [];
  #lastCompleted: Deployment | undefined;

  constructor(
    private readonly clock: MonotonicClock,
    private readonly options: {
      /** A deployment became the primary one. */
      started(deployment: Deployment): void;
      note(text: string): void;
      rollbackCreatesDeployment: boolean;
    },
  ) {}

  get primary(): Deployment | undefined {
    return this.#primary;
  }

  /** PRIMARY first, then the ones being replaced, newest first. */
  get primaryFirst(): readonly Deployment[] {
    return [...this.#all].sort((a, b) => Number(b === this.#primary) - Number(a === this.#primary));
  }

  /** @throws EcsError while five deployments have not ended (aws/containers-roadmap#2836) */
  add(definition: TaskDefinition): void {
    if (this.#all.length >= MAX_DEPLOYMENTS) {
      throw new EcsError(
        'InvalidParameterException',
        `${MAX_DEPLOYMENTS} active deployments exist, unable to create new deployment.`,
      );
    }
    this.#start(definition);
  }

  complete(deployment: Deployment): void {
    deployment.rolloutState = 'COMPLETED';
    deployment.rolloutStateReason = `ECS deployment ${deployment.id} completed.`;
    this.#lastCompleted = deployment;
    this.options.note(`deployment ${deployment.id} completed`);
  }

  /** The service goes back to the last deployment that was COMPLETED, if there is one. */
  fail(deployment: Deployment, why: string, rollback: boolean): void {
    deployment.rolloutState = 'FAILED';
    deployment.rolloutStateReason = `${why}: the deployment failed.`;
    this.options.note(`deployment ${deployment.id} failed`);
    const target = this.#lastCompleted;
    if (!rollback || !target) return;
    const primary = this.#rollBackTo(target);
    primary.rolloutStateReason = `${why}: rolling back to deploymentId ${target.id}.`;
    this.options.note(`rolling back to ${primary.id}`);
  }

  /** Forgets the deployments that were replaced and have no task left. */
  keep(hasTasks: (deployment: Deployment) => boolean): void {
    this.#all = this.#all.filter((one) => one === this.#primary || hasTasks(one));
  }

  #rollBackTo(target: Deployment): Deployment {
    if (this.options.rollbackCreatesDeployment || !this.#all.includes(target))
      return this.#start(target.definition);
    this.#primary = target;
    this.options.started(target);
    target.rolloutState = 'IN_PROGRESS';
    return target;
  }

  #start(definition: TaskDefinition): Deployment {
    this.#lastId += 1;
    const deployment: Deployment = {
      id: `ecs-svc/${String(this.#lastId).padStart(19, '0')}`,
      definition,
      createdAt: this.clock.now() + this.#lastId / 1000,
      rolloutState: 'IN_PROGRESS',
      rolloutStateReason: '',
      failedTasks: 0,
    };
    this.#primary = deployment;
    this.options.started(deployment);
    this.#all.unshift(deployment);
    this.options.note(`deployment ${deployment.id} of ${definition.name} started`);
    return deployment;
  }
}
