// SPDX-License-Identifier: Apache-2.0

import type { LiveKitConnection } from '../livekit/connection.js';

export interface ServiceOptions {
  /** CloudFormation stack; default: LiveKit from the environment. */
  stack?: string;
  region?: string;
  profile?: string;
  /** Default: that of the stack, else LIVEKIT_AGENT_NAME. */
  agentName?: string;
}

const VARIABLES = ['LIVEKIT_URL', 'LIVEKIT_API_KEY', 'LIVEKIT_API_SECRET'] as const;

/**
 * Finds the LiveKit server and the agent's name: of a deployed stack, or in the environment.
 * @throws Error with one sentence that names what is missing
 */
export async function findService(
  options: ServiceOptions,
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ livekit: LiveKitConnection; agentName: string }> {
  if (options.stack) {
    // The AWS SDK takes longer to load than everything else.
    const { readDeployedService } = await import('../playground/deployed-service.js');
    const { livekit, agentName } = await readDeployedService({ ...options, stack: options.stack });
    return { livekit, agentName: options.agentName ?? agentName };
  }
  const missing = VARIABLES.filter((name) => !env[name]?.trim());
  if (missing.length === VARIABLES.length)
    throw new Error(
      `No LiveKit server is named: give a deployed stack with --stack, or set ${VARIABLES.join(', ')}.`,
    );
  if (missing.length > 0)
    throw new Error(`${missing.join(' and ')} is not set: set it, or give a stack with --stack.`);
  const [url = '', apiKey = '', apiSecret = ''] = VARIABLES.map((name) => env[name]?.trim());
  if (!/^(wss?|https?):\/\/./.test(url))
    throw new Error(`LIVEKIT_URL is "${url}": give a URL like wss://example.livekit.cloud.`);
  return {
    livekit: { url: url.replace(/^http/, 'ws'), apiKey, apiSecret },
    agentName: options.agentName ?? env.LIVEKIT_AGENT_NAME?.trim() ?? '',
  };
}
