// SPDX-License-Identifier: Apache-2.0

import type { ICluster } from 'aws-cdk-lib/aws-ecs';
import { type IRole, Policy, PolicyStatement, Role } from 'aws-cdk-lib/aws-iam';
import { Annotations, Aspects, Stack, Validations } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { wildcardFindingId } from '../access/nag-suppressions.js';
import type { NovaSonicAccess } from '../access/nova-sonic-access.js';
import { ExecutionRole, ecsTasksPrincipal } from './execution-role.js';

export interface TaskRolesProps {
  /** Cluster whose tasks may be protected, and whose services may be read. */
  readonly cluster: ICluster;
  /** Model and Regions that the code may call. */
  readonly novaSonic: NovaSonicAccess;
  /**
   * Existing role for the code in the container; gets the permissions that the code needs.
   * @default - a new role
   */
  readonly taskRole?: IRole;
  /**
   * Existing role with which ECS starts the tasks; gets the permissions for what the containers use.
   * @default - a new role
   */
  readonly executionRole?: IRole;
}

/** The two roles of a task, with least privilege: one for its code, one for ECS to start it. */
export class TaskRoles extends Construct {
  /** For the code in the container: call the model, protect tasks of this cluster, read its deployments. */
  public readonly task: IRole;
  /** For ECS: pull the images, read the secrets, write the logs of what is in the task definition. */
  public readonly execution: IRole;

  constructor(scope: Construct, id: string, props: TaskRolesProps) {
    super(scope, id);
    this.task =
      props.taskRole ??
      new Role(this, 'Task', {
        description: 'Voice agent: call Nova Sonic, protect its own ECS tasks, see new deployments',
        assumedBy: ecsTasksPrincipal(this),
      });
    props.novaSonic.grantInvoke(this.task);
    this.grantOwnService(props.cluster);
    this.execution = props.executionRole ?? this.createExecutionRole();
    this.warnAboutUnchanged('taskRole', props.taskRole);
    this.warnAboutUnchanged('executionRole', props.executionRole);
  }

  /** The CDK drops every grant to a role that it may not change, without a word. */
  private warnAboutUnchanged(prop: 'taskRole' | 'executionRole', role?: IRole): void {
    if (!role) return;
    Aspects.of(this).add({
      visit: (node) => {
        // A role that may be changed has a policy by now.
        if (node !== this || role.node.findAll().some((child) => child instanceof Policy)) return;
        Annotations.of(this).addWarningV2(
          `nova-sonic-livekit:${prop}-unchanged`,
          `The CDK adds nothing to the role of "${prop}", which must not be changed or belongs to another account: synthesize once without it, and give it the permissions of the role that you then see.`,
        );
      },
    });
  }

  /** Its permissions come from the CDK's grants for what is put into the task definition. */
  private createExecutionRole(): ExecutionRole {
    return new ExecutionRole(this, 'Execution', {
      description: 'Starts the voice agent: pull its image, read its secrets, write its log',
      assumedBy: ecsTasksPrincipal(this),
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
    this.task.addToPrincipalPolicy(
      allow(['ecs:DescribeTasks', 'ecs:GetTaskProtection', 'ecs:UpdateTaskProtection'], tasks),
    );
    this.task.addToPrincipalPolicy(allow(['ecs:DescribeServices'], services));
    // A policy of its own, so that a wildcard in any other statement is still found.
    const listTasks = new Policy(this, 'ListTasks', {
      statements: [allow(['ecs:ListTasks'], '*')],
    });
    // By the role, which is not changed if it is imported so.
    this.task.attachInlinePolicy(listTasks);
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
}
