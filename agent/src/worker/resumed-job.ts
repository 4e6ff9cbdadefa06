// SPDX-License-Identifier: Apache-2.0

import type { RunningJobInfo } from '@livekit/agents';
import { AccessToken } from 'livekit-server-sdk';
import { RESUMED_JOB } from '../job/resumed-call.js';

/** A token that is valid for less than this is made anew, in seconds; LiveKit makes them for an hour. */
const MIN_VALIDITY_S = 60;

interface Claims {
  exp?: number;
  sub?: string;
  name?: string;
  metadata?: string;
  attributes?: Record<string, string>;
  video?: Parameters<AccessToken['addGrant']>[0];
}

/**
 * The job of a call whose process died, for another process: marked as such, with a token that is still valid. It has
 * the same identity, so that LiveKit puts it in the place of the dead agent, which it would otherwise keep for some
 * 20 s: there are never two agents in the room, and never none that a watcher could miss.
 */
export async function forResumption(
  info: RunningJobInfo,
  nowS = Math.floor(Date.now() / 1000),
): Promise<RunningJobInfo> {
  const { acceptArguments } = info;
  const attributes = { ...acceptArguments.attributes, [RESUMED_JOB]: 'true' };
  return {
    ...info,
    acceptArguments: { ...acceptArguments, attributes },
    token: await validToken(info, nowS),
  };
}

async function validToken(info: RunningJobInfo, nowS: number): Promise<string> {
  const { token, apiKey, apiSecret } = info;
  const claims = claimsOf(token);
  if (!claims?.video || !claims.sub || (claims.exp ?? 0) > nowS + MIN_VALIDITY_S) return token;
  const { sub: identity, name, metadata, attributes } = claims;
  const anew = new AccessToken(apiKey, apiSecret, {
    identity,
    ttl: '1h',
    ...(name && { name }),
    ...(metadata && { metadata }),
    ...(attributes && { attributes }),
  });
  anew.addGrant(claims.video);
  anew.kind = 'agent';
  return anew.toJwt();
}

function claimsOf(token: string): Claims | undefined {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Claims;
  } catch {
    return undefined;
  }
}
