// SPDX-License-Identifier: Apache-2.0

import { expect, it } from '@jest/globals';
import { InferenceRunner, initializeLogger } from '@livekit/agents';
import { readWorkerConfig } from '../../../agent/src/config.js';
import { serverOptions } from '../../../agent/src/worker/server-options.js';

initializeLogger({ pretty: false, level: 'silent' });

const options = (load = 0) =>
  serverOptions(
    readWorkerConfig({
      LIVEKIT_URL: 'ws://127.0.0.1:7880',
      LIVEKIT_API_KEY: 'key',
      LIVEKIT_API_SECRET: 'secret',
      LIVEKIT_AGENT_NAME: 'desk',
      CALLS_PER_TASK: '7',
      JOB_MEMORY_LIMIT_MB: '400',
    }),
    '/agent.js',
    { requestFunc: async () => {}, load: () => load },
  );

it('registers under its name, with the slots and the load that the worker reports', async () => {
  const given = options(0.4);
  expect(given).toMatchObject({
    agent: '/agent.js',
    wsURL: 'ws://127.0.0.1:7880',
    apiKey: 'key',
    apiSecret: 'secret',
    agentName: 'desk',
    numIdleProcesses: 7,
    // Full is what the worker says it is.
    loadThreshold: 1,
  });
  expect(await given.loadFunc({} as never)).toBe(0.4);
});

it('never gives up on LiveKit: the framework would end the worker, and its calls', () => {
  expect(options().maxRetry).toBe(Number.MAX_SAFE_INTEGER);
});

it('lets the supervisor end a call for its memory before the framework does', () => {
  expect(options().jobMemoryLimitMB).toBe(500);
});

it('keeps the framework’s health page, which fails without LiveKit, from probes', () => {
  expect(options().host).toBe('127.0.0.1');
});

it('starts no process for models that the agent does not use', () => {
  options();
  InferenceRunner.registerRunner('lk_test', 'file:///runner.js');
  expect(Object.keys(InferenceRunner.registeredRunners)).toEqual([]);
});
