// SPDX-License-Identifier: Apache-2.0

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Deployment, EcsError, type EcsTask } from './ecs-model.js';
import type { EcsScheduler } from './ecs-scheduler.js';

/**
 * How an endpoint responds to a request. Source:
 * https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html
 * `ok`: by the rules of the scheduler. `blocked`: status 200 with a `failure` body. `denied`: status 400 with an `error`
 * body. `broken`: status 500. `silent`: no response.
 */
export type EcsBehaviour = 'ok' | 'blocked' | 'denied' | 'broken' | 'silent';

/** Faults of an endpoint. */
export interface EcsFaults {
  /** Called for each request. Default: `ok`. */
  behaviour?: () => EcsBehaviour;
  /** Milliseconds until the response, called for each request. Default 0. */
  delayMs?: () => number;
}

/** A request to the agent endpoint of a task, oldest first. */
export interface ProtectionRequest {
  /** Milliseconds since the epoch. */
  at: number;
  enabled: boolean;
  behaviour: EcsBehaviour;
}

const REGION = 'us-east-1';
const ACCOUNT = '111122223333';
const CLUSTER = 'local';
const TARGET = 'AmazonEC2ContainerServiceV20141113.';
const PAGE = 100;

const arn = (resource: string) => `arn:aws:ecs:${REGION}:${ACCOUNT}:${resource}`;

interface KnownTask {
  task: EcsTask;
  service: EcsScheduler;
  faults: EcsFaults;
  requests: ProtectionRequest[];
}

/**
 * What a task and the AWS SDK reach of ECS, over HTTP: the agent endpoint for task protection (ECS_AGENT_URI), the task
 * metadata endpoint v4 (ECS_CONTAINER_METADATA_URI_V4), and the actions DescribeTasks, DescribeServices, ListTasks and
 * UpdateService (AWS_ENDPOINT_URL_ECS). EcsScheduler decides; this only translates.
 */
export class EcsEndpoint {
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #open = new Set<ServerResponse>();
  readonly #tasks = new Map<string, KnownTask>();
  readonly #services = new Set<EcsScheduler>();
  /** Faults of the ECS API, not of the agent endpoints. */
  apiFaults: EcsFaults = {};
  /** Every request to the ECS API, oldest first. */
  readonly apiRequests: { at: number; action: string; input: Record<string, unknown> }[] = [];

  static async start(): Promise<EcsEndpoint> {
    const endpoint = new EcsEndpoint();
    await new Promise<void>((resolve) => endpoint.#server.listen(0, '127.0.0.1', resolve));
    return endpoint;
  }

  /** Value of AWS_ENDPOINT_URL_ECS. */
  get url(): string {
    const { port } = this.#server.address() as { port: number };
    return `http://127.0.0.1:${port}`;
  }

  addService(service: EcsScheduler): void {
    this.#services.add(service);
  }

  /** Adds a task; returns what its container finds in the environment, and the requests that it makes. */
  addTask(
    service: EcsScheduler,
    task: EcsTask,
    faults: EcsFaults = {},
  ): { env: Record<string, string>; requests: ProtectionRequest[] } {
    const requests: ProtectionRequest[] = [];
    this.#tasks.set(task.id, { task, service, faults, requests });
    return {
      env: {
        ECS_AGENT_URI: `${this.url}/agent/${task.id}`,
        ECS_CONTAINER_METADATA_URI_V4: `${this.url}/metadata/${task.id}`,
        AWS_ENDPOINT_URL_ECS: this.url,
      },
      requests,
    };
  }

  async stop(): Promise<void> {
    for (const response of this.#open) response.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#open.add(response);
    response.on('close', () => this.#open.delete(response));
    const [, kind = '', id = '', ...rest] = (request.url ?? '').split('/');
    const known = this.#tasks.get(id);
    const target = request.headers['x-amz-target'];
    if (request.method === 'POST' && typeof target === 'string' && target.startsWith(TARGET)) {
      await this.#serveAction(target.slice(TARGET.length), await readJson(request), response);
    } else if (kind === 'agent' && known && rest.join('/') === 'task-protection/v1/state') {
      if (request.method === 'GET') sendJson(response, 200, protectionBody(known));
      else if (request.method === 'PUT') await servePut(known, await readJson(request), response);
      else sendJson(response, 405, {});
    } else if (kind === 'metadata' && known && rest[0] === 'task') {
      sendJson(response, 200, metadataBody(known));
    } else {
      sendJson(response, 404, {});
    }
  }

  async #serveAction(
    action: string,
    input: Record<string, unknown>,
    response: ServerResponse,
  ): Promise<void> {
    this.apiRequests.push({ at: Date.now(), action, input });
    const behaviour = this.apiFaults.behaviour?.() ?? 'ok';
    await new Promise((resolve) => setTimeout(resolve, this.apiFaults.delayMs?.() ?? 0));
    if (behaviour === 'silent') return;
    try {
      if (behaviour === 'broken') throw new EcsError('ServerException', 'Service Unavailable');
      if (behaviour !== 'ok') throw new EcsError('AccessDeniedException', `not allowed: ${action}`);
      sendJson(response, 200, this.#action(action, input));
    } catch (error) {
      if (!(error instanceof EcsError)) throw error;
      const status = error.name === 'ServerException' ? 500 : 400;
      sendJson(response, status, { __type: error.name, message: error.message });
    }
  }

  #action(action: string, input: Record<string, unknown>): object {
    switch (action) {
      case 'DescribeTasks': {
        const found = (input.tasks as string[]).map((id) =>
          this.#tasks.get(id.split('/').at(-1) ?? ''),
        );
        const tasks = found.filter((known) => known !== undefined);
        return { tasks: tasks.map(describeTask), failures: [] };
      }
      case 'ListTasks': {
        const arns = [...this.#tasks.values()]
          .filter(({ task, service }) =>
            input.startedBy
              ? task.deployment.id === input.startedBy
              : service.name === shortName(input.serviceName),
          )
          .filter(({ task }) => task.status === 'RUNNING' || task.status === 'PENDING')
          .map(({ task }) => taskArn(task));
        return { taskArns: arns.slice(0, PAGE), ...(arns.length > PAGE && { nextToken: 'next' }) };
      }
      case 'DescribeServices': {
        const names = (input.services as string[]).map(shortName);
        const services = [...this.#services].filter(({ name }) => names.includes(name));
        return { services: services.map(describeService), failures: [] };
      }
      case 'UpdateService': {
        const service = [...this.#services].find(({ name }) => name === shortName(input.service));
        if (!service) throw new EcsError('ServiceNotFoundException', 'Service not found.');
        service.update({
          ...(input.desiredCount !== undefined && { desired: Number(input.desiredCount) }),
          forceNewDeployment: input.forceNewDeployment === true,
        });
        return { service: describeService(service) };
      }
      default:
        throw new EcsError('InvalidParameterException', `The stand-in does not know ${action}.`);
    }
  }
}

async function servePut(
  known: KnownTask,
  input: Record<string, unknown>,
  response: ServerResponse,
): Promise<void> {
  const enabled = input.ProtectionEnabled;
  const minutes = Number(input.ExpiresInMinutes ?? 120);
  if (typeof enabled !== 'boolean') {
    const message = 'Field ProtectionEnabled is invalid';
    sendJson(response, 400, errorBody(known, 'InvalidParameterException', message));
    return;
  }
  const { faults, requests, service, task } = known;
  const behaviour = faults.behaviour?.() ?? 'ok';
  requests.push({ at: Date.now(), enabled, behaviour });
  await new Promise((resolve) => setTimeout(resolve, faults.delayMs?.() ?? 0));
  switch (behaviour) {
    case 'silent':
      return;
    case 'blocked':
      sendJson(response, 200, failureBody(known, 'DEPLOYMENT_BLOCKED'));
      return;
    case 'denied': {
      const message = 'not allowed: ecs:UpdateTaskProtection';
      sendJson(response, 400, errorBody(known, 'AccessDeniedException', message));
      return;
    }
    case 'broken':
      sendJson(response, 500, errorBody(known, 'ServerException', 'Service Unavailable'));
      return;
    case 'ok':
      try {
        const outcome = service.protect(task, enabled, minutes);
        const failed = 'failure' in outcome;
        const content = failed ? failureBody(known, outcome.failure) : protectionBody(known);
        sendJson(response, 200, content);
      } catch (error) {
        if (!(error instanceof EcsError)) throw error;
        sendJson(response, 400, errorBody(known, error.name, error.message));
      }
  }
}

const taskArn = (task: EcsTask) => arn(`task/${CLUSTER}/${task.id}`);
const shortName = (name: unknown) => String(name).split('/').at(-1);

function protectionBody({ task, service }: KnownTask): object {
  const until = service.protectedUntil(task);
  return {
    protection: {
      ...(until !== undefined && { ExpirationDate: new Date(until).toISOString() }),
      ProtectionEnabled: task.protected,
      TaskArn: taskArn(task),
    },
  };
}

function failureBody({ task }: KnownTask, Reason: string): object {
  return { failure: { Arn: taskArn(task), Detail: null, Reason } };
}

function errorBody({ task }: KnownTask, Code: string, Message: string): object {
  return { requestID: 'local', error: { Arn: taskArn(task), Code, Message } };
}

/** https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate-response.html */
function metadataBody({ task }: KnownTask): object {
  const [Family, Revision] = task.definition.name.split(':');
  return {
    Cluster: arn(`cluster/${CLUSTER}`),
    TaskARN: taskArn(task),
    Family,
    Revision,
    DesiredStatus: 'RUNNING',
    KnownStatus: 'RUNNING',
    LaunchType: 'FARGATE',
    AvailabilityZone: `${REGION}a`,
    Containers: [],
  };
}

/** https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html */
function describeTask({ task, service }: KnownTask): object {
  return {
    taskArn: taskArn(task),
    clusterArn: arn(`cluster/${CLUSTER}`),
    group: `service:${service.name}`,
    startedBy: task.deployment.id,
    lastStatus: task.status,
    healthStatus: task.health,
    taskDefinitionArn: arn(`task-definition/${task.definition.name}`),
    createdAt: task.startedAt / 1000,
  };
}

/** https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html */
function describeService(service: EcsScheduler): object {
  const count = (status: EcsTask['status'], deployment?: Deployment) =>
    service.live(deployment).filter((task) => task.status === status).length;
  return {
    serviceName: service.name,
    serviceArn: arn(`service/${CLUSTER}/${service.name}`),
    clusterArn: arn(`cluster/${CLUSTER}`),
    status: 'ACTIVE',
    desiredCount: service.desired,
    runningCount: count('RUNNING'),
    pendingCount: count('PENDING'),
    taskDefinition: arn(`task-definition/${service.primary.definition.name}`),
    deployments: service.deployments.map((deployment) => ({
      id: deployment.id,
      status: deployment === service.primary ? 'PRIMARY' : 'ACTIVE',
      taskDefinition: arn(`task-definition/${deployment.definition.name}`),
      // Of an older deployment: what is left of it (unverified; the worker does not read it).
      desiredCount:
        deployment === service.primary ? service.desired : service.live(deployment).length,
      runningCount: count('RUNNING', deployment),
      pendingCount: count('PENDING', deployment),
      failedTasks: deployment.failedTasks,
      createdAt: deployment.createdAt / 1000,
      updatedAt: deployment.createdAt / 1000,
      rolloutState: deployment.rolloutState,
      rolloutStateReason: deployment.rolloutStateReason,
    })),
  };
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  for await (const chunk of request) text += chunk;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function sendJson(response: ServerResponse, status: number, content: object): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' });
  response.end(JSON.stringify(content));
}
