// SPDX-License-Identifier: Apache-2.0

import type { ECSClient } from '@aws-sdk/client-ecs';
import { z } from 'zod';

/** Who started this task. */
export interface TaskOrigin {
  /** Name of the service. */
  service: string;
  /** Id of the deployment, like `ecs-svc/1234567890`. */
  deployment: string;
}

/** How many tasks of a deployment take calls, as the tasks tell each other. */
export interface ServingTasks extends TaskOrigin {
  tasks: number;
}

/** One deployment of a service, as DescribeServices reports it. */
export interface DeploymentReading {
  id: string;
  /** The deployment that the service is to run; the others are being replaced. */
  primary: boolean;
  rolloutState?: string;
  desired: number;
  /** Tasks in the status RUNNING, healthy or not. */
  running: number;
  /** Tasks that failed in a row. */
  failed: number;
  /** Milliseconds since the epoch. */
  createdAt: number;
}

/** A service, as DescribeServices reports it. */
export interface ServiceReading {
  desired: number;
  deployments: DeploymentReading[];
}

/** Running tasks of a deployment. */
export interface TaskListing {
  arns: string[];
  /** Whether these are all: ECS lists at most 100 at once. */
  complete: boolean;
}

/** What a task reads about itself and its service. Each method is one request to the ECS API, and throws when it fails. */
export interface ServiceApi {
  readonly taskArn: string;
  describeOwnTask(): Promise<TaskOrigin>;
  describeService(service: string): Promise<ServiceReading>;
  listTasks(deployment: string): Promise<TaskListing>;
}

const REQUEST_TIMEOUT_MS = 10_000;

// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate-response.html
const metadata = z.object({ Cluster: z.string(), TaskARN: z.string() });

/**
 * The ECS API for the task that `metadataUri` (ECS_CONTAINER_METADATA_URI_V4) describes, with the credentials of its role.
 * The endpoint can be changed with AWS_ENDPOINT_URL_ECS.
 * @throws Error when the metadata cannot be read
 */
export async function serviceApi(
  metadataUri: string,
  timeoutMs = REQUEST_TIMEOUT_MS,
): Promise<ServiceApi> {
  const response = await fetch(`${metadataUri.replace(/\/+$/, '')}/task`, {
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (!response.ok) throw new Error(`the task metadata endpoint answered ${response.status}`);
  const { Cluster: cluster, TaskARN: taskArn } = metadata.parse(await response.json());
  // Only on ECS, so that a worker elsewhere does not load it.
  const ecs = await import('@aws-sdk/client-ecs');
  const client: ECSClient = new ecs.ECSClient({
    // arn:aws:ecs:REGION:…: the Region of the task, not that of Bedrock.
    region: taskArn.split(':')[3] ?? '',
    // A repeated request would be one more read in the same minute.
    maxAttempts: 1,
  });
  const options = () => ({ abortSignal: AbortSignal.timeout(timeoutMs) });
  return {
    taskArn,
    async describeOwnTask() {
      const command = new ecs.DescribeTasksCommand({ cluster, tasks: [taskArn] });
      const { tasks } = await client.send(command, options());
      const { group = '', startedBy = '' } = tasks?.[0] ?? {};
      if (!group.startsWith('service:') || !startedBy.startsWith('ecs-svc/'))
        throw new Error('the task was not started by a service');
      return { service: group.slice('service:'.length), deployment: startedBy };
    },
    async describeService(service) {
      const command = new ecs.DescribeServicesCommand({ cluster, services: [service] });
      const { services } = await client.send(command, options());
      const found = services?.[0];
      if (!found?.deployments) throw new Error('the service was not found');
      return {
        desired: found.desiredCount ?? 0,
        deployments: found.deployments.map((deployment) => ({
          id: deployment.id ?? '',
          primary: deployment.status === 'PRIMARY',
          ...(deployment.rolloutState && { rolloutState: deployment.rolloutState }),
          desired: deployment.desiredCount ?? 0,
          running: deployment.runningCount ?? 0,
          failed: deployment.failedTasks ?? 0,
          createdAt: deployment.createdAt?.getTime() ?? 0,
        })),
      };
    },
    async listTasks(startedBy) {
      const command = new ecs.ListTasksCommand({ cluster, startedBy });
      const { taskArns, nextToken } = await client.send(command, options());
      return { arns: taskArns ?? [], complete: !nextToken };
    },
  };
}
