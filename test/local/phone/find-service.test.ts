// SPDX-License-Identifier: Apache-2.0

import { findService } from '../../../local/phone/find-service.js';

const ENV = {
  LIVEKIT_URL: 'https://example.livekit.cloud',
  LIVEKIT_API_KEY: 'key',
  LIVEKIT_API_SECRET: 'secret',
};

describe('findService', () => {
  it('takes LiveKit and the agent from the environment', async () => {
    expect(await findService({}, { ...ENV, LIVEKIT_AGENT_NAME: 'sonic' })).toEqual({
      livekit: { url: 'wss://example.livekit.cloud', apiKey: 'key', apiSecret: 'secret' },
      agentName: 'sonic',
    });
    expect((await findService({ agentName: 'other' }, ENV)).agentName).toBe('other');
    expect((await findService({}, ENV)).agentName).toBe('');
  });

  it.each([
    [{}, 'No LiveKit server is named: give a deployed stack with --stack, or set LIVEKIT_URL'],
    [{ ...ENV, LIVEKIT_API_SECRET: ' ' }, 'LIVEKIT_API_SECRET is not set'],
    [{ ...ENV, LIVEKIT_URL: 'example.com' }, 'LIVEKIT_URL is "example.com"'],
  ])('names what is missing in %j', async (env, sentence) => {
    await expect(findService({}, env)).rejects.toThrow(sentence);
  });
});
