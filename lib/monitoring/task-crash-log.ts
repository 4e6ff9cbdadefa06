// SPDX-License-Identifier: Apache-2.0

import { Metric, type MetricOptions, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { FargateService, TaskDefinition } from 'aws-cdk-lib/aws-ecs';
import { Rule } from 'aws-cdk-lib/aws-events';
import { type CfnLogGroup, LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { ArnFormat, RemovalPolicy, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';

export interface TaskCrashLogProps {
  /** The service whose tasks are watched. */
  readonly service: FargateService;
  /** How long the events are kept. ECS itself forgets a stopped task after an hour. */
  readonly retention: RetentionDays;
}

/**
 * Keeps ECS events of tasks that stopped on their own: exit code, out of memory, image or secret not found. Tasks that a
 * deployment or a scale-in stopped are left out, so the number of events is the number of crashes.
 */
export class TaskCrashLog extends Construct {
  public readonly logGroup: LogGroup;
  private readonly ruleName: string;

  constructor(scope: Construct, id: string, props: TaskCrashLogProps) {
    super(scope, id);
    this.logGroup = new LogGroup(this, 'Log', {
      retention: props.retention,
      // What a first deployment that fails leaves behind: CloudFormation deletes everything else.
      removalPolicy: RemovalPolicy.RETAIN,
    });
    const rule = new Rule(this, 'Rule', {
      description: 'Tasks of the voice agent that stopped on their own',
      eventPattern: {
        source: ['aws.ecs'],
        detailType: ['ECS Task State Change'],
        detail: {
          clusterArn: [props.service.cluster.clusterArn],
          // Not the service by its name: the rule has to be there before the service starts a task.
          group: [{ prefix: 'service:' }],
          taskDefinitionArn: [{ prefix: this.familyArn(props.service.taskDefinition) }],
          lastStatus: ['STOPPED'],
          $or: [
            { stopCode: ['EssentialContainerExited', 'TaskFailedToStart'] },
            { stoppedReason: [{ prefix: 'Task failed container health checks' }] },
          ],
        },
      },
    });
    rule.addTarget({ bind: () => ({ arn: this.logGroupArn() }) });
    this.ruleName = rule.ruleName;
    // A policy of the log group: CloudWatch Logs allows only ten account-level resource policies.
    (this.logGroup.node.defaultChild as CfnLogGroup).resourcePolicyDocument = {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Principal: { Service: ['events.amazonaws.com', 'delivery.logs.amazonaws.com'] },
          Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
          Resource: '*',
        },
      ],
    };
  }

  /** Number of tasks that stopped on their own. Counted by the rule, so it is right even when the log was not written. */
  public metricCrashes(options: MetricOptions = {}): Metric {
    return new Metric({
      namespace: 'AWS/Events',
      metricName: 'TriggeredRules',
      dimensionsMap: { RuleName: this.ruleName },
      statistic: Stats.SUM,
      ...options,
    });
  }

  /** The ARN of all revisions of a task definition, without the revision. */
  private familyArn({ family }: TaskDefinition): string {
    return Stack.of(this).formatArn({
      service: 'ecs',
      resource: 'task-definition',
      resourceName: `${family}:`,
    });
  }

  /** Without the `:*` at the end of CloudFormation's attribute, which EventBridge rejects. */
  private logGroupArn(): string {
    return Stack.of(this).formatArn({
      service: 'logs',
      resource: 'log-group',
      resourceName: this.logGroup.logGroupName,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
  }
}
