// SPDX-License-Identifier: Apache-2.0

import { z } from 'zod';

/** What the ECS agent said to a request for task protection. */
export type ProtectionAnswer =
  | { ok: true }
  /** `sure`: ECS said no. Otherwise nothing is known, and the request may have worked all the same. */
  | { ok: false; reason: string; sure: boolean };

/** The one question that task protection asks; `local/fleet/ecs-agent.ts` stands in for it. */
export interface EcsAgent {
  setProtection(enabled: boolean, expiresInMinutes: number): Promise<ProtectionAnswer>;
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
        return judge(await response.text(), response.status, enabled);
      } catch (error) {
        const timedOut = (error as { name?: string }).name === 'TimeoutError';
        return { ok: false, reason: timedOut ? 'timeout' : 'unreachable', sure: false };
      }
    },
  };
}

function judge(text: string, status: number, enabled: boolean): ProtectionAnswer {
  let parsed: z.infer<typeof body>;
  try {
    parsed = body.parse(JSON.parse(text));
  } catch {
    return { ok: false, reason: status === 200 ? 'malformed' : `http_${status}`, sure: false };
  }
  if (parsed.failure) return { ok: false, reason: parsed.failure.Reason ?? 'failure', sure: true };
  if (parsed.error) {
    // A server error of ECS, or the agent's time-out on it, may come after the change was made.
    return { ok: false, reason: parsed.error.Code ?? `http_${status}`, sure: status < 500 };
  }
  if (status !== 200) return { ok: false, reason: `http_${status}`, sure: false };
  return parsed.protection?.ProtectionEnabled === enabled
    ? { ok: true }
    : { ok: false, reason: 'not_confirmed', sure: false };
}
