// SPDX-License-Identifier: Apache-2.0

// Long because it describes every variable once. parse-environment.ts reads them.

import {
  DEFAULT_MODEL,
  DEFAULT_REGION,
  DEFAULT_TOKEN_PRICES,
  DEFAULT_VOICE,
} from 'livekit-plugin-nova-sonic/models';
import { z } from 'zod';
import { parseAttributeCondition } from './call/caller-choice.js';
import { DEFAULT_VOICE_KBPS } from './call/voice-kbps.js';
import { parseLanes } from './lanes/lane-list.js';

/** Who sets a variable of a deployed worker. Locally you set all of them. */
export type VariableSetBy =
  /** The stack, from the secret, a CloudFormation parameter or a CDK setting. */
  | 'stack'
  /** The operator, with the CDK setting `environment`. */
  | 'operator'
  /** ECS, for each container. */
  | 'ecs';

interface VariableDocs {
  /** What the variable does: one sentence for the documentation. */
  description: string;
  /** Completes the error message "set it to …". */
  allowed: string;
  setBy: VariableSetBy;
  /** Deprecated name that still works. */
  formerName?: string;
}

const docs = z.registry<VariableDocs>();
const text = () => z.string().trim().min(1);
const integer = (min: number, max: number) => z.coerce.number().int().min(min).max(max);
const flag = () => z.enum(['true', 'false']).default('false');
const usdPerMillion = (price: number, tokens: string) =>
  z.coerce
    .number()
    .min(0)
    .max(10_000)
    .default(price)
    .register(docs, {
      description: `Price of ${tokens}, for the estimated cost in logs and metrics.`,
      allowed: 'US dollars per million tokens',
      setBy: 'stack',
    });

/** The environment variables of a worker: the one place that says what they mean, allow and default to. */
export const environmentSchema = z.object({
  LIVEKIT_URL: z.url({ protocol: /^(wss?|https?)$/ }).register(docs, {
    description: 'URL of the LiveKit server.',
    allowed: 'the address of your LiveKit server, like wss://example.livekit.cloud',
    setBy: 'stack',
  }),
  LIVEKIT_API_KEY: text().register(docs, {
    description: 'API key of the LiveKit server.',
    allowed: 'the API key of your LiveKit server',
    setBy: 'stack',
  }),
  LIVEKIT_API_SECRET: text().register(docs, {
    description: 'API secret of the LiveKit server.',
    allowed: 'the API secret of your LiveKit server',
    setBy: 'stack',
  }),
  LIVEKIT_AGENT_NAME: z.string().trim().default('').register(docs, {
    description: 'Name for explicit dispatch. Empty: the agent joins every new room.',
    allowed: 'the agent name of your dispatches',
    setBy: 'stack',
  }),
  BEDROCK_REGIONS: text().optional().register(docs, {
    description: 'Bedrock Regions in the order in which they are tried. Default: AWS_REGION.',
    allowed: 'Regions separated by commas, like us-east-1,us-west-2',
    setBy: 'stack',
  }),
  BEDROCK_LANES: text()
    .optional()
    .refine((given) => given === undefined || parseLanes(given) !== undefined)
    .register(docs, {
      description:
        'Regions of more than one account, as JSON, instead of BEDROCK_REGIONS: a list of `region`, the ARN of the `role` to assume (without one, the own account) and a `name` for logs and metrics. They are tried in order; neighbours in the same Region share the calls.',
      allowed:
        'a list like [{"region": "us-east-1"}, {"role": "arn:aws:iam::111122223333:role/voice-lane", "region": "us-east-1"}], each lane once',
      setBy: 'stack',
    }),
  AWS_REGION: text().optional().register(docs, {
    description: 'Bedrock Region when BEDROCK_REGIONS is not set. Default: AWS_DEFAULT_REGION.',
    allowed: 'an AWS Region',
    setBy: 'ecs',
  }),
  AWS_DEFAULT_REGION: text()
    .optional()
    .register(docs, {
      description: `Bedrock Region when AWS_REGION is not set either. Default: ${DEFAULT_REGION}.`,
      allowed: 'an AWS Region',
      setBy: 'ecs',
    }),
  NOVA_SONIC_MODEL: text()
    .optional()
    .register(docs, {
      description: `Model id or inference profile. Default: ${DEFAULT_MODEL}.`,
      allowed: 'a Nova Sonic model id',
      setBy: 'stack',
    }),
  NOVA_SONIC_VOICE: text()
    .optional()
    .register(docs, {
      description: `Voice for calls in which assistant.ts names none. Default: ${DEFAULT_VOICE}.`,
      allowed: 'a voice of the model',
      setBy: 'stack',
    }),
  NOVA_SONIC_RENEW_AFTER_S: integer(10, 470).optional().register(docs, {
    description: "Age in seconds at which a Bedrock stream is renewed. Default: the plugin's.",
    allowed: 'whole seconds from 10 to 470 (Bedrock ends a stream at 480)',
    setBy: 'stack',
  }),
  NOISE_CANCELLATION: z.enum(['off', 'rnnoise']).default('off').register(docs, {
    description:
      "Takes noise out of the caller's audio, for calls in which assistant.ts says nothing about it. `rnnoise` runs in the worker: 5 % of a core for a call and 11 ms of delay.",
    allowed: 'off or rnnoise',
    setBy: 'operator',
  }),
  AUDIO_MAX_BITRATE_KBPS: integer(12, 128).default(DEFAULT_VOICE_KBPS).register(docs, {
    description:
      "Bit rate of the agent's voice in kbit/s; LiveKit sends each packet twice. From 56 on Opus takes half the CPU and sounds better; 24 suits callers on thin mobile networks.",
    allowed: 'whole kbit/s from 12 to 128',
    setBy: 'operator',
  }),
  CALLS_PER_TASK: integer(1, 100).default(10).register(docs, {
    description: 'Call slots of a task.',
    allowed: 'a whole number from 1 to 100',
    setBy: 'stack',
  }),
  CALLS_PER_PROCESS: integer(1, 100).default(10).register(docs, {
    description:
      'Most calls of one process. A few warm processes carry all calls, at least one for each core. 1 gives each call a process of its own, for tools that block or crash, at several times the memory and twice the CPU.',
    allowed: 'a whole number from 1 to 100',
    setBy: 'stack',
  }),
  CALL_HOSTS: integer(1, 100).optional().register(docs, {
    description:
      'Processes that carry calls, with CALLS_PER_PROCESS above 1. Default: one for each core, and as many as the slots need.',
    allowed: 'a whole number from 1 to 100',
    setBy: 'operator',
  }),
  EXTRA_IDLE_PROCESSES: integer(0, 100).default(2).register(docs, {
    description: 'Warm job processes beyond one for each free slot, with CALLS_PER_PROCESS=1.',
    allowed: 'a whole number from 0 to 100',
    setBy: 'operator',
    formerName: 'SPARE_PROCESSES',
  }),
  CPU_LOAD_THRESHOLD_PERCENT: integer(0, 100).default(90).register(docs, {
    description: 'CPU use at which a task takes no more calls. 0 ignores CPU.',
    allowed: 'a percentage from 1 to 100, or 0 to ignore CPU',
    setBy: 'operator',
    formerName: 'CPU_FULL_AT',
  }),
  DRAIN_TIMEOUT_S: integer(1, 86_400).default(110).register(docs, {
    description: 'Seconds from SIGTERM until the last call is ended.',
    allowed: 'whole seconds from 1 to 86400 (Fargate kills a stopping task at 120)',
    setBy: 'stack',
  }),
  END_CALL_INSTRUCTIONS: z
    .string()
    .trim()
    .default(
      'Tell the caller in one short sentence that this call has to end now and that they are welcome to call again.',
    )
    .register(docs, {
      description:
        'Instructions for the last reply of a call that must end early. `off` ends it without a reply.',
      allowed: 'instructions for the model, or off',
      setBy: 'operator',
      formerName: 'GOODBYE',
    }),
  END_CALL_TIMEOUT_S: integer(1, 60).default(12).register(docs, {
    description: 'Seconds for that last reply.',
    allowed: 'whole seconds from 1 to 60',
    setBy: 'operator',
    formerName: 'GOODBYE_S',
  }),
  RESUME_CALL_INSTRUCTIONS: z
    .string()
    .trim()
    .default(
      'The line was interrupted for a few seconds. Say so in a few words, then go on with the conversation where it stopped: if what the caller said last was not answered in full, answer it.',
    )
    .register(docs, {
      description:
        'Instructions for the first reply of a process that takes up a call whose process died. `off`: no other process takes it up.',
      allowed: 'instructions for the model, or off',
      setBy: 'operator',
    }),
  DISCONNECT_ON_END: z.enum(['auto', 'caller', 'room', 'off']).default('auto').register(docs, {
    description:
      'What happens to the caller when the agent ends a call. `auto`: the room is deleted, or only the caller is removed while other people are in it. `caller` removes only the caller, `room` deletes the room, `off` leaves everybody where they are. A caller who hangs up ends the call as ever.',
    allowed: 'auto, caller, room or off',
    setBy: 'operator',
  }),
  MAX_CALL_S: integer(0, 86_400).default(3600).register(docs, {
    description: 'Longest call in seconds. 0 disables the limit.',
    allowed: 'whole seconds from 1 to 86400, or 0 for no limit',
    setBy: 'stack',
  }),
  WAIT_FOR_CALLER_S: integer(0, 86_400).default(60).register(docs, {
    description:
      'Seconds to wait for a caller, or for one who is gone to come back, before the agent leaves the room and frees its slot, whoever else is there. 0 disables the limit.',
    allowed: 'whole seconds from 1 to 86400, or 0 for no limit',
    setBy: 'operator',
  }),
  CALLER_ATTRIBUTE: z
    .string()
    .trim()
    .optional()
    .refine((given) => given === undefined || parseAttributeCondition(given) !== undefined)
    .register(docs, {
      description:
        'Who may be the caller, by an attribute of the participant or a key of its metadata (JSON): `role=caller` (only these), `role!=supervisor` (all but these) or `customer` (who has it). Recorders, ingests, agents and whoever may not publish audio are never the caller.',
      allowed: 'key, key=value or key!=value',
      setBy: 'operator',
    }),
  CALLERS_HEARD: z.enum(['first', 'all']).default('first').register(docs, {
    description:
      'Whom the agent hears when several people in the room could be the caller: the first, or all of them mixed.',
    allowed: 'first or all',
    setBy: 'operator',
  }),
  IDLE_ASK_S: integer(0, 3600).default(0).register(docs, {
    description:
      'Seconds of silence after which the agent asks, in its own words, whether the caller is still there; `idle` in assistant.ts overrides it. 0 disables it, as for rooms that should stay.',
    allowed: 'whole seconds from 1 to 3600, or 0 for never',
    setBy: 'operator',
  }),
  IDLE_END_S: integer(0, 86_400).default(0).register(docs, {
    description:
      'Seconds of silence after which the agent ends the call, with the reason `caller_idle`; `idle` in assistant.ts overrides it. 0 disables it.',
    allowed: 'whole seconds from 1 to 86400, or 0 for never',
    setBy: 'operator',
  }),
  UNRESPONSIVE_TIMEOUT_S: integer(2, 600).default(20).register(docs, {
    description:
      'Seconds without a heartbeat after which a process for calls is killed, with or without a call.',
    allowed: 'whole seconds from 2 to 600',
    setBy: 'operator',
    formerName: 'HANG_TIMEOUT_S',
  }),
  JOB_MEMORY_LIMIT_MB: integer(0, 65_536).default(1024).register(docs, {
    description:
      'Megabytes above which the process of a call is killed, with the reason `memory_limit`. A process with several calls gets no more calls then, and is killed at twice as much. 0 disables the limit.',
    allowed: 'whole megabytes from 1 to 65536, or 0 for no limit',
    setBy: 'operator',
  }),
  REGISTER_TIMEOUT_S: integer(0, 86_400).default(75).register(docs, {
    description:
      'Seconds after which a worker that never registered with LiveKit exits, and says why. 0 disables the limit. The health check of the stack ends such a task after 90 s or more, without a word.',
    allowed: 'whole seconds from 1 to 86400, or 0 for no limit',
    setBy: 'operator',
  }),
  WATCHER_REQUESTS_PER_S: z
    .union([z.literal('0').transform(() => 0), integer(10, 1_000)])
    .default(50)
    .register(docs, {
      description:
        'Most requests a second to the API of LiveKit about single rooms, by which callers without an agent are found and dispatched to again; one worker of a service sends them. 0 turns that off.',
      allowed: 'a whole number from 10 to 1000, or 0 to leave callers without an agent alone',
      setBy: 'operator',
    }),
  WATCHER_PRESENCE: z.enum(['auto', 'on', 'off']).default('auto').register(docs, {
    description:
      'Whether each worker stays connected to a room of its own, hidden and without audio, so that the others see at once when its process dies, and take its calls over, and that old tasks leave the calls to those of a new deployment at once: one more connection a worker, two requests a second from each of three, and five a second from all others together. `auto`: not on LiveKit Cloud, which sends new agents itself. Without it callers of a task that died as a whole wait for 22 to 29 s.',
    allowed: 'auto, on or off',
    setBy: 'operator',
  }),
  WAITING_LINE_CALLERS: integer(0, 100).default(20).register(docs, {
    description:
      'Most callers who wait at once for an agent, with words and music, while all lines are taken. One task of the service, the one that watches, keeps all of them company. Whoever comes beyond is told that nobody can answer now, and is disconnected. 0 turns the waiting line off: callers wait in silence.',
    allowed: 'a whole number from 1 to 100, or 0 for no waiting line',
    setBy: 'operator',
  }),
  WAITING_LINE_BUSY: text().default('all-lines-busy.wav').register(docs, {
    description:
      'Recording for callers who wait: a WAV file of 16-bit PCM or mu-law. A name without a folder is a file of agent/src/recordings.',
    allowed: 'the path of a WAV file, or the name of one in agent/src/recordings',
    setBy: 'operator',
  }),
  WAITING_LINE_FULL: text().default('nobody-can-answer.wav').register(docs, {
    description:
      'The same, for callers who are disconnected because the waiting line is full, or because their call has failed.',
    allowed: 'the path of a WAV file, or the name of one in agent/src/recordings',
    setBy: 'operator',
  }),
  WAIT_FOR_STREAM_S: integer(0, 600).default(60).register(docs, {
    description:
      'Longest time, in seconds, that a call without a Bedrock stream waits for one while every Region or lane is full. A new caller hears WAITING_LINE_BUSY and music meanwhile, one in mid conversation music; whoever has no stream by then hears WAITING_LINE_FULL and is disconnected. With 0 each Region is asked once. The wait takes a slot of the task.',
    allowed: 'whole seconds from 0 to 600',
    setBy: 'operator',
  }),
  HEALTH_PORT: integer(0, 65_535).default(8081).register(docs, {
    description: 'Port of the health server. 0 takes any free port.',
    allowed: 'a port from 1 to 65535, or 0 for any free one',
    setBy: 'stack',
  }),
  METRICS_NAMESPACE: text().default('NovaSonicAgent').register(docs, {
    description: 'CloudWatch namespace of the metrics.',
    allowed: 'a CloudWatch namespace',
    setBy: 'stack',
  }),
  METRICS_INTERVAL_S: integer(1, 60).default(10).register(docs, {
    description: 'Seconds between two publications of the metrics.',
    allowed: 'whole seconds from 1 to 60',
    setBy: 'stack',
  }),
  SERVICE_NAME: text().default('nova-sonic-agent').register(docs, {
    description: 'Value of the dimension `service` of every metric.',
    allowed: 'the name of the service in the metrics',
    setBy: 'stack',
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .optional()
    .register(docs, {
      description:
        'OpenTelemetry endpoint (OTLP over HTTP) that traces of calls are sent to, at its path /v1/traces. They hold no transcripts, prompts, arguments of tools or telephone numbers. Not set: no traces. The other standard variables of an OTLP exporter work, too.',
      allowed: 'the address of a collector, like http://127.0.0.1:4318',
      setBy: 'stack',
    }),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .optional()
    .register(docs, {
      description: 'The same with its whole path.',
      allowed: 'the address for traces, like https://example.com/v1/traces',
      setBy: 'operator',
    }),
  OTEL_EXPORTER_OTLP_HEADERS: text().optional().register(docs, {
    description:
      'Headers of that endpoint, such as a key; from a secret, with the CDK setting `secrets`.',
    allowed: 'name=value pairs separated by commas',
    setBy: 'operator',
  }),
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1).register(docs, {
    description:
      'Share of calls that are traced. A call is traced whole or not at all, in whatever process.',
    allowed: 'a share like 0.25, at most 1',
    setBy: 'stack',
  }),
  TRACE_ATTRIBUTES: z.string().trim().default('').register(docs, {
    description:
      'Names of attributes of your own spans that may leave the task, separated by commas. All that are not known to hold no content are left out.',
    allowed: 'names of attributes, like shop.order_count,shop.region',
    setBy: 'operator',
  }),
  TENANT_METADATA_KEY: text().optional().register(docs, {
    description:
      'Key of the dispatch metadata (JSON) whose value names the tenant of a call, in its log lines and its trace. Not set: calls have no tenant.',
    allowed: 'a key of the JSON in your dispatches, like tenant',
    setBy: 'stack',
  }),
  PRICE_AUDIO_IN_PER_M: usdPerMillion(DEFAULT_TOKEN_PRICES.audioIn, 'speech input tokens'),
  PRICE_AUDIO_OUT_PER_M: usdPerMillion(DEFAULT_TOKEN_PRICES.audioOut, 'speech output tokens'),
  PRICE_TEXT_IN_PER_M: usdPerMillion(DEFAULT_TOKEN_PRICES.textIn, 'text input tokens'),
  PRICE_TEXT_OUT_PER_M: usdPerMillion(DEFAULT_TOKEN_PRICES.textOut, 'text output tokens'),
  ECS_AGENT_URI: z
    .url({ protocol: /^https?$/ })
    .optional()
    .register(docs, {
      description: 'Endpoint of the ECS agent, for task protection. Not set: no task protection.',
      allowed: 'the address that ECS gives (do not set it yourself)',
      setBy: 'ecs',
    }),
  ECS_CONTAINER_METADATA_URI_V4: z
    .url({ protocol: /^https?$/ })
    .optional()
    .register(docs, {
      description:
        'Task metadata endpoint, to find out which deployment started the task. Not set: the task does not notice that it is superseded.',
      allowed: 'the address that ECS gives (do not set it yourself)',
      setBy: 'ecs',
    }),
  DEPLOYMENT_CHECK_S: integer(1, 3600).default(60).register(docs, {
    description:
      'Seconds between two requests of a task to the ECS API, to notice that it is superseded or surplus.',
    allowed: 'whole seconds from 1 to 3600',
    setBy: 'operator',
  }),
  DEPLOYMENT_SETTLE_S: integer(0, 86_400).default(120).register(docs, {
    description:
      'Seconds that the tasks of a newer deployment must have been running before this task leaves the calls to them, if ECS does not report the deployment as COMPLETED before. Longer than the health check lets an unhealthy task live.',
    allowed: 'whole seconds from 0 to 86400',
    setBy: 'operator',
  }),
  PROTECTION_EXPIRES_MIN: integer(1, 2880).optional().register(docs, {
    description:
      'Minutes until task protection that is not renewed expires. Default: MAX_CALL_S and 15 minutes, so that a refused renewal ends no call.',
    allowed: 'whole minutes from 1 to 2880',
    setBy: 'operator',
  }),
  PROTECTION_GRACE_S: integer(0, 3600).default(30).register(docs, {
    description:
      'Seconds after the last call until task protection is released, while the ECS API does not answer. Otherwise a task that takes calls is always protected.',
    allowed: 'whole seconds from 0 to 3600',
    setBy: 'operator',
  }),
  PUBLISH_BEDROCK_EVENTS: flag().register(docs, {
    description:
      'Publish every Bedrock event to the room for the playground. Contains caller speech and prompts.',
    allowed: 'true or false',
    setBy: 'operator',
    formerName: 'CALL_WIRE',
  }),
  LOG_PII: flag().register(docs, {
    description: 'Log what people say (`lk.pii.*` fields).',
    allowed: 'true or false',
    setBy: 'operator',
  }),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
    .default('info')
    .register(docs, {
      description: 'Lowest level that is logged.',
      allowed: 'trace, debug, info, warn, error or fatal',
      setBy: 'stack',
    }),
});

/** The variables with their types, defaults filled in. */
export type Environment = z.infer<typeof environmentSchema>;

/** One environment variable, for the documentation. */
export interface EnvironmentVariable extends VariableDocs {
  name: string;
  /** As it would be written in the environment; undefined when there is no fixed default. */
  default?: string;
}

/** All variables, in the order of the documentation. */
export const ENVIRONMENT_VARIABLES: readonly EnvironmentVariable[] = Object.entries(
  environmentSchema.shape,
).map(([name, schema]) => {
  const documented = docs.get(schema as (typeof environmentSchema.shape)[keyof Environment]);
  if (!documented) throw new Error(`${name} is not documented.`);
  const value = schema instanceof z.ZodDefault ? schema.def.defaultValue : undefined;
  return { name, ...documented, ...(value !== undefined && { default: String(value) }) };
});
