// SPDX-License-Identifier: Apache-2.0

import { createServer } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import { ecsAgent } from '../../../agent/src/ecs/task-protection-endpoint.js';
import {
  type EcsBehaviour,
  EcsEndpoint,
  type EcsFaults,
} from '../../../local/fleet/ecs-endpoint.js';
import { runningService } from '../../support/ecs-service.js';

const running: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const part of running.splice(0)) await part.stop();
});

async function standIn(faults: EcsFaults) {
  const endpoint = await EcsEndpoint.start();
  running.push(endpoint);
  const { scheduler, task } = runningService();
  const { env } = endpoint.addTask(scheduler, task, faults);
  return { uri: env.ECS_AGENT_URI ?? '', task, scheduler };
}

/** An endpoint that answers every request in the same way. */
async function answering(status: number, text: string): Promise<string> {
  const server = createServer((_, response) => response.writeHead(status).end(text));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  running.push({ stop: async () => server.close() });
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

describe('ecsAgent', () => {
  it('confirms when ECS reports the requested protection', async () => {
    const ecs = await standIn({});
    const agent = ecsAgent(ecs.uri);
    expect(await agent.setProtection(true, 5)).toEqual({ ok: true });
    expect(ecs.task.protected).toBe(true);
    expect(await agent.setProtection(false, 5)).toEqual({ ok: true });
    expect(ecs.task.protectionChanges.map((change) => change.protected)).toEqual([true, false]);
  });

  it.each<[EcsBehaviour, object]>([
    ['blocked', { ok: false, reason: 'DEPLOYMENT_BLOCKED', rejected: true }],
    ['denied', { ok: false, reason: 'AccessDeniedException', rejected: true }],
    ['broken', { ok: false, reason: 'ServerException', rejected: false }],
  ])('reports "%s" as a failure', async (behaviour, answer) => {
    const ecs = await standIn({ behaviour: () => behaviour });
    expect(await ecsAgent(ecs.uri).setProtection(true, 5)).toEqual(answer);
    expect(ecs.task.protected).toBe(false);
  });

  it('reports DEPLOYMENT_BLOCKED when the service wants fewer tasks than are protected', async () => {
    const ecs = await standIn({});
    ecs.scheduler.update({ desired: 0 });
    ecs.task.status = 'RUNNING';
    expect(await ecsAgent(ecs.uri).setProtection(true, 5)).toEqual({
      ok: false,
      reason: 'DEPLOYMENT_BLOCKED',
      rejected: true,
    });
  });

  it('times out', async () => {
    const ecs = await standIn({ behaviour: () => 'silent' });
    expect(await ecsAgent(ecs.uri, 200).setProtection(true, 5)).toEqual({
      ok: false,
      reason: 'timeout',
      rejected: false,
    });
  });

  it.each([
    [200, '', 'malformed'],
    [200, '{}', 'not_confirmed'],
    [200, '{"protection":{"ProtectionEnabled":false}}', 'not_confirmed'],
    [200, '{"failure":{"Reason":null}}', 'failure'],
    [404, 'not found', 'http_404'],
    [503, '{}', 'http_503'],
  ])('reports status %i with body %j as a failure', async (status, text, reason) => {
    const answer = await ecsAgent(await answering(status, text)).setProtection(true, 5);
    expect(answer).toMatchObject({ ok: false, reason });
  });

  it('reports an unreachable endpoint as a failure', async () => {
    expect(await ecsAgent('http://127.0.0.1:1').setProtection(true, 5)).toEqual({
      ok: false,
      reason: 'unreachable',
      rejected: false,
    });
  });
});
