// SPDX-License-Identifier: Apache-2.0

import { DEFAULT_REGION, type TokenPrices } from 'livekit-plugin-nova-sonic/models';
import { type CallerRules, parseAttributeCondition } from './call/caller-choice.js';
import { type BedrockLane, lanesOfRegions, parseLanes } from './lanes/lane-list.js';
import { parseEnvironment } from './parse-environment.js';

/** Typed configuration of the worker process and of each job process; environment.ts describes the variables. */
export interface WorkerConfig {
  livekit: { url: string; apiKey: string; apiSecret: string; agentName: string };
  /** Where Bedrock streams are opened, in the order in which it is tried. */
  lanes: BedrockLane[];
  /** Undefined: the plugin's default, Amazon Nova 2 Sonic. */
  model?: string;
  /** For calls in which assistant.ts names no voice. Undefined: the plugin's default. */
  voice?: string;
  /** For calls in which assistant.ts says nothing about it. */
  noiseCancellation: 'off' | 'rnnoise';
  /** Of the agent's voice; see voicePublishOptions. */
  audioMaxBitrateKbps: number;
  /** Age at which a Bedrock stream is renewed. Undefined: the plugin's default. */
  renewAfterMs?: number;
  /** Publish Bedrock events to the room: for engineers, since they carry what people say. */
  publishBedrockEvents: boolean;
  callsPerTask: number;
  /** 1: a process for each call. */
  callsPerProcess: number;
  callHosts?: number;
  /** Warm processes beyond one for each free slot. */
  extraIdleProcesses: number;
  /** CPU use at which the task takes no more calls, 0 to 1; 0: CPU is ignored. */
  cpuLoadThreshold: number;
  /** From SIGTERM until the last call is ended. */
  drainTimeoutMs: number;
  /** Instructions for the last reply of a call that must end early; '' to end it without one. */
  endCallInstructions: string;
  /** Time for that reply: the last part of `drainTimeoutMs`, and after `maxCallMs`. */
  endCallTimeoutMs: number;
  /** Instructions for the first reply in a call whose process died; '' to let such calls end. */
  resumeCallInstructions: string;
  /** What happens to the caller when the agent ends a call; see DISCONNECT_ON_END. */
  disconnectOnEnd: 'auto' | 'caller' | 'room' | 'off';
  /** 0: no limit. */
  maxCallMs: number;
  /** How long the agent stays in a room without a caller; 0: no limit. */
  waitForCallerMs: number;
  callers: CallerRules;
  /** Silence of the caller after which the agent asks, or the call ends; 0: never. */
  idle: { askAfterS: number; endAfterS: number };
  /** A process with a call that sends no heartbeat for so long is killed. */
  unresponsiveTimeoutMs: number;
  /** Memory of one call's process; 0: no limit. */
  jobMemoryLimitMB: number;
  /** A worker that never registered with LiveKit exits after this; 0: no limit. */
  registerTimeoutMs: number;
  /** Requests to LiveKit's API about rooms whose caller may have no agent; 0: nobody looks for them. */
  watcher: { requestsPerSecond: number; presence: boolean };
  /** The waiting line: most callers, 0 for none, and the paths of its recordings; see readLineRecordings. */
  line: { callers: number; busy: string; full: string };
  /** How long a new call waits for a Bedrock stream while all lanes are full. */
  waitForStreamMs: number;
  /** `explicit`: the operator chose the port, so no other one will do. */
  health: { port: number; explicit: boolean };
  metrics: { namespace: string; service: string; intervalMs: number };
  /** Undefined: no traces; see TraceExportOptions. */
  traces?: { sampleRatio: number; attributes: readonly string[] };
  /** Key of the dispatch metadata that names the tenant of a call. Undefined: calls have none. */
  tenantMetadataKey?: string;
  prices: TokenPrices;
  /** Undefined outside ECS: no task protection. */
  ecsAgentUri?: string;
  /** Undefined outside ECS: the task does not notice that it is superseded. */
  ecsMetadataUri?: string;
  /** Requests to the ECS API; see DeploymentWatchOptions. */
  deployment: { intervalMs: number; settleMs: number };
  /** `expiresInMinutes` undefined: the longest call and a margin. */
  protection: { expiresInMinutes?: number; graceMs: number };
  logLevel: string;
  /** Whether the log may hold what people say (`lk.pii.*` fields). */
  logPii: boolean;
}

/** Missing or invalid environment variables: one sentence a line. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/**
 * Reads the configuration from environment variables.
 * @throws ConfigError with one sentence for each variable that is missing or invalid.
 */
export function readWorkerConfig(env: NodeJS.ProcessEnv): WorkerConfig {
  const parsed = parseEnvironment(env);
  if ('problems' in parsed) throw new ConfigError(parsed.problems.join('\n'));
  const e = parsed.values;
  const regions = (e.BEDROCK_REGIONS ?? e.AWS_REGION ?? e.AWS_DEFAULT_REGION ?? DEFAULT_REGION)
    .split(',')
    .map((region) => region.trim())
    .filter(Boolean);
  const lanes = (e.BEDROCK_LANES && parseLanes(e.BEDROCK_LANES)) || lanesOfRegions(regions);
  const attribute = e.CALLER_ATTRIBUTE ? parseAttributeCondition(e.CALLER_ATTRIBUTE) : undefined;
  return {
    livekit: {
      url: e.LIVEKIT_URL,
      apiKey: e.LIVEKIT_API_KEY,
      apiSecret: e.LIVEKIT_API_SECRET,
      agentName: e.LIVEKIT_AGENT_NAME,
    },
    lanes,
    ...(e.NOVA_SONIC_MODEL && { model: e.NOVA_SONIC_MODEL }),
    ...(e.NOVA_SONIC_VOICE && { voice: e.NOVA_SONIC_VOICE }),
    noiseCancellation: e.NOISE_CANCELLATION,
    audioMaxBitrateKbps: e.AUDIO_MAX_BITRATE_KBPS,
    ...(e.NOVA_SONIC_RENEW_AFTER_S && { renewAfterMs: e.NOVA_SONIC_RENEW_AFTER_S * 1000 }),
    publishBedrockEvents: e.PUBLISH_BEDROCK_EVENTS === 'true',
    callsPerTask: e.CALLS_PER_TASK,
    callsPerProcess: e.CALLS_PER_PROCESS,
    ...(e.CALL_HOSTS && { callHosts: e.CALL_HOSTS }),
    extraIdleProcesses: e.EXTRA_IDLE_PROCESSES,
    cpuLoadThreshold: e.CPU_LOAD_THRESHOLD_PERCENT / 100,
    drainTimeoutMs: e.DRAIN_TIMEOUT_S * 1000,
    endCallInstructions: e.END_CALL_INSTRUCTIONS === 'off' ? '' : e.END_CALL_INSTRUCTIONS,
    endCallTimeoutMs: e.END_CALL_TIMEOUT_S * 1000,
    resumeCallInstructions: e.RESUME_CALL_INSTRUCTIONS === 'off' ? '' : e.RESUME_CALL_INSTRUCTIONS,
    disconnectOnEnd: e.DISCONNECT_ON_END,
    maxCallMs: e.MAX_CALL_S * 1000,
    waitForCallerMs: e.WAIT_FOR_CALLER_S * 1000,
    idle: { askAfterS: e.IDLE_ASK_S, endAfterS: e.IDLE_END_S },
    callers: { heard: e.CALLERS_HEARD, ...(attribute && { attribute }) },
    unresponsiveTimeoutMs: e.UNRESPONSIVE_TIMEOUT_S * 1000,
    jobMemoryLimitMB: e.JOB_MEMORY_LIMIT_MB,
    registerTimeoutMs: e.REGISTER_TIMEOUT_S * 1000,
    watcher: {
      requestsPerSecond: e.WATCHER_REQUESTS_PER_S,
      presence:
        e.WATCHER_PRESENCE === 'on' || (e.WATCHER_PRESENCE === 'auto' && !isCloud(e.LIVEKIT_URL)),
    },
    line: {
      callers: e.WAITING_LINE_CALLERS,
      busy: e.WAITING_LINE_BUSY,
      full: e.WAITING_LINE_FULL,
    },
    waitForStreamMs: e.WAIT_FOR_STREAM_S * 1000,
    health: { port: e.HEALTH_PORT, explicit: Boolean(env.HEALTH_PORT?.trim()) },
    metrics: {
      namespace: e.METRICS_NAMESPACE,
      service: e.SERVICE_NAME,
      intervalMs: e.METRICS_INTERVAL_S * 1000,
    },
    ...((e.OTEL_EXPORTER_OTLP_ENDPOINT || e.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) && {
      traces: {
        sampleRatio: e.OTEL_TRACES_SAMPLER_ARG,
        attributes: e.TRACE_ATTRIBUTES.split(',')
          .map((name) => name.trim())
          .filter(Boolean),
      },
    }),
    ...(e.TENANT_METADATA_KEY && { tenantMetadataKey: e.TENANT_METADATA_KEY }),
    prices: {
      audioIn: e.PRICE_AUDIO_IN_PER_M,
      audioOut: e.PRICE_AUDIO_OUT_PER_M,
      textIn: e.PRICE_TEXT_IN_PER_M,
      textOut: e.PRICE_TEXT_OUT_PER_M,
    },
    ...(e.ECS_AGENT_URI && { ecsAgentUri: e.ECS_AGENT_URI }),
    ...(e.ECS_CONTAINER_METADATA_URI_V4 && { ecsMetadataUri: e.ECS_CONTAINER_METADATA_URI_V4 }),
    deployment: {
      intervalMs: e.DEPLOYMENT_CHECK_S * 1000,
      settleMs: e.DEPLOYMENT_SETTLE_S * 1000,
    },
    protection: {
      ...(e.PROTECTION_EXPIRES_MIN && { expiresInMinutes: e.PROTECTION_EXPIRES_MIN }),
      graceMs: e.PROTECTION_GRACE_S * 1000,
    },
    logLevel: e.LOG_LEVEL,
    logPii: e.LOG_PII === 'true',
  };
}

let ofThisProcess: WorkerConfig | undefined;

/**
 * The configuration of this process, read at the first call of this function: reading it takes milliseconds, and calls begin together.
 * @throws ConfigError as `readWorkerConfig`
 */
export function processConfig(): WorkerConfig {
  ofThisProcess ??= readWorkerConfig(process.env);
  return ofThisProcess;
}

/** LiveKit Cloud sends another agent itself when a worker dies (livekit/agents#1472). */
function isCloud(url: string): boolean {
  return new URL(url).hostname.endsWith('.livekit.cloud');
}
