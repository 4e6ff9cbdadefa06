// SPDX-License-Identifier: Apache-2.0
import type { Clock } from './clock.js';
import { NOVA_2_5, PROFILES, type Profile } from './dialogue/profile.js';
import type { Fault } from './faults.js';
import type { EmulatorCredentials } from './http2/signature.js';
import { type NetworkConditions, networkConditions } from './network/network-conditions.js';
import type { Model } from './protocol/models.js';
import { RULE_DEFAULTS, type RuleSettings } from './protocol/rule-settings.js';
import type { Scenario } from './scenario/scenario.js';
import type { VoiceActivity } from './speech/speech-detector.js';
import type { TextToSpeech } from './speech/speech-synthesizer.js';

/** Limits of the service; each a setting, since they have changed before. Seconds of the emulator's clock. */
export interface Limits {
  /** Longest connection.  @default 480.5 (documented 8 minutes; measured) */
  connectionSeconds: number;
  /** Longest gap without audio or interactive content.  @default 55 */
  audioIdleSeconds: number;
  /** Longest time without speech or interactive content, while silence is sent.  @default 295 */
  speechIdleSeconds: number;
  /** Response headers are sent at the latest after this long without input.  @default 20 */
  headersSeconds: number;
  /** Streams at a time, per account and Region.  @default 20 */
  concurrentStreams: number;
  /** Audio that must have been sent before typed text is answered, in milliseconds.  @default 66 */
  primingAudioMs: number;
}

/** The limits of the service, as far as they are known; the README's table of flags has their evidence. */
export const LIMIT_DEFAULTS: Limits = {
  connectionSeconds: 480.5,
  audioIdleSeconds: 55,
  speechIdleSeconds: 295,
  headersSeconds: 20,
  concurrentStreams: 20,
  primingAudioMs: 66,
};

/** An AWS account, known by the credentials that sign for it: those of a user, or of a role that was assumed there. */
export interface EmulatedAccount extends EmulatorCredentials {
  /** Its number. Several credentials may have the same one. */
  account: string;
}

/** Options of an emulator. Every field has a default. */
export interface EmulatorOptions {
  /** Port of HTTP/2 in clear text.  @default 0: any free one */
  port?: number;
  /** Port of HTTP/2 over TLS.  @default 0: any free one */
  tlsPort?: number;
  /** Port of the control API.  @default 0: any free one */
  controlPort?: number;
  /** Address to listen on; 0.0.0.0 in a container.  @default '127.0.0.1' */
  host?: string;
  /** Further names that clients reach the emulator by: in its certificate, and for the control API.  @default none */
  hostNames?: readonly string[];
  /** Where to write the certificate to trust (PEM).  @default a temporary file */
  certFile?: string;
  /** What is said: a scenario, or the path of its file.  @default replies that say what the emulator is */
  scenario?: Scenario | string;
  /** Timing: the real service's, or as fast as possible.  @default 'capture' */
  profile?: 'capture' | 'fast';
  /** What noise leads to: nothing, or userSpeechStart and userSpeechEnd without a transcript.  @default 'silent' */
  noise?: 'silent' | 'false-speech';
  /** Voices around the caller, of people or a television: heard as the caller's, or ignored when they are less loud.  @default 'heard' */
  otherVoices?: 'heard' | 'ignored';
  /** Timings that differ from the profile's.  @default none */
  timings?: Partial<Profile>;
  /** Speeds up the limits, not the dialogue: seconds of the limits per real second.  @default 1 */
  timeScale?: number;
  /** Seed of jitter, ids and default replies.  @default 1 */
  seed?: number;
  /** Limits that differ from the service's.  @default the table of flags shows them */
  limits?: Partial<Limits>;
  /** The network between: latency, jitter and bandwidth, each way. It can be changed later.  @default none */
  network?: Partial<NetworkConditions>;
  /** Sizes of the history, and whether object schemas are accepted.  @default the table of flags shows them */
  rules?: Partial<RuleSettings>;
  /** Faults from the start; more can be set later.  @default none */
  faults?: readonly Fault[];
  /** Verify the signatures of requests and chunks.  @default true */
  verifySignatures?: boolean;
  /** Credentials to accept.  @default emulator / emulator-secret */
  credentials?: EmulatorCredentials;
  /** More accounts, each with its own quotas.  @default none: each access key is an account */
  accounts?: readonly EmulatedAccount[];
  /** Serve models past their end of life.  @default false */
  allowEndOfLife?: boolean;
  /** File to append every session's events to, as JSON lines.  @default none */
  record?: string;
  /** Keep the audio's base64 in the record file and the event log, instead of its length.  @default false */
  recordAudio?: boolean;
  /** Receives what a developer should know: violations, warnings, refused requests.  @default nothing */
  log?: (line: string) => void;
  /** Time of the sessions. A test can pass a clock that it moves by hand.  @default the machine's */
  clock?: Clock;
  /** Makes the replies' speech.  @default espeak-ng in a worker thread if text2wav is installed, else FormantVoice */
  textToSpeech?: TextToSpeech;
  /** Makes the voice activity detector of a session.  @default Silero VAD (@livekit/local-inference) */
  createVad?: () => VoiceActivity;
}

/** Options with every default filled in. */
export interface EmulatorConfig
  extends Required<
    Omit<
      EmulatorOptions,
      | 'certFile'
      | 'scenario'
      | 'profile'
      | 'timings'
      | 'record'
      | 'limits'
      | 'network'
      | 'rules'
      | 'clock'
      | 'textToSpeech'
      | 'createVad'
    >
  > {
  profile: Profile;
  timings: Partial<Profile>;
  /** The profile is the real service's. */
  measured: boolean;
  limits: Limits;
  network: NetworkConditions;
  rules: RuleSettings;
}

/** The timings of a model: those of Nova 2.5 differ where it was measured. */
export function profileFor(
  { profile, timings, measured }: Pick<EmulatorConfig, 'profile' | 'timings' | 'measured'>,
  generation: Model['generation'],
): Profile {
  return measured && generation === '2.5' ? { ...profile, ...NOVA_2_5, ...timings } : profile;
}

/** @throws Error of one sentence for a value that makes no sense */
export function resolveConfig(options: EmulatorOptions): EmulatorConfig {
  const { profile = 'capture', timings, timeScale = 1 } = options;
  if (!Object.hasOwn(PROFILES, profile)) {
    throw new Error(`profile is ${JSON.stringify(profile)}; it must be "capture" or "fast".`);
  }
  if (!(timeScale > 0)) throw new Error(`timeScale is ${timeScale}; it must be above 0.`);
  return {
    host: options.host ?? '127.0.0.1',
    hostNames: options.hostNames ?? [],
    port: options.port ?? 0,
    tlsPort: options.tlsPort ?? 0,
    controlPort: options.controlPort ?? 0,
    profile: { ...PROFILES[profile], ...timings },
    timings: timings ?? {},
    measured: profile === 'capture',
    noise: options.noise ?? 'silent',
    otherVoices: options.otherVoices ?? 'heard',
    timeScale,
    seed: options.seed ?? 1,
    limits: { ...LIMIT_DEFAULTS, ...options.limits },
    network: networkConditions(options.network ?? {}),
    rules: { ...RULE_DEFAULTS, ...options.rules },
    faults: options.faults ?? [],
    verifySignatures: options.verifySignatures ?? true,
    credentials: options.credentials ?? {
      accessKeyId: 'emulator',
      secretAccessKey: 'emulator-secret',
    },
    accounts: options.accounts ?? [],
    allowEndOfLife: options.allowEndOfLife ?? false,
    recordAudio: options.recordAudio ?? false,
    log: options.log ?? (() => {}),
  };
}
