// SPDX-License-Identifier: Apache-2.0
// Long because each option is described here, once: the tables of the README are made from it.
import type { BedrockRuntimeClient } from '@aws-sdk/client-bedrock-runtime';
import type { llm } from '@livekit/agents';
import type { VoiceActivityDetector } from './audio/voice-activity.js';
import { type Clock, systemClock } from './clock.js';
import { type Credentials, type Lane, type NamedLane, resolveLanes } from './lanes.js';
import { checkOptions, optionError } from './options-schema.js';
import {
  DEFAULT_MODEL,
  DEFAULT_VOICE,
  isFirstGeneration,
  NOVA_SONIC_1,
  NOVA_SONIC_2,
  NOVA_SONIC_2_5,
  NOVA_SONIC_MODEL_DETAILS,
  NOVA_SONIC_MODELS,
  NOVA_SONIC_REGIONS,
  type NovaSonicModelId,
  type NovaSonicVoice,
  voicesOf,
} from './protocol/models.js';

/** How soon the model takes a pause for the end of a turn: HIGH after about 1.5 s, LOW after 2 s. */
export type TurnDetection = 'HIGH' | 'MEDIUM' | 'LOW';

/** `mixed`: speech and text in; `audio`: speech only, as the first Nova Sonic (`generateReply` rejects). */
export type Modalities = 'audio' | 'mixed';

/** Limits for the history that opens a stream, in bytes of UTF-8. */
export interface HistoryLimits {
  /** All messages together: what people said comes first, the newest of it, then what tools returned. @default 200000 */
  readonly maxBytes: number;
  /** One textInput; longer messages are split into several. @default 50000 */
  readonly maxTextBytes: number;
}

/** How often and how fast a call reconnects. */
export interface RetryOptions {
  /** Failures in a row after which the call is given up. @default 8, and with more than six lanes two more than there are */
  readonly maxAttempts: number;
  /** Time without a stream after which the call is given up, in ms. @default 30000 */
  readonly maxOutageMs: number;
  /** Failures in the whole session after which the call is given up. @default 40, and with more than eight lanes five for each */
  readonly budget: number;
  /**
   * How long a session without a stream goes on asking for one while Regions are full, in ms, however many attempts that takes:
   * for an application that keeps its caller company meanwhile. Each Region is asked once in any case. @default the limits above
   */
  readonly waitWhenFullMs?: number;
  /**
   * For sessions that wait in a line: called when all Regions have refused a session (`refused`), before each further
   * attempt, and before a session's first stream. Its promise resolves when it is this session's turn; undefined: now. Who has
   * waited for `waitWhenFullMs` asks once more and gives up. @default each asks for itself
   */
  readonly turn?: (refused: boolean) => Promise<void> | undefined;
  /** First wait, in ms; doubled with each failure. @default 500 */
  readonly baseDelayMs: number;
  /** Longest wait, in ms. @default 8000 */
  readonly maxDelayMs: number;
  /**
   * Returns until when a Region, or the lane of this name, should be skipped (ms since the epoch) because of failures in
   * other calls; undefined or a time in the past does not skip it. A time in the past says that it has failed and not been
   * tried since: who was refused by another one tries those without a failure first. Called whenever one is chosen. When all
   * are cooling down, the one that is ready first is tried without waiting. @default none is skipped
   */
  readonly cooldownUntil?: (lane: string) => number | undefined;
}

/** How long the service may be silent, in ms. */
export interface TimeoutOptions {
  /** Longest time until the first event of a stream. @default 10000 */
  readonly firstEvent: number;
  /** Longest time without any event while an answer is pending. @default 10000 */
  readonly progress: number;
  /** Longest time for an orderly end of a stream: from its closing events to the service's end. @default 1000 */
  readonly close: number;
}

/** Options under earlier names; accepted with one warning each. */
export interface DeprecatedOptions {
  /** In seconds. @deprecated Use `renewAfterMs`. */
  renewAfter?: number;
  /** In seconds. @deprecated Use `audioBufferMs`. */
  carryOver?: number;
  /** @deprecated Use `chatCtxUpdates`. */
  contextEdits?: 'next-stream' | 'renew';
}

/** Options of `retry` under earlier names; accepted with one warning each. */
export interface DeprecatedRetryOptions {
  /** @deprecated Use `cooldownUntil`. */
  readonly restsUntil: RetryOptions['cooldownUntil'];
}

/** The options of `RealtimeModel`. All are optional. */
export interface RealtimeModelOptions extends DeprecatedOptions {
  /** Model id, inference profile or ARN; one that this version does not know is used with a warning. @default 'amazon.nova-2-sonic-v1:0' */
  model?: NovaSonicModelId | (string & {});
  /** Voice, in lower case, one of the model's; one that this version does not know is sent with a warning. @default 'tiffany' */
  voice?: NovaSonicVoice | (string & {});
  /**
   * AWS Region, or a list in order of preference: when a Region throttles, denies access or does not answer,
   * the next one is tried at once. @default AWS_REGION, AWS_DEFAULT_REGION, else 'us-east-1'
   */
  region?: string | readonly string[];
  /**
   * Regions of more than one account, in order of preference, instead of `region`: each account has its own stream quota.
   * @default a lane for each Region, of the account of `credentials`
   */
  lanes?: readonly Lane[];
  /** Credentials, or a provider of them; fixed for the life of a stream. @default the SDK's own chain */
  credentials?: Credentials;
  /**
   * Another endpoint, for all Regions or for each.
   * @default the SDK's: AWS_ENDPOINT_URL_BEDROCK_RUNTIME, the profile, else the Region's
   */
  endpoint?: string | ((region: string) => string);
  /** Your own client, for all Regions or for each; the plugin never destroys it. @default one per stream */
  client?: BedrockRuntimeClient | ((region: string) => BedrockRuntimeClient);
  /** How soon the model takes a pause for the end of a turn. @default 'MEDIUM' */
  turnDetection?: TurnDetection;
  /** Sampling temperature, 0 to 1. @default 0.7 */
  temperature?: number;
  /** Nucleus sampling, 0 to 1. @default 0.9 */
  topP?: number;
  /** Longest reply in tokens, 1 to 10,000. @default 1024 */
  maxTokens?: number;
  /** How the model chooses tools; `'none'` leaves them out. @default the service's own, `auto` */
  toolChoice?: llm.ToolChoice;
  /** What the model takes: speech and text, or speech only. @default 'mixed', and 'audio' for the first Nova Sonic */
  modalities?: Modalities;
  /** Rate at which audio is sent, in Hz. Give the room the same rate and no resampler is needed. @default 16000 */
  inputSampleRate?: 8_000 | 16_000 | 24_000;
  /** Rate of the model's speech, in Hz. @default 24000 */
  outputSampleRate?: 8_000 | 16_000 | 24_000;
  /** Length of one chunk of audio that is sent, in ms, 10 to 200. Longer chunks cost less CPU and delay the answer. @default 20 */
  inputChunkMs?: number;
  /** Longest time until a reply of `generateReply` begins, in ms. @default 10000 */
  generateReplyTimeout?: number;
  /**
   * The text that the model gets when `generateReply()` has no words, like `'[Go on.]'`: it needs some to answer.
   * @default none: `generateReply()` without words is rejected
   */
  replyCue?: string;
  /**
   * Nova 2's speech prompt (SYSTEM_SPEECH), which sets the script in which Hindi is transcribed: one of the texts that AWS
   * gives, word for word (Nova 2 user guide, sonic-system-prompts). Other instructions belong to the agent. @default none
   */
  speechPrompt?: string;
  /** Limits of the history that opens a stream. @default see `HistoryLimits` */
  history?: Partial<HistoryLimits>;
  /** How often and how fast a call reconnects. @default see `RetryOptions` */
  retry?: Partial<RetryOptions & DeprecatedRetryOptions>;
  /** Age of a stream, in ms, at which it is replaced at the next quiet moment; 100 to 470000. @default 360000 */
  renewAfterMs?: number;
  /** How much of the caller's audio is kept for a stream that has to be replaced, in ms; 1000 to 120000. @default 30000 */
  audioBufferMs?: number;
  /** When `updateChatCtx` edits the past: `next-stream` waits for the next stream, `renew` opens one at the next quiet moment. @default 'next-stream' */
  chatCtxUpdates?: 'next-stream' | 'renew';
  /** How long the service may be silent. @default see `TimeoutOptions` */
  timeouts?: Partial<TimeoutOptions>;
  /**
   * Makes the detector that tells the caller's voice from other sound, one for each session: a stream that shows no sign
   * of hearing a voice is replaced. @default Silero, which @livekit/agents brings along; without its native part, sound
   * that rises from its background
   */
  voiceActivityDetector?: () => VoiceActivityDetector | Promise<VoiceActivityDetector>;
  /** Logs every event of the service at debug level, without audio. Speech and text are under `lk.pii.*`. @default false */
  logEvents?: boolean;
  /** No warning for a model, voice or Region that this version does not know; accepts a model past its end of life. @default false */
  force?: boolean;
  /** Another clock, for tests. @default the machine's */
  clock?: Clock;
}

/** The options with every default in place. */
export interface ResolvedOptions {
  readonly model: string;
  readonly voice: string;
  /** The Regions of the lanes, each once. */
  readonly regions: readonly string[];
  readonly lanes: readonly NamedLane[];
  readonly credentials?: Credentials;
  readonly endpoint?: string | ((region: string) => string);
  readonly client?: BedrockRuntimeClient | ((region: string) => BedrockRuntimeClient);
  readonly turnDetection: TurnDetection;
  readonly temperature?: number;
  readonly topP?: number;
  readonly maxTokens: number;
  readonly toolChoice?: llm.ToolChoice;
  readonly modalities: Modalities;
  readonly inputSampleRate: number;
  readonly outputSampleRate: number;
  readonly inputChunkMs: number;
  readonly generateReplyTimeout: number;
  readonly replyCue?: string;
  readonly speechPrompt?: string;
  readonly history: HistoryLimits;
  readonly retry: RetryOptions;
  readonly renewAfterMs: number;
  readonly audioBufferMs: number;
  readonly chatCtxUpdates: 'next-stream' | 'renew';
  readonly timeouts: TimeoutOptions;
  readonly voiceActivityDetector?: () => VoiceActivityDetector | Promise<VoiceActivityDetector>;
  readonly logEvents: boolean;
  readonly force: boolean;
  readonly clock: Clock;
}

const knownModel = (model: string): boolean =>
  NOVA_SONIC_MODELS.some((id) => model === id || model.endsWith(`.${id}`)) ||
  model.startsWith('arn:');

const knownRegions: readonly string[] = NOVA_SONIC_REGIONS;

const warned = new Set<string>();

/** Warns once in the life of the process: AWS adds models, voices and Regions between two versions of this package. */
function warnUnknown(option: string, value: string, known: string): void {
  const message = `RealtimeModel option ${option} is ${JSON.stringify(value)}, which this version does not know: ${known}. It is used as it is; force: true silences this warning.`;
  if (warned.has(message)) return;
  warned.add(message);
  process.emitWarning(message, { type: 'NovaSonicWarning', code: 'NOVA_SONIC_UNKNOWN_OPTION' });
}

/**
 * Checks a voice of a model; one that this version does not know is used with a warning.
 * @throws Error of one sentence when it is not in lower case
 */
export function checkVoice(voice: string, model: string): void {
  const voices = voicesOf(model);
  const lower = voice.toLowerCase();
  if (voice !== lower && voices.includes(lower))
    throw optionError('voice', voice, `voices are in lower case: ${lower}.`);
  if (!voices.includes(voice)) warnUnknown('voice', voice, `${model} has ${voices.join(', ')}`);
}

/** Warns once in the life of the process. */
function warnRenamed(before: string, after: string): void {
  if (warned.has(before)) return;
  warned.add(before);
  process.emitWarning(`RealtimeModel option ${before} is deprecated: use ${after}.`, {
    type: 'DeprecationWarning',
    code: 'NOVA_SONIC_RENAMED_OPTION',
  });
}

/** Translates options under their earlier names; an option under its new name wins. */
function renameDeprecatedOptions(
  given: RealtimeModelOptions,
): Omit<RealtimeModelOptions, keyof DeprecatedOptions> {
  const { renewAfter, carryOver, contextEdits, ...options } = given;
  if (renewAfter !== undefined) {
    warnRenamed('renewAfter (seconds)', 'renewAfterMs');
    options.renewAfterMs ??= renewAfter * 1_000;
  }
  if (carryOver !== undefined) {
    warnRenamed('carryOver (seconds)', 'audioBufferMs');
    options.audioBufferMs ??= carryOver * 1_000;
  }
  if (contextEdits !== undefined) {
    warnRenamed('contextEdits', 'chatCtxUpdates');
    options.chatCtxUpdates ??= contextEdits;
  }
  const restsUntil = options.retry?.restsUntil;
  if (restsUntil !== undefined) {
    warnRenamed('retry.restsUntil', 'retry.cooldownUntil');
    options.retry = { cooldownUntil: restsUntil, ...options.retry };
  }
  return options;
}

/**
 * Checks the options and fills in the defaults.
 * @throws Error of one sentence that names the option, its value and what is allowed
 */
export function resolveOptions(
  given: RealtimeModelOptions,
  env: Readonly<Record<string, string | undefined>> = process.env,
): ResolvedOptions {
  checkOptions(Object.fromEntries(Object.entries(given).filter(([, v]) => v !== undefined)));
  const options = renameDeprecatedOptions(given);

  const model = options.model ?? DEFAULT_MODEL;
  const voice = options.voice ?? DEFAULT_VOICE;
  if (options.speechPrompt !== undefined && isFirstGeneration(model))
    throw optionError('speechPrompt', options.speechPrompt, `${NOVA_SONIC_1} has none.`);
  const fromEnv = options.region === undefined && options.lanes === undefined;
  const lanes = resolveLanes(options.lanes, options.region, env);
  const regions = [...new Set(lanes.map(({ region }) => region))];
  if (!options.force) {
    if (isFirstGeneration(model)) {
      throw optionError(
        'model',
        model,
        `${NOVA_SONIC_1} is past its end of life (${NOVA_SONIC_MODEL_DETAILS[NOVA_SONIC_1].endOfLife}): use ${NOVA_SONIC_2}, or set force: true.`,
      );
    }
    if (!knownModel(model)) {
      const ids = `${NOVA_SONIC_2}, ${NOVA_SONIC_2_5}, an inference profile or ARN of one`;
      warnUnknown('model', model, `it knows ${ids}`);
    }
    checkVoice(voice, model);
    for (const unknown of regions.filter((r) => !knownRegions.includes(r))) {
      const where = fromEnv ? ' (from AWS_REGION or AWS_DEFAULT_REGION)' : '';
      const served = `Nova Sonic was served in ${knownRegions.join(', ')}`;
      warnUnknown(`region${where}`, unknown, served);
    }
  }
  const { history, retry, timeouts } = options;
  return {
    model,
    voice,
    regions,
    lanes,
    credentials: options.credentials,
    endpoint: options.endpoint,
    client: options.client,
    turnDetection: options.turnDetection ?? 'MEDIUM',
    temperature: options.temperature,
    topP: options.topP,
    maxTokens: options.maxTokens ?? 1_024,
    toolChoice: options.toolChoice,
    modalities: options.modalities ?? (isFirstGeneration(model) ? 'audio' : 'mixed'),
    inputSampleRate: options.inputSampleRate ?? 16_000,
    outputSampleRate: options.outputSampleRate ?? 24_000,
    inputChunkMs: options.inputChunkMs ?? 20,
    generateReplyTimeout: options.generateReplyTimeout ?? 10_000,
    replyCue: options.replyCue,
    speechPrompt: options.speechPrompt,
    history: {
      maxBytes: history?.maxBytes ?? 200_000,
      maxTextBytes: history?.maxTextBytes ?? 50_000,
    },
    retry: {
      maxAttempts: retry?.maxAttempts ?? Math.max(8, lanes.length + 2),
      maxOutageMs: retry?.maxOutageMs ?? 30_000,
      budget: retry?.budget ?? Math.max(40, 5 * lanes.length),
      baseDelayMs: retry?.baseDelayMs ?? 500,
      maxDelayMs: retry?.maxDelayMs ?? 8_000,
      ...(retry?.waitWhenFullMs !== undefined && { waitWhenFullMs: retry.waitWhenFullMs }),
      ...(retry?.turn && { turn: retry.turn }),
      ...(retry?.cooldownUntil && { cooldownUntil: retry.cooldownUntil }),
    },
    renewAfterMs: options.renewAfterMs ?? 360_000,
    audioBufferMs: options.audioBufferMs ?? 30_000,
    chatCtxUpdates: options.chatCtxUpdates ?? 'next-stream',
    timeouts: {
      firstEvent: timeouts?.firstEvent ?? 10_000,
      progress: timeouts?.progress ?? 10_000,
      close: timeouts?.close ?? 1_000,
    },
    voiceActivityDetector: options.voiceActivityDetector,
    logEvents: options.logEvents ?? false,
    force: options.force ?? false,
    clock: options.clock ?? systemClock,
  };
}
