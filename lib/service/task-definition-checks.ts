// SPDX-License-Identifier: Apache-2.0

import {
  type CfnTaskDefinition,
  ContainerDefinition,
  type FargateTaskDefinition,
} from 'aws-cdk-lib/aws-ecs';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Aspects, Stack } from 'aws-cdk-lib/core';
import { printExpression } from '../access/nag-suppressions.js';

/**
 * Looks at a task definition when the app is synthesized, with everything that was added to it: grants what the CDK does
 * not grant, and refuses what ECS would refuse when it registers the tasks.
 */
export function checkTaskDefinition(taskDefinition: FargateTaskDefinition): void {
  const containers = () =>
    taskDefinition.node.children.filter((child) => child instanceof ContainerDefinition);
  Aspects.of(taskDefinition).add({
    visit: (node) => {
      if (node !== taskDefinition) return;
      for (const container of containers()) grantEnvironmentFiles(container);
      grantImportedKeys(taskDefinition);
    },
  });
  taskDefinition.node.addValidation({ validate: () => variablesSetTwice(taskDefinition) });
}

/** The CDK leaves out the permissions for a container's environment files. */
function grantEnvironmentFiles(container: ContainerDefinition): void {
  for (const { s3Location } of container.environmentFiles ?? []) {
    const bucket = Stack.of(container).formatArn({
      service: 's3',
      region: '',
      account: '',
      resource: s3Location.bucketName,
    });
    container.addToExecutionPolicy(
      new PolicyStatement({
        actions: ['s3:GetObject'],
        resources: [`${bucket}/${s3Location.objectKey}`],
      }),
    );
    container.addToExecutionPolicy(
      new PolicyStatement({ actions: ['s3:GetBucketLocation'], resources: [bucket] }),
    );
  }
}

/**
 * The CDK grants decryption of a secret in the policy of its key, and drops this without a word for a key that it only
 * imports.
 */
function grantImportedKeys(taskDefinition: FargateTaskDefinition): void {
  const stack = Stack.of(taskDefinition);
  const print = (token: string) => printExpression(stack.resolve(token));
  const used = containersOf(taskDefinition).flatMap(({ secrets, logConfiguration }) =>
    [
      ...list(secrets),
      ...list((logConfiguration as CfnTaskDefinition.LogConfigurationProperty)?.secretOptions),
    ].map(({ valueFrom }) => printExpression(valueFrom)),
  );
  for (const construct of taskDefinition.node.root.node.findAll()) {
    const { secretArn, encryptionKey } = construct as Partial<ISecret>;
    if (!secretArn || !encryptionKey || encryptionKey.node.defaultChild) continue;
    const arn = print(secretArn);
    if (!used.some((value) => value === arn || value.startsWith(`${arn}:`))) continue;
    const { region } = (construct as ISecret).env;
    taskDefinition.addToExecutionRolePolicy(
      new PolicyStatement({
        actions: ['kms:Decrypt'],
        resources: [encryptionKey.keyArn],
        conditions: {
          StringEquals: { 'kms:ViaService': `secretsmanager.${region}.amazonaws.com` },
        },
      }),
    );
  }
}

type ContainerProperties = CfnTaskDefinition.ContainerDefinitionProperty;

/** The containers as they are in the template. */
function containersOf(taskDefinition: FargateTaskDefinition): ContainerProperties[] {
  const { containerDefinitions } = taskDefinition.node.defaultChild as CfnTaskDefinition;
  return Stack.of(taskDefinition).resolve(containerDefinitions);
}

const list = (properties: unknown): { name: string; valueFrom: unknown }[] =>
  (properties ?? []) as { name: string; valueFrom: unknown }[];

/** @returns one sentence for each variable of a container that is set more than once, by a value or a secret */
function variablesSetTwice(taskDefinition: FargateTaskDefinition): string[] {
  return containersOf(taskDefinition).flatMap(({ name, environment, secrets }) => {
    const variables = [...list(environment), ...list(secrets)].map((variable) => variable.name);
    const twice = variables.filter((variable, index) => variables.indexOf(variable) !== index);
    return [...new Set(twice)].map(
      (variable) =>
        `The container "${name}" sets ${variable} twice, as a variable or a secret, which ECS refuses: remove one of them.`,
    );
  });
}
