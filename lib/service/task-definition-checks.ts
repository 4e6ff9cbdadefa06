// SPDX-License-Identifier: Apache-2.0

import type { CfnTaskDefinition, FargateTaskDefinition } from 'aws-cdk-lib/aws-ecs';
import { Aspects } from 'aws-cdk-lib/core';
import { grantWhatIsMissing, namedValues, renderedTask } from './task-definition-grants.js';

/**
 * Looks at a task definition when the app is synthesized, with everything that was added to it: grants what the CDK does
 * not grant, and refuses what ECS would refuse when it registers the tasks.
 * @param memory of the task, in MiB
 */
export function checkTaskDefinition(taskDefinition: FargateTaskDefinition, memory: number): void {
  Aspects.of(taskDefinition).add({
    visit: (node) => {
      if (node === taskDefinition) grantWhatIsMissing(taskDefinition);
    },
  });
  taskDefinition.node.addValidation({
    validate: () => [
      ...variablesSetTwice(taskDefinition),
      ...unknownNames(taskDefinition),
      ...tooMuchMemory(taskDefinition, memory),
    ],
  });
}

/** MiB that containers of a task are promised, without one of them. */
export const promisedMemory = (taskDefinition: FargateTaskDefinition, except?: string): number =>
  renderedTask(taskDefinition).containers.reduce(
    (sum, { name, memory, memoryReservation }) =>
      name === except ? sum : sum + (memory ?? memoryReservation ?? 0),
    0,
  );

/** @returns one sentence for each variable of a container that is set more than once, by a value or a secret */
function variablesSetTwice(taskDefinition: FargateTaskDefinition): string[] {
  return renderedTask(taskDefinition).containers.flatMap(({ name, environment, secrets }) => {
    const variables = [...namedValues(environment), ...namedValues(secrets)].map(
      (variable) => variable.name,
    );
    const twice = variables.filter((variable, index) => variables.indexOf(variable) !== index);
    return [...new Set(twice)].map(
      (variable) =>
        `The container "${name}" sets ${variable} twice, as a variable or a secret, which ECS refuses: remove one of them.`,
    );
  });
}

/** @returns one sentence for each volume or container that a container refers to and that is not there */
function unknownNames(taskDefinition: FargateTaskDefinition): string[] {
  const { containers, volumes } = renderedTask(taskDefinition);
  const names = containers.map(({ name }) => name);
  const volumeNames = volumes.map(({ name }) => name);
  return containers.flatMap(({ name, mountPoints, volumesFrom }) => [
    ...((mountPoints ?? []) as CfnTaskDefinition.MountPointProperty[])
      .filter(({ sourceVolume }) => !volumeNames.includes(sourceVolume))
      .map(
        ({ sourceVolume }) =>
          `The container "${name}" mounts the volume "${sourceVolume}", which the task does not have: add it with addVolume.`,
      ),
    ...((volumesFrom ?? []) as CfnTaskDefinition.VolumeFromProperty[])
      .filter(({ sourceContainer }) => !names.includes(sourceContainer ?? ''))
      .map(
        ({ sourceContainer }) =>
          `The container "${name}" has the volumes of "${sourceContainer}", which the task does not have: add that container.`,
      ),
  ]);
}

/** @returns one sentence when the containers are promised more memory than the task has, which ECS refuses */
function tooMuchMemory(taskDefinition: FargateTaskDefinition, memory: number): string[] {
  const promised = promisedMemory(taskDefinition);
  return promised <= memory
    ? []
    : [
        `The containers of a task are promised ${promised} MiB and "memory" is ${memory}: raise it, or lower what they may take.`,
      ];
}
