// SPDX-License-Identifier: Apache-2.0

import { ECSClient, UpdateServiceCommand } from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { serviceApi } from '../../../agent/src/ecs/service-api.js';
import { EcsEndpoint } from '../../../local/fleet/ecs-endpoint.js';
import { runningService } from '../../support/ecs-service.js';

/** The SDK as it is, against the stand-in: with variables, as in the container. */
const variables = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' };

describe('serviceApi', () => {
  const before = { ...process.env };
  let endpoint: EcsEndpoint;
  let metadataUri: string;
  const service = runningService();

  beforeAll(async () => {
    endpoint = await EcsEndpoint.start();
    endpoint.addService(service.scheduler);
    const { env } = endpoint.addTask(service.scheduler, service.task);
    metadataUri = env.ECS_CONTAINER_METADATA_URI_V4 ?? '';
    Object.assign(process.env, variables, env);
  });
  afterAll(async () => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
    await endpoint.stop();
  });

  it('finds out who the task is, and reads its service', async () => {
    const api = await serviceApi(metadataUri);
    expect(api.taskArn).toBe(`arn:aws:ecs:us-east-1:111122223333:task/local/${service.task.id}`);
    const origin = await api.describeOwnTask();
    expect(origin).toEqual({ service: 'agents', deployment: service.task.deployment.id });
    expect(await api.describeService('agents')).toEqual({
      desired: 1,
      deployments: [
        {
          id: origin.deployment,
          primary: true,
          rolloutState: 'IN_PROGRESS',
          desired: 1,
          running: 1,
          failed: 0,
          createdAt: expect.any(Number),
        },
      ],
    });
    expect(await api.listTasks(origin.deployment)).toEqual({
      arns: [api.taskArn],
      complete: true,
    });
    expect(await api.listTasks('ecs-svc/other')).toEqual({ arns: [], complete: true });
    expect(endpoint.apiRequests.map(({ action }) => action)).toEqual([
      'DescribeTasks',
      'DescribeServices',
      'ListTasks',
      'ListTasks',
    ]);
  });

  it('sees a forced deployment of the same task definition', async () => {
    const client = new ECSClient({ region: 'us-east-1' });
    await client.send(new UpdateServiceCommand({ service: 'agents', forceNewDeployment: true }));
    const { deployments } = await (await serviceApi(metadataUri)).describeService('agents');
    expect(
      deployments.map(({ id, primary }) => [id === service.task.deployment.id, primary]),
    ).toEqual([
      [false, true],
      [true, false],
    ]);
    await client.send(new UpdateServiceCommand({ service: 'agents', desiredCount: 0 }));
    expect(service.scheduler.desired).toBe(0);
    for (let i = 0; i < 3; i++) service.scheduler.update({ forceNewDeployment: true });
    const more = new UpdateServiceCommand({ service: 'agents', forceNewDeployment: true });
    if (service.scheduler.deployments.length >= 5)
      await expect(client.send(more)).rejects.toThrow('5 active deployments exist');
    client.destroy();
  });

  it.each([
    ['broken', 'Service Unavailable'],
    ['denied', 'not allowed: DescribeServices'],
    ['silent', 'abort'],
  ] as const)('fails with one request when ECS is %s', async (behaviour, message) => {
    // Only silence should run into the timeout.
    const api = await serviceApi(metadataUri, behaviour === 'silent' ? 300 : 20_000);
    endpoint.apiFaults = { behaviour: () => behaviour };
    const asked = endpoint.apiRequests.length;
    try {
      await expect(api.describeService('agents')).rejects.toThrow(message);
      // On a busy machine the time is over before the request has arrived.
      const least = behaviour === 'silent' ? 0 : 1;
      expect([least, 1]).toContain(endpoint.apiRequests.length - asked);
    } finally {
      endpoint.apiFaults = {};
    }
  });

  it('fails for a service that is not there, and without metadata', async () => {
    const api = await serviceApi(metadataUri);
    await expect(api.describeService('other')).rejects.toThrow('the service was not found');
    await expect(serviceApi(`${endpoint.url}/metadata/none`)).rejects.toThrow('answered 404');
  });
});
