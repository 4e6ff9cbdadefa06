// SPDX-License-Identifier: Apache-2.0

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EcsEndpoint, type EcsFaults } from '../../../local/fleet/ecs-endpoint.js';
import { runningService } from '../../support/ecs-service.js';

describe('EcsEndpoint', () => {
  const { scheduler, task } = runningService();
  const faults: EcsFaults = {};
  let endpoint: EcsEndpoint;
  let uri: string;
  let metadata: string;

  beforeAll(async () => {
    endpoint = await EcsEndpoint.start();
    endpoint.addService(scheduler);
    const { env } = endpoint.addTask(scheduler, task, faults);
    uri = `${env.ECS_AGENT_URI}/task-protection/v1/state`;
    metadata = `${env.ECS_CONTAINER_METADATA_URI_V4}/task`;
  });
  afterAll(() => endpoint.stop());

  const put = async (body: object) => {
    const response = await fetch(uri, { method: 'PUT', body: JSON.stringify(body) });
    return [response.status, (await response.json()) as { error?: { Code: string } }] as const;
  };

  // The bodies of task-scale-in-protection-endpoint.html.
  it('sets and reports protection', async () => {
    const TaskArn = expect.stringMatching(/^arn:aws:ecs:.*:task\/local\//);
    const ExpirationDate = expect.any(String);
    const on = { protection: { ExpirationDate, ProtectionEnabled: true, TaskArn } };
    const off = { protection: { ProtectionEnabled: false, TaskArn } };
    expect(await put({ ProtectionEnabled: true, ExpiresInMinutes: 60 })).toEqual([200, on]);
    expect(await (await fetch(uri)).json()).toEqual(on);
    expect(await put({ ProtectionEnabled: false })).toEqual([200, off]);
  });

  it.each([
    [{ ProtectionEnabled: true, ExpiresInMinutes: 0 }],
    [{ ProtectionEnabled: true, ExpiresInMinutes: 2_881 }],
    [{ ProtectionEnabled: 'true' }],
    [{}],
  ])('rejects %j', async (body) => {
    const [status, answer] = await put(body);
    expect([status, answer.error?.Code]).toEqual([400, 'InvalidParameterException']);
  });

  it('describes the task to its container', async () => {
    expect(await (await fetch(metadata)).json()).toMatchObject({
      Cluster: 'arn:aws:ecs:us-east-1:111122223333:cluster/local',
      TaskARN: `arn:aws:ecs:us-east-1:111122223333:task/local/${task.id}`,
      Family: 'agent',
      Revision: '1',
      LaunchType: 'FARGATE',
    });
  });

  it('knows nothing else', async () => {
    expect((await fetch(`${endpoint.url}/agent/none/task-protection/v1/state`)).status).toBe(404);
    expect((await fetch(uri, { method: 'DELETE' })).status).toBe(405);
    const headers = { 'x-amz-target': 'AmazonEC2ContainerServiceV20141113.StopTask' };
    const response = await fetch(endpoint.url, { method: 'POST', headers, body: '{}' });
    expect([response.status, ((await response.json()) as { __type: string }).__type]).toEqual([
      400,
      'InvalidParameterException',
    ]);
  });
});
