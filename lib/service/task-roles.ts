// SPDX-License-Identifier: Apache-2.0

import type { IRepository } from 'aws-cdk-lib/aws-ecr';
import type { ICluster } from 'aws-cdk-lib/aws-ecs';
import {
  Policy,
  PolicyDocument,
  PolicyStatement,
  Role,
  ServicePrincipal,
} from 'aws-cdk-lib/aws-iam';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { Stack, Validations } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { LiveKitCredentials } from '../access/livekit-credentials.js';
import { wildcardFindingId } from '../access/nag-suppressions.js';
import type { NovaSonicAccess } from '../access/nova-sonic-access.js';

export interface TaskRolesProps {
  /** Cluster whose tasks may be protected, and whose services may be read. */
  readonly cluster: ICluster;
  /** Model and Regions that the code may call. */
  readonly novaSonic: NovaSonicAccess;
  /** The one secret that ECS may read. */
  readonly credentials: LiveKitCredentials;
  /** Where ECS pulls the image from. */
  readonly repository: IRepository;
  /** Where ECS writes the log. */
  readonly logGroup: ILogGroup;
}

/** The two roles of a task, with least privilege: one for its code, one for ECS to start it. */
export class TaskRoles extends Construct {
  /** For the code in the container: call the model, protect tasks of this cluster, read its deployments. */
  public readonly task: Role;
  /** For ECS: pull this image, read this secret, write this log group. */
  public readonly execution: Role;

  constructor(scope: Construct, id: string, props: TaskRolesProps) {
    super(scope, id);
    this.task = new Role(this, 'Task', {
      description: 'Voice agent: call Nova Sonic, protect its own ECS tasks, see new deployments',
      assumedBy: this.ecsTasks(),
    });
    props.novaSonic.grantInvoke(this.task);
    this.grantOwnService(props.cluster);

    // Inline, so that the role has its permissions when the first task starts.
    this.execution = new Role(this, 'Execution', {
      description: 'Starts the voice agent: pull its image, read its secret, write its log',
      assumedBy: this.ecsTasks(),
      inlinePolicies: { Start: this.startPolicy(props) },
    });
    Validations.of(this.execution).acknowledge({
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason:
        'ecr:GetAuthorizationToken has no resource; AWS accepts it on * only. Pulling is limited to one repository.',
    });
  }

  /** ECS tasks of this account and Region only, against confused deputies. */
  private ecsTasks(): ServicePrincipal {
    const stack = Stack.of(this);
    return new ServicePrincipal('ecs-tasks.amazonaws.com', {
      conditions: {
        StringEquals: { 'aws:SourceAccount': stack.account },
        ArnLike: { 'aws:SourceArn': stack.formatArn({ service: 'ecs', resource: '*' }) },
      },
    });
  }

  /** Protect the task, and find out whether a newer deployment supersedes it or it is one too many. */
  private grantOwnService(cluster: ICluster): void {
    const arnOf = (resource: string) =>
      Stack.of(this).formatArn({
        service: 'ecs',
        resource,
        resourceName: `${cluster.clusterName}/*`,
      });
    const tasks = arnOf('task');
    const services = arnOf('service');
    const conditions = { ArnEquals: { 'ecs:cluster': cluster.clusterArn } };
    const allow = (actions: string[], resource: string) =>
      new PolicyStatement({ actions, resources: [resource], conditions });
    this.task.addToPolicy(
      allow(['ecs:DescribeTasks', 'ecs:GetTaskProtection', 'ecs:UpdateTaskProtection'], tasks),
    );
    this.task.addToPolicy(allow(['ecs:DescribeServices'], services));
    // A policy of its own, so that a wildcard in any other statement is still found.
    const listTasks = new Policy(this, 'ListTasks', {
      roles: [this.task],
      statements: [allow(['ecs:ListTasks'], '*')],
    });
    Validations.of(this.task).acknowledge(
      {
        id: wildcardFindingId(this, tasks),
        reason:
          'The ID of a task is unknown until it starts; the ARN and a condition name the cluster.',
      },
      {
        id: wildcardFindingId(this, services),
        reason:
          'The service does not exist yet when its role is made; the ARN and a condition name the cluster.',
      },
    );
    Validations.of(listTasks).acknowledge({
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason:
        'The resource of ecs:ListTasks is a container instance, of which Fargate has none; a condition limits it to the cluster.',
    });
  }

  private startPolicy(props: TaskRolesProps): PolicyDocument {
    return new PolicyDocument({
      statements: [
        new PolicyStatement({ actions: ['ecr:GetAuthorizationToken'], resources: ['*'] }),
        new PolicyStatement({
          actions: [
            'ecr:BatchCheckLayerAvailability',
            'ecr:BatchGetImage',
            'ecr:GetDownloadUrlForLayer',
          ],
          resources: [props.repository.repositoryArn],
        }),
        ...props.credentials.readStatements(),
        new PolicyStatement({
          actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
          resources: [props.logGroup.logGroupArn],
        }),
      ],
    });
  }
}
