// SPDX-License-Identifier: Apache-2.0

import { processConfig, readWorkerConfig } from '../../agent/src/config.js';

const livekit = {
  LIVEKIT_URL: 'wss://example.livekit.cloud',
  LIVEKIT_API_KEY: 'key',
  LIVEKIT_API_SECRET: 'quiet-secret',
};

describe('readWorkerConfig', () => {
  it('needs LiveKit only and has defaults for the rest', () => {
    expect(readWorkerConfig(livekit)).toMatchObject({
      livekit: {
        url: livekit.LIVEKIT_URL,
        apiKey: 'key',
        apiSecret: 'quiet-secret',
        agentName: '',
      },
      lanes: [{ name: 'us-east-1', region: 'us-east-1' }],
      callsPerTask: 10,
      logLevel: 'info',
    });
  });

  it.each([
    [
      { BEDROCK_REGIONS: 'us-west-2, eu-north-1', AWS_REGION: 'us-east-1' },
      ['us-west-2', 'eu-north-1'],
    ],
    [{ AWS_REGION: 'eu-north-1', AWS_DEFAULT_REGION: 'us-west-2' }, ['eu-north-1']],
    [{ AWS_DEFAULT_REGION: 'us-west-2' }, ['us-west-2']],
    [{ BEDROCK_REGIONS: '', AWS_REGION: 'us-west-2' }, ['us-west-2']],
  ])('reads the Regions from %j in order', (env, regions) => {
    expect(readWorkerConfig({ ...livekit, ...env }).lanes.map(({ name }) => name)).toEqual(regions);
  });

  it('reads lanes in several accounts, which come instead of the Regions', () => {
    const role = 'arn:aws:iam::111122223333:role/lane';
    const BEDROCK_LANES = JSON.stringify([{ region: 'us-east-1' }, { region: 'us-east-1', role }]);
    const env = { ...livekit, BEDROCK_REGIONS: 'us-west-2', BEDROCK_LANES };
    expect(readWorkerConfig(env).lanes).toEqual([
      { name: 'us-east-1', region: 'us-east-1' },
      { name: '111122223333/us-east-1', region: 'us-east-1', role },
    ]);
  });

  it.each([
    [{ LIVEKIT_URL: undefined }, /^LIVEKIT_URL is not set: set it to the address of your LiveKit/],
    [{ LIVEKIT_URL: '  ' }, /^LIVEKIT_URL is not set/],
    [{ LIVEKIT_URL: 'example.com' }, /^LIVEKIT_URL cannot be "example.com": set it to the address/],
    [{ LIVEKIT_API_SECRET: undefined }, /^LIVEKIT_API_SECRET is not set/],
    [{ CALLS_PER_TASK: '0' }, /^CALLS_PER_TASK cannot be "0": set it to a whole number from 1/],
    [{ CALLS_PER_TASK: 'many' }, /^CALLS_PER_TASK cannot be "many"/],
    [{ NOVA_SONIC_RENEW_AFTER_S: '900' }, /^NOVA_SONIC_RENEW_AFTER_S cannot be "900".*480/],
    [{ BEDROCK_LANES: 'us-east-1' }, /^BEDROCK_LANES cannot be "us-east-1": set it to a list like/],
    [{ LOG_LEVEL: 'loud' }, /^LOG_LEVEL cannot be "loud": set it to trace, debug/],
  ])('rejects %j in one sentence', (env, sentence) => {
    expect(() => readWorkerConfig({ ...livekit, ...env })).toThrow(sentence);
  });

  it('names every problem at once, and never the value of a secret', () => {
    const wrong = { LIVEKIT_URL: 'nowhere', LIVEKIT_API_SECRET: 'quiet-secret', LOG_LEVEL: 'loud' };
    const read = () => readWorkerConfig(wrong);
    expect(read).toThrow(/LIVEKIT_URL[\s\S]*LIVEKIT_API_KEY[\s\S]*LOG_LEVEL/);
    expect(read).not.toThrow(/quiet-secret/);
  });
});

test('the configuration of a process is read once, before its first call', () => {
  const before = { ...process.env };
  try {
    Object.assign(process.env, livekit);
    const config = processConfig();
    expect(config.livekit.url).toBe(livekit.LIVEKIT_URL);
    process.env.LIVEKIT_URL = 'wss://another.test';
    expect(processConfig()).toBe(config);
  } finally {
    process.env = before;
  }
});
