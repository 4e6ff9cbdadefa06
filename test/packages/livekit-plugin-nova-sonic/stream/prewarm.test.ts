// SPDX-License-Identifier: Apache-2.0

import { Socket } from 'node:net';
import {
  BedrockRuntimeClient,
  InvokeModelWithBidirectionalStreamCommand,
} from '@aws-sdk/client-bedrock-runtime';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import { prewarm } from '../../../../packages/livekit-plugin-nova-sonic/src/index.js';

initializeLogger({ pretty: false, level: 'silent' });
afterEach(() => {
  jest.restoreAllMocks();
});

describe('prewarm', () => {
  it('sends a stream through the whole SDK, and nothing over the network', async () => {
    const send = jest.spyOn(BedrockRuntimeClient.prototype, 'send');
    const connect = jest.spyOn(Socket.prototype, 'connect');
    await prewarm();
    expect(send.mock.calls.map(([command]) => command)).toEqual([
      expect.any(InvokeModelWithBidirectionalStreamCommand),
    ]);
    await expect(send.mock.results[0]?.value).resolves.toMatchObject({
      $metadata: { httpStatusCode: 200 },
    });
    expect(connect).not.toHaveBeenCalled();
  });

  it('never rejects', async () => {
    jest.spyOn(BedrockRuntimeClient.prototype, 'send').mockImplementation(() => {
      throw new Error('a future SDK');
    });
    await expect(prewarm()).resolves.toBeUndefined();
  });
});
