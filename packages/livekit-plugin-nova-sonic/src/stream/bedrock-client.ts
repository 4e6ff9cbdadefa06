// SPDX-License-Identifier: Apache-2.0
import {
  BedrockRuntimeClient,
  type BedrockRuntimeClientConfig,
} from '@aws-sdk/client-bedrock-runtime';
import { log } from '@livekit/agents';

import type { Credentials, NamedLane } from '../lanes.js';
import type { ResolvedOptions } from '../options.js';
import type { StreamClient } from './sonic-stream.js';

type AwsCredentialIdentity = Awaited<ReturnType<BedrockRuntimeClient['config']['credentials']>>;

/** Logs what the SDK would print to the console: an aborted or throttled stream is handled by the plugin. */
const sdkLogger = () => {
  const debug = (...content: unknown[]) => log().debug({ 'lk.pii.sdk': content }, 'aws sdk log');
  return { trace: () => {}, debug: () => {}, info: () => {}, warn: debug, error: debug };
};

/**
 * A client for one stream. Its credentials are resolved once, here, and stay for the life of the stream: the
 * signatures of a stream are a chain, and new keys in the middle would break it.
 */
export async function createStreamClient(
  options: ResolvedOptions,
  lane: NamedLane,
): Promise<StreamClient> {
  const { client: provided, endpoint } = options;
  const { region } = lane;
  if (provided) {
    const client = typeof provided === 'function' ? provided(region) : provided;
    const identity = await client.config?.credentials?.();
    return { client, expiresAt: identity?.expiration?.getTime(), dispose: () => {} };
  }
  const base = {
    region,
    ...(endpoint && { endpoint: typeof endpoint === 'function' ? endpoint(region) : endpoint }),
    logger: sdkLogger(),
    customUserAgent: [['x-client-framework', 'livekit-plugin-nova-sonic']] as [string, string][],
    maxAttempts: 1,
  };
  const identity = await resolveIdentity(lane.credentials ?? options.credentials, base);
  const client = new BedrockRuntimeClient({ ...base, credentials: { ...identity } });
  return {
    client,
    expiresAt: identity.expiration?.getTime(),
    dispose: () => client.destroy(),
  };
}

/** Resolved once per stream: the SDK's own cache would resolve an identity twice that expires within five minutes. */
async function resolveIdentity(
  credentials: Credentials | undefined,
  base: BedrockRuntimeClientConfig,
): Promise<AwsCredentialIdentity> {
  if (typeof credentials === 'function') return credentials();
  if (credentials) return credentials;
  const resolver = new BedrockRuntimeClient(base);
  try {
    return await resolver.config.credentials();
  } finally {
    resolver.destroy();
  }
}
