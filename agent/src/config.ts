// SPDX-License-Identifier: Apache-2.0

import { z } from 'zod';

const text = z.string().trim().min(1);
const price = z.coerce.number().min(0).max(10_000);
const whole = (min: number, max: number) => z.coerce.number().int().min(min).max(max);

/** What the agent is asked to do when a call must be cut, in words for the model. */
const GOODBYE =
  'Tell the caller in one short sentence that this call has to end now and that they are welcome to call again.';

/** The environment of a worker, as operators write it; each variable is described in docs/operations/configuration.md. */
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
  SPARE_PROCESSES: whole(0, 100).default(2),
  CPU_FULL_AT: whole(0, 100).default(90),
  DRAIN_TIMEOUT_S: whole(1, 86_400).default(110),
  GOODBYE: z.string().trim().default(GOODBYE),
  GOODBYE_S: whole(1, 60).default(12),
  MAX_CALL_S: whole(0, 86_400).default(3600),
  WAIT_FOR_CALLER_S: whole(0, 86_400).default(60),
  HANG_TIMEOUT_S: whole(2, 600).default(20),
  JOB_MEMORY_LIMIT_MB: whole(0, 65_536).default(1024),
  REGISTER_TIMEOUT_S: whole(0, 86_400).default(180),
  HEALTH_PORT: whole(0, 65_535).default(8081),
  METRICS_NAMESPACE: text.default('NovaSonicAgent'),
  METRICS_INTERVAL_S: whole(1, 60).default(10),
  SERVICE_NAME: text.default('nova-sonic-agent'),
  PRICE_AUDIO_IN_PER_M: price.default(3),
  PRICE_AUDIO_OUT_PER_M: price.default(12),
  PRICE_TEXT_IN_PER_M: price.default(0.33),
  PRICE_TEXT_OUT_PER_M: price.default(2.75),
  ECS_AGENT_URI: z.url({ protocol: /^https?$/ }).optional(),
  PROTECTION_EXPIRES_MIN: whole(1, 2880).default(5),
  PROTECTION_GRACE_S: whole(0, 3600).default(30),
  CALL_WIRE: z.enum(['true', 'false']).default('false'),
  LOG_PII: z.enum(['true', 'false']).default('false'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),
});

/** What may be put where a value is refused. */
const allowed: Partial<Record<keyof z.infer<typeof environment>, string>> = {
  LIVEKIT_URL: 'the address of your LiveKit server, like wss://example.livekit.cloud',
  LIVEKIT_API_KEY: 'the API key of your LiveKit server',
  LIVEKIT_API_SECRET: 'the API secret of your LiveKit server',
  NOVA_SONIC_RENEW_AFTER_S: 'whole seconds from 10 to 470 (Bedrock ends a stream at 480)',
  CALLS_PER_TASK: 'a whole number from 1 to 100',
  SPARE_PROCESSES: 'a whole number from 0 to 100',
  CPU_FULL_AT: 'a percentage from 1 to 100, or 0 to leave CPU out of the load',
  DRAIN_TIMEOUT_S: 'whole seconds from 1 to 86400 (Fargate kills a stopping task at 120)',
  GOODBYE_S: 'whole seconds from 1 to 60',
  MAX_CALL_S: 'whole seconds from 1 to 86400, or 0 for no limit',
  WAIT_FOR_CALLER_S: 'whole seconds from 1 to 86400, or 0 to wait for ever',
  HANG_TIMEOUT_S: 'whole seconds from 2 to 600',
  JOB_MEMORY_LIMIT_MB: 'whole megabytes up to 65536, or 0 for no limit',
  REGISTER_TIMEOUT_S: 'whole seconds from 1 to 86400, or 0 to wait for ever',
  HEALTH_PORT: 'a port from 1 to 65535, or 0 for any free one',
  METRICS_NAMESPACE: 'a CloudWatch namespace',
  METRICS_INTERVAL_S: 'whole seconds from 1 to 60',
  SERVICE_NAME: 'the name of the service in the metrics',
  PRICE_AUDIO_IN_PER_M: 'US dollars for a million tokens',
  PRICE_AUDIO_OUT_PER_M: 'US dollars for a million tokens',
  PRICE_TEXT_IN_PER_M: 'US dollars for a million tokens',
  PRICE_TEXT_OUT_PER_M: 'US dollars for a million tokens',
  ECS_AGENT_URI: 'the address that ECS gives (do not set it yourself)',
  PROTECTION_EXPIRES_MIN: 'whole minutes from 1 to 2880',
  PROTECTION_GRACE_S: 'whole seconds from 0 to 3600',
  CALL_WIRE: 'true or false',
  LOG_PII: 'true or false',
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
  /** Whether the room is shown each Sonic event: for engineers, since it carries what people say and do. */
  callWire: boolean;
  callsPerTask: number;
  /** How the task behaves among others; see worker/. */
  fleet: FleetSettings;
  logLevel: string;
  /** Whether the log may hold what people say (`lk.pii.*` fields). */
  logPii: boolean;
}

/** Times in milliseconds, whatever the environment's names say. */
export interface FleetSettings {
  /** Warm processes beyond one for each free slot. */
  spareProcesses: number;
  /** CPU use at which the task takes no more calls, 0 to 1; 0: never. */
  cpuFullAt: number;
  /** From SIGTERM to the moment when the last call is ended. */
  drainMs: number;
  /** What the agent is asked to do when a call must be cut; '' to cut in silence. */
  goodbye: string;
  /** Time for that, at the end of `drainMs` and after `maxCallMs`. */
  goodbyeMs: number;
  /** 0: no limit. */
  maxCallMs: number;
  /** How long the agent stays in a room without a caller; 0: for ever. */
  waitForCallerMs: number;
  /** Without a sign of life for so long, a process with a call is killed. */
  hangMs: number;
  /** Megabytes of one call's process; 0: no limit. */
  memoryLimitMB: number;
  /** A task that LiveKit never accepted exits after this; 0: never. */
  registerMs: number;
  healthPort: number;
  healthPortGiven: boolean;
  metrics: { namespace: string; service: string; intervalMs: number };
  /** US dollars for a million tokens. */
  prices: { audioIn: number; audioOut: number; textIn: number; textOut: number };
  /** Undefined outside ECS: then there is no task protection. */
  ecsAgentUri?: string;
  protection: { expiresInMinutes: number; graceMs: number };
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
    callWire: e.CALL_WIRE === 'true',
    callsPerTask: e.CALLS_PER_TASK,
    fleet: {
      spareProcesses: e.SPARE_PROCESSES,
      cpuFullAt: e.CPU_FULL_AT / 100,
      drainMs: e.DRAIN_TIMEOUT_S * 1000,
      goodbye: e.GOODBYE === 'off' ? '' : e.GOODBYE,
      goodbyeMs: e.GOODBYE_S * 1000,
      maxCallMs: e.MAX_CALL_S * 1000,
      waitForCallerMs: e.WAIT_FOR_CALLER_S * 1000,
      hangMs: e.HANG_TIMEOUT_S * 1000,
      memoryLimitMB: e.JOB_MEMORY_LIMIT_MB,
      registerMs: e.REGISTER_TIMEOUT_S * 1000,
      healthPort: e.HEALTH_PORT,
      healthPortGiven: given.HEALTH_PORT !== undefined,
      metrics: {
        namespace: e.METRICS_NAMESPACE,
        service: e.SERVICE_NAME,
        intervalMs: e.METRICS_INTERVAL_S * 1000,
      },
      prices: {
        audioIn: e.PRICE_AUDIO_IN_PER_M,
        audioOut: e.PRICE_AUDIO_OUT_PER_M,
        textIn: e.PRICE_TEXT_IN_PER_M,
        textOut: e.PRICE_TEXT_OUT_PER_M,
      },
      ...(e.ECS_AGENT_URI && { ecsAgentUri: e.ECS_AGENT_URI }),
      protection: {
        expiresInMinutes: e.PROTECTION_EXPIRES_MIN,
        graceMs: e.PROTECTION_GRACE_S * 1000,
      },
    },
    logLevel: e.LOG_LEVEL,
    logPii: e.LOG_PII === 'true',
  };
}

function sentence(name: string, value: string | undefined): string {
  const hint = allowed[name as keyof typeof allowed] ?? 'a value';
  if (value === undefined) return `${name} is not set: set it to ${hint}.`;
  // The value of a secret must not reach a log.
  const shown = name.includes('SECRET') || name.includes('KEY') ? 'its value' : `"${value}"`;
  return `${name} cannot be ${shown}: set it to ${hint}.`;
}
