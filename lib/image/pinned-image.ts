// SPDX-License-Identifier: Apache-2.0

import { Repository } from 'aws-cdk-lib/aws-ecr';
import { ContainerImage } from 'aws-cdk-lib/aws-ecs';
import { Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';

const ECR_IMAGE =
  /^(?<account>\d{12})\.dkr\.ecr\.(?<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?\/(?<name>[\w./-]+)@(?<digest>sha256:[0-9a-f]{64})$/;

/**
 * An image that was built before, by its digest: `registry/name@sha256:…`. Of a repository in Amazon ECR, also in another
 * account or Region, the tasks get the permission to pull; that repository's policy must allow another account.
 */
export function pinnedImage(scope: Construct, uri: string): ContainerImage {
  const { account, region, name, digest } = ECR_IMAGE.exec(uri)?.groups ?? {};
  if (!account || !region || !name || !digest) return ContainerImage.fromRegistry(uri);
  const repository = Repository.fromRepositoryAttributes(scope, 'Repository', {
    repositoryName: name,
    repositoryArn: Stack.of(scope).formatArn({
      service: 'ecr',
      account,
      region,
      resource: 'repository',
      resourceName: name,
    }),
  });
  return ContainerImage.fromEcrRepository(repository, digest);
}
