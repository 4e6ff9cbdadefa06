// SPDX-License-Identifier: Apache-2.0

import { expect, test } from '@jest/globals';
import { Cluster } from 'aws-cdk-lib/aws-ecs';
import { Fn, Stack } from 'aws-cdk-lib/core';
import { wildcardFindingId } from '../../../lib/access/nag-suppressions.js';
import { newApp } from '../synth.js';

test('a wildcard is named as cdk-nag names it: references in angle brackets, what it does not know as JSON', () => {
  const stack = new Stack(newApp(), 'stack');
  const cluster = new Cluster(stack, 'Cluster');
  const id = stack.getLogicalId(cluster.node.defaultChild as never);
  const tasks = stack.formatArn({
    ...{ service: 'ecs', resource: 'task', resourceName: `${cluster.clusterName}/*` },
  });
  expect(wildcardFindingId(stack, tasks)).toBe(
    `AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ecs:<AWS::Region>:<AWS::AccountId>:task/<${id}>/*]`,
  );
  expect(wildcardFindingId(stack, `${cluster.clusterArn}/*`)).toBe(
    `AwsSolutions-IAM5[Resource::<${id}.Arn>/*]`,
  );
  expect(wildcardFindingId(stack, '*')).toBe('AwsSolutions-IAM5[Resource::*]');
  expect(wildcardFindingId(stack, Fn.select(0, Fn.getAzs()))).toMatch(
    /\[Resource::\{"Fn::Select":/,
  );
});
