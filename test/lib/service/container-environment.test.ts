// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { readWorkerConfig } from '../../../agent/src/config.js';
import { ENVIRONMENT_VARIABLES } from '../../../agent/src/environment.js';
import { CREDENTIAL_KEYS } from '../../../lib/access/livekit-credentials.js';
import { validateEnvironment } from '../../../lib/service/container-environment.js';
import { environmentOf, templateWith } from '../synth.js';

const SECRET = { LIVEKIT_URL: 'wss://livekit.test', LIVEKIT_API_KEY: 'k', LIVEKIT_API_SECRET: 's' };

/** The variables of the container with these settings, as ECS hands them to the worker. */
function handed(context: Record<string, unknown> = {}): Record<string, string> {
  const fromTemplate = Object.entries(environmentOf(templateWith(context))).map(([name, value]) => [
    name,
    // A parameter's value is text by then.
    typeof value === 'string' ? value : '7',
  ]);
  return { ...Object.fromEntries(fromTemplate), ...SECRET };
}

describe('the environment that the template sets', () => {
  test('has what the worker takes, each setting in its place', () => {
    const config = readWorkerConfig(
      handed({
        ...{ agentName: 'support', voice: 'tiffany', model: 'amazon.nova-2-5-sonic' },
        ...{ bedrockRegions: 'us-west-2,us-east-1', renewAfterSeconds: 300, maxCallSeconds: 600 },
        ...{ stopTimeoutSeconds: 60, logLevel: 'debug', name: 'desk', metricsNamespace: 'Calls' },
        ...{ priceAudioInPerM: 1, priceAudioOutPerM: 2, priceTextInPerM: 4, priceTextOutPerM: 5 },
        environment: { END_CALL_TIMEOUT_S: 20, PROTECTION_GRACE_S: 45 },
      }),
    );
    expect(config).toMatchObject({
      livekit: { url: SECRET.LIVEKIT_URL, apiKey: 'k', apiSecret: 's', agentName: 'support' },
      lanes: ['us-west-2', 'us-east-1'].map((region) => ({ name: region, region })),
      ...{ model: 'amazon.nova-2-5-sonic', voice: 'tiffany' },
      ...{ renewAfterMs: 300_000, callsPerTask: 7, logLevel: 'debug', health: { port: 8081 } },
      ...{ maxCallMs: 600_000, drainTimeoutMs: 50_000, endCallTimeoutMs: 20_000 },
      metrics: { namespace: 'Calls', service: 'desk', intervalMs: 5000 },
      prices: { audioIn: 1, audioOut: 2, textIn: 4, textOut: 5 },
      protection: { graceMs: 45_000 },
    });
  });

  test('ends a process that grows before a small task has no memory left', () => {
    const limit = (context: Record<string, unknown>) =>
      readWorkerConfig(handed(context)).jobMemoryLimitMB;
    expect(limit({})).toBe(1024);
    expect(limit({ cpu: 1024, memory: 2048 })).toBe(512);
    expect(limit({ cpu: 1024, memory: 2048, callsPerTask: 5, callsPerProcess: 1 })).toBe(1024);
    expect(limit({ cpu: 1024, memory: 2048, environment: { JOB_MEMORY_LIMIT_MB: 700 } })).toBe(700);
  });

  test('has lanes in several accounts, named as the metrics are', () => {
    const role = 'arn:aws:iam::111122223333:role/lane';
    const lanes = [
      { region: 'us-east-1', streams: 30 },
      { region: 'us-east-1', role },
      { region: 'us-west-2', role, name: 'west' },
    ];
    expect(readWorkerConfig(handed({ lanes })).lanes).toEqual([
      { name: 'us-east-1', region: 'us-east-1' },
      { name: '111122223333/us-east-1', region: 'us-east-1', role },
      { name: 'west', region: 'us-west-2', role },
    ]);
  });

  test('starts a worker with no setting at all, and with the bounds of each', () => {
    for (const context of [
      {},
      { renewAfterSeconds: 10, maxCallSeconds: 60, stopTimeoutSeconds: 20 },
      { renewAfterSeconds: 470, maxCallSeconds: 86_400, stopTimeoutSeconds: 120 },
      { callsPerTask: 100, cpu: 8192, memory: 61440 },
    ]) {
      expect(() => readWorkerConfig(handed(context))).not.toThrow();
    }
  });
});

describe('a variable to be added', () => {
  test.each([
    ...CREDENTIAL_KEYS,
    ...Object.keys(
      environmentOf(templateWith({ agentName: 'a', voice: 'tiffany', renewAfterSeconds: 60 })),
    ),
    ...ENVIRONMENT_VARIABLES.filter(({ setBy }) => setBy !== 'operator').map(({ name }) => name),
    'AWS_ACCESS_KEY_ID',
  ])('cannot be %s', (name) => {
    expect(validateEnvironment({ END_CALL_TIMEOUT_S: '20', [name]: 'x' })).toEqual([
      `"environment" cannot have ${name}: it comes from the secret, from ECS or from another setting.`,
    ]);
  });

  test.each([
    ...ENVIRONMENT_VARIABLES.filter(({ setBy }) => setBy === 'operator').flatMap(
      ({ name, formerName }) => [name, ...(formerName ? [formerName] : [])],
    ),
    ...['MY_TOOL_URL', 'MY_AWS_PROFILE', 'LOG_LEVELS'],
  ])('can be %s', (name) => {
    expect(validateEnvironment({ [name]: 'x' })).toEqual([]);
  });
});
