// SPDX-License-Identifier: Apache-2.0

import {
  type CfnTaskDefinition,
  ContainerDefinition,
  type FargateTaskDefinition,
} from 'aws-cdk-lib/aws-ecs';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Stack, Token } from 'aws-cdk-lib/core';
import { printExpression } from '../access/nag-suppressions.js';

export type ContainerProperties = CfnTaskDefinition.ContainerDefinitionProperty;
export type VolumeProperties = CfnTaskDefinition.VolumeProperty;

/** The containers and volumes of a task as they are in the template. */
export function renderedTask(taskDefinition: FargateTaskDefinition): {
  containers: ContainerProperties[];
  volumes: VolumeProperties[];
} {
  const { containerDefinitions, volumes } = taskDefinition.node.defaultChild as CfnTaskDefinition;
  const stack = Stack.of(taskDefinition);
  return {
    containers: stack.resolve(containerDefinitions) ?? [],
    volumes: stack.resolve(volumes) ?? [],
  };
}

export const namedValues = (properties: unknown): { name: string; valueFrom: unknown }[] =>
  (properties ?? []) as { name: string; valueFrom: unknown }[];

/** Grants what a task needs and the CDK does not grant. Run when everything has been added to the task. */
export function grantWhatIsMissing(taskDefinition: FargateTaskDefinition): void {
  const containers = taskDefinition.node.children.filter(
    (child) => child instanceof ContainerDefinition,
  );
  for (const container of containers) grantEnvironmentFiles(container);
  grantKeysOfFiles(taskDefinition);
  grantImportedKeysOfSecrets(taskDefinition);
  grantFileSystems(taskDefinition);
}

/** The CDK leaves out the permissions for a container's environment files. */
function grantEnvironmentFiles(container: ContainerDefinition): void {
  for (const { s3Location } of container.environmentFiles ?? []) {
    const bucket = bucketArn(container, s3Location.bucketName);
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

/** The ARN of a bucket by its name, as the CDK writes it for the files of a container. */
const bucketArn = (scope: ContainerDefinition | FargateTaskDefinition, bucketName: string) =>
  Stack.of(scope).formatArn({ service: 's3', region: '', account: '', resource: bucketName });

/** ECS reads environment files and the log router's configuration from a bucket, which may have a key of its own. */
function grantKeysOfFiles(taskDefinition: FargateTaskDefinition): void {
  const stack = Stack.of(taskDefinition);
  const print = (token: string) => printExpression(stack.resolve(token));
  const files = renderedTask(taskDefinition).containers.flatMap(
    ({ environmentFiles, firelensConfiguration }) => {
      const { options = {} } =
        (firelensConfiguration as CfnTaskDefinition.FirelensConfigurationProperty) ?? {};
      return [
        ...((environmentFiles ?? []) as { value: unknown }[]).map(({ value }) => value),
        (options as Record<string, unknown>)['config-file-value'],
      ].map((value) => printExpression(value ?? ''));
    },
  );
  if (files.every((file) => file === '')) return;
  for (const construct of taskDefinition.node.root.node.findAll()) {
    const bucket = construct as unknown as IBucket;
    if (!bucket.bucketName || !bucket.bucketArn || !bucket.encryptionKey) continue;
    const names = [bucket.bucketArn, bucketArn(taskDefinition, bucket.bucketName)].map(print);
    if (!files.some((file) => names.some((name) => file.startsWith(`${name}/`)))) continue;
    grantDecrypt(taskDefinition, bucket.encryptionKey.keyArn, `s3.${bucket.env.region}`);
  }
}

/**
 * The CDK grants decryption of a secret in the policy of its key, and drops this without a word for a key that it only
 * imports.
 */
function grantImportedKeysOfSecrets(taskDefinition: FargateTaskDefinition): void {
  const stack = Stack.of(taskDefinition);
  const print = (token: string) => printExpression(stack.resolve(token));
  const used = renderedTask(taskDefinition).containers.flatMap(
    ({ secrets, logConfiguration, repositoryCredentials }) => [
      ...[
        ...namedValues(secrets),
        ...namedValues(
          (logConfiguration as CfnTaskDefinition.LogConfigurationProperty)?.secretOptions,
        ),
      ].map(({ valueFrom }) => printExpression(valueFrom)),
      printExpression(
        (repositoryCredentials as CfnTaskDefinition.RepositoryCredentialsProperty)
          ?.credentialsParameter ?? '',
      ),
    ],
  );
  for (const construct of taskDefinition.node.root.node.findAll()) {
    const { secretArn, encryptionKey } = construct as Partial<ISecret>;
    if (!secretArn || !encryptionKey || encryptionKey.node.defaultChild) continue;
    const arn = print(secretArn);
    if (!used.some((value) => value === arn || value.startsWith(`${arn}:`))) continue;
    const { region } = (construct as ISecret).env;
    grantDecrypt(taskDefinition, encryptionKey.keyArn, `secretsmanager.${region}`);
  }
}

function grantDecrypt(taskDefinition: FargateTaskDefinition, keyArn: string, service: string) {
  taskDefinition.addToExecutionRolePolicy(
    new PolicyStatement({
      actions: ['kms:Decrypt'],
      resources: [keyArn],
      conditions: { StringEquals: { 'kms:ViaService': `${service}.amazonaws.com` } },
    }),
  );
}

/** A volume in EFS with IAM authorization is mounted by the role of the code, which the CDK leaves as it is. */
function grantFileSystems(taskDefinition: FargateTaskDefinition): void {
  const stack = Stack.of(taskDefinition);
  const { containers, volumes } = renderedTask(taskDefinition);
  const mounts = containers.flatMap(
    ({ mountPoints }) => (mountPoints ?? []) as CfnTaskDefinition.MountPointProperty[],
  );
  for (const { name, efsVolumeConfiguration } of volumes) {
    const { filesystemId, authorizationConfig } = (efsVolumeConfiguration ??
      {}) as Partial<CfnTaskDefinition.EFSVolumeConfigurationProperty>;
    const { iam, accessPointId } = (authorizationConfig ??
      {}) as CfnTaskDefinition.AuthorizationConfigProperty;
    const of = mounts.filter(({ sourceVolume }) => sourceVolume === name);
    if (iam !== 'ENABLED' || of.length === 0) continue;
    const arnOf = (resource: string, id: unknown) =>
      stack.formatArn({
        service: 'elasticfilesystem',
        resource,
        resourceName: Token.asString(id),
      });
    taskDefinition.addToTaskRolePolicy(
      new PolicyStatement({
        actions: [
          'elasticfilesystem:ClientMount',
          ...(of.some(({ readOnly }) => !readOnly) ? ['elasticfilesystem:ClientWrite'] : []),
        ],
        resources: [arnOf('file-system', filesystemId)],
        ...(accessPointId && {
          conditions: {
            StringEquals: {
              'elasticfilesystem:AccessPointArn': arnOf('access-point', accessPointId),
            },
          },
        }),
      }),
    );
  }
}
