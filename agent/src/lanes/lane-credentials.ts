// SPDX-License-Identifier: Apache-2.0

import { fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import { log } from '@livekit/agents';
import { memoize } from '@smithy/core/config';
import type { SupervisorClient } from '../supervision/supervisor-client.js';
import type { BedrockLane } from './lane-list.js';

type Identity = Awaited<ReturnType<ReturnType<typeof fromTemporaryCredentials>>>;
type Provider = () => Promise<Identity>;

/** A stream keeps its credentials for up to 8 minutes. Those of a role last an hour here: it is assumed by a role. */
const REFRESH_BEFORE_MS = 10 * 60_000;
const MAX_TIMER_MS = 2 ** 31 - 1;

const expiresSoon = (identity: Identity): boolean => freshForMs(identity) < 0;

const freshForMs = ({ expiration }: Identity): number =>
  expiration ? expiration.getTime() - Date.now() - REFRESH_BEFORE_MS : Number.POSITIVE_INFINITY;

const providers = new Map<string, Provider>();

/**
 * The credentials of a role, for all calls of this process. They are renewed before a call needs new ones: it would wait
 * for STS, most likely in the moment in which another lane has refused it.
 */
export function credentialsOfRole(role: string): Provider {
  const existing = providers.get(role);
  if (existing) return existing;
  const assume = fromTemporaryCredentials({
    // The name shows in the CloudTrail of the other account.
    params: { RoleArn: role, RoleSessionName: 'nova-sonic-agent' },
    clientConfig: { maxAttempts: 2 },
  });
  const provider = memoize(async () => {
    const identity = await assume();
    const freshMs = freshForMs(identity);
    // A call asks again where this fails.
    const renew = () => providers.get(role) === provider && provider().catch(() => {});
    if (freshMs >= 0 && freshMs < MAX_TIMER_MS) setTimeout(renew, freshMs + 100).unref();
    return identity;
  }, expiresSoon);
  providers.set(role, provider);
  return provider;
}

/** Forgets all credentials, as a new process does. */
export const forgetRoles = (): void => providers.clear();

/**
 * Assumes the role of each lane, so that no call has to wait for it; a lane whose role is refused is reported as one
 * that failed, which lets calls skip it. Never rejects.
 */
export async function assumeRoles(
  lanes: readonly BedrockLane[],
  supervisor: Pick<SupervisorClient, 'reportConnect'>,
): Promise<void> {
  await Promise.all(
    lanes.map(async ({ name: lane, role }) => {
      if (!role) return;
      const askedAt = performance.now();
      try {
        await credentialsOfRole(role)();
      } catch (error) {
        supervisor.reportConnect({ lane, ok: false, ms: performance.now() - askedAt });
        log().warn({ lane, error }, 'the role of a lane is refused: calls use the other lanes');
      }
    }),
  );
}
