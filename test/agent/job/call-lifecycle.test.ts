// SPDX-License-Identifier: Apache-2.0

import { BedrockRuntimeClient } from '@aws-sdk/client-bedrock-runtime';
import { afterEach, expect, it, jest } from '@jest/globals';
import { initializeLogger, type JobProcess } from '@livekit/agents';
import { prewarmProcess } from '../../../agent/src/job/call-lifecycle.js';

initializeLogger({ pretty: false, level: 'silent' });
afterEach(() => {
  jest.restoreAllMocks();
});

it('prewarms the AWS SDK in a process that waits for a call', async () => {
  jest.replaceProperty(process, 'env', {
    LIVEKIT_URL: 'ws://127.0.0.1:7880',
    LIVEKIT_API_KEY: 'key',
    LIVEKIT_API_SECRET: 'secret',
  });
  const send = jest.spyOn(BedrockRuntimeClient.prototype, 'send');
  await prewarmProcess({} as JobProcess);
  await expect(send.mock.results[0]?.value).resolves.toMatchObject({
    $metadata: { httpStatusCode: 200 },
  });
});
