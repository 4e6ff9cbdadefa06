// SPDX-License-Identifier: Apache-2.0

import { z } from 'zod';

/** The result of a request for task protection. */
export type ProtectionResult =
  | { ok: true }
  /** `rejected`: ECS rejected the request. Otherwise the outcome is unknown: the change may have been made. */
  | { ok: false; reason: string; rejected: boolean };

/** The part of the ECS agent's API that task protection uses; local/fleet/ has a fake. */
export interface EcsAgent {
  setProtection(enabled: boolean, expiresInMinutes: number): Promise<ProtectionResult>;
}

/** Long enough for ECS's API behind the agent, and well under the 10 s that LiveKit waits for our answer. */
const REQUEST_TIMEOUT_MS = 4_000;

// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html
const body = z.object({
  protection: z.object({ ProtectionEnabled: z.boolean() }).optional(),
  failure: z.object({ Reason: z.string().nullish() }).optional(),
  error: z.object({ Code: z.string().nullish() }).optional(),
});

/**
 * The agent's endpoint at `$ECS_AGENT_URI`. A `failure` arrives with status 200 (DEPLOYMENT_BLOCKED, when more
 * tasks would be protected than the service wants), so only a body that confirms what was asked counts.
 */
export function ecsAgent(uri: string, timeoutMs = REQUEST_TIMEOUT_MS): EcsAgent {
  const url = `${uri.replace(/\/+$/, '')}/task-protection/v1/state`;
  return {
    async setProtection(enabled, expiresInMinutes) {
      const request = {
        ProtectionEnabled: enabled,
        ...(enabled && { ExpiresInMinutes: expiresInMinutes }),
      };
      try {
        const response = await fetch(url, {
          method: 'PUT',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(request),
          signal: AbortSignal.timeout(timeoutMs),
        });
        return parseResult(await response.text(), response.status, enabled);
      } catch (error) {
        const timedOut = (error as { name?: string }).name === 'TimeoutError';
        return { ok: false, reason: timedOut ? 'timeout' : 'unreachable', rejected: false };
      }
    },
  };
}

function parseResult(text: string, status: number, enabled: boolean): ProtectionResult {
  let parsed: z.infer<typeof body>;
  try {
    parsed = body.parse(JSON.parse(text));
  } catch {
    return { ok: false, reason: status === 200 ? 'malformed' : `http_${status}`, rejected: false };
  }
  if (parsed.failure)
    return { ok: false, reason: parsed.failure.Reason ?? 'failure', rejected: true };
  if (parsed.error) {
    // After a server error or timeout of the ECS API the change may have been made.
    return { ok: false, reason: parsed.error.Code ?? `http_${status}`, rejected: status < 500 };
  }
  if (status !== 200) return { ok: false, reason: `http_${status}`, rejected: false };
  return parsed.protection?.ProtectionEnabled === enabled
    ? { ok: true }
    : { ok: false, reason: 'not_confirmed', rejected: false };
}
