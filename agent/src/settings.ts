// SPDX-License-Identifier: Apache-2.0

import { z } from 'zod';

const text = z.string().trim().min(1);
const whole = (min: number, max: number) => z.coerce.number().int().min(min).max(max);

/** The environment of a worker, as operators write it; each variable is described in docs/operations.md. */
const environment = z.object({
  LIVEKIT_URL: z.url({ protocol: /^(wss?|https?)$/ }),
  LIVEKIT_API_KEY: text,
  LIVEKIT_API_SECRET: text,
  LIVEKIT_AGENT_NAME: z.string().trim().default(''),
  BEDROCK_REGIONS: text.optional(),
  AWS_REGION: text.optional(),
  AWS_DEFAULT_REGION: text.optional(),
  NOVA_SONIC_MODEL: text.optional(),
  NOVA_SONIC_VOICE: text.optional(),
  NOVA_SONIC_RENEW_AFTER_S: whole(10, 470).optional(),
  CALLS_PER_TASK: whole(1, 100).default(10),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),
});

/** What may be put where a value is refused. */
const allowed: Partial<Record<keyof z.infer<typeof environment>, string>> = {
  LIVEKIT_URL: 'the address of your LiveKit server, like wss://example.livekit.cloud',
  LIVEKIT_API_KEY: 'the API key of your LiveKit server',
  LIVEKIT_API_SECRET: 'the API secret of your LiveKit server',
  NOVA_SONIC_RENEW_AFTER_S: 'whole seconds from 10 to 470 (Bedrock ends a stream at 480)',
  CALLS_PER_TASK: 'a whole number from 1 to 100',
  LOG_LEVEL: 'trace, debug, info, warn, error or fatal',
};

/** Typed settings of the worker process and of each call. */
export interface Settings {
  livekit: { url: string; apiKey: string; apiSecret: string; agentName: string };
  /** Bedrock Regions in the order in which they are tried. */
  regions: string[];
  /** Undefined: the plugin's default, Amazon Nova 2 Sonic. */
  model?: string;
  /** Undefined: what assistant.ts says, else the plugin's default. */
  voice?: string;
  /** Age in seconds at which a Bedrock stream is renewed. Undefined: the plugin's default. */
  renewAfter?: number;
  callsPerTask: number;
  logLevel: string;
}

/** Settings that are missing or wrong: one sentence a line. */
export class SettingsError extends Error {
  override name = 'SettingsError';
}

/**
 * Reads the settings from the environment.
 * @throws SettingsError with one sentence for each setting that is missing or wrong.
 */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  // An empty variable is how many tools write "not set".
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()));
  const parsed = environment.safeParse(given);
  if (!parsed.success) {
    const names = new Set(parsed.error.issues.map((issue) => String(issue.path[0])));
    throw new SettingsError([...names].map((name) => sentence(name, given[name])).join('\n'));
  }
  const e = parsed.data;
  const regions = (e.BEDROCK_REGIONS ?? e.AWS_REGION ?? e.AWS_DEFAULT_REGION ?? 'us-east-1')
    .split(',')
    .map((region) => region.trim())
    .filter(Boolean);
  return {
    livekit: {
      url: e.LIVEKIT_URL,
      apiKey: e.LIVEKIT_API_KEY,
      apiSecret: e.LIVEKIT_API_SECRET,
      agentName: e.LIVEKIT_AGENT_NAME,
    },
    regions,
    ...(e.NOVA_SONIC_MODEL && { model: e.NOVA_SONIC_MODEL }),
    ...(e.NOVA_SONIC_VOICE && { voice: e.NOVA_SONIC_VOICE }),
    ...(e.NOVA_SONIC_RENEW_AFTER_S && { renewAfter: e.NOVA_SONIC_RENEW_AFTER_S }),
    callsPerTask: e.CALLS_PER_TASK,
    logLevel: e.LOG_LEVEL,
  };
}

function sentence(name: string, value: string | undefined): string {
  const hint = allowed[name as keyof typeof allowed] ?? 'a value';
  if (value === undefined) return `${name} is not set: set it to ${hint}.`;
  // The value of a secret must not reach a log.
  const shown = name.includes('SECRET') || name.includes('KEY') ? 'its value' : `"${value}"`;
  return `${name} cannot be ${shown}: set it to ${hint}.`;
}
