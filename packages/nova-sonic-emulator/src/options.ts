// SPDX-License-Identifier: Apache-2.0
import { PROFILES, type Profile } from './dialogue/profile.js';
import type { Fault } from './faults.js';
import type { Credentials } from './http2/signature.js';
import { RULE_DEFAULTS, type RuleSettings } from './protocol/rules.js';
import type { Scenario } from './scenario/scenario.js';

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
  /** Streams at a time, per access key and Region.  @default 20 */
  concurrentStreams: number;
  /** Audio that must have been sent before typed text is answered, in milliseconds.  @default 66 */
  primingAudioMs: number;
}

export const LIMIT_DEFAULTS: Limits = {
  connectionSeconds: 480.5,
  audioIdleSeconds: 55,
  speechIdleSeconds: 295,
  headersSeconds: 20,
  concurrentStreams: 20,
  primingAudioMs: 66,
};

/** How an emulator is to behave. Every field has a default. */
export interface EmulatorOptions {
  /** Port of HTTP/2 in clear text.  @default 0: any free one */
  port?: number;
  /** Port of HTTP/2 over TLS.  @default 0: any free one */
  tlsPort?: number;
  /** Port of the control address.  @default 0: any free one */
  controlPort?: number;
  /** Where the certificate to trust is written (PEM).  @default a temporary file */
  certFile?: string;
  /** What is said: a scenario, or the file of one.  @default an honest persona */
  scenario?: Scenario | string;
  /** When it is said.  @default 'capture': as the real service did */
  profile?: 'capture' | 'fast';
  /** Single timings that differ from the profile's. */
  timings?: Partial<Profile>;
  /** How many seconds of the limits' clock pass in one real second; the dialogue keeps its own pace.  @default 1 */
  timeScale?: number;
  /** Seed of jitter, ids and choices.  @default 1 */
  seed?: number;
  limits?: Partial<Limits>;
  rules?: Partial<RuleSettings>;
  /** Faults from the start; more can be set while running. */
  faults?: readonly Fault[];
  /** @default true */
  verifySignatures?: boolean;
  /** @default { accessKeyId: 'emulator', secretAccessKey: 'emulator-secret' } */
  credentials?: Credentials;
  /** Serve `amazon.nova-sonic-v1:0`, whose life has ended.  @default false */
  allowEndOfLife?: boolean;
  /** File of JSON lines that receives every session's events. */
  record?: string;
  /** Keep the audio's base64 in the recording, instead of its length.  @default false */
  recordAudio?: boolean;
  /** Told what a developer should know: violations, warnings, faults.  @default nothing */
  log?: (line: string) => void;
}

/** Options with every default filled in. */
export interface Settings
  extends Required<
    Omit<
      EmulatorOptions,
      'certFile' | 'scenario' | 'profile' | 'timings' | 'record' | 'limits' | 'rules'
    >
  > {
  profile: Profile;
  limits: Limits;
  rules: RuleSettings;
}

/** @throws Error of one sentence for a value that makes no sense */
export function resolveOptions(options: EmulatorOptions): Settings {
  const { profile = 'capture', timings, timeScale = 1 } = options;
  if (!Object.hasOwn(PROFILES, profile)) {
    throw new Error(`profile is ${JSON.stringify(profile)}; it must be "capture" or "fast".`);
  }
  if (!(timeScale > 0)) throw new Error(`timeScale is ${timeScale}; it must be above 0.`);
  return {
    port: options.port ?? 0,
    tlsPort: options.tlsPort ?? 0,
    controlPort: options.controlPort ?? 0,
    profile: { ...PROFILES[profile], ...timings },
    timeScale,
    seed: options.seed ?? 1,
    limits: { ...LIMIT_DEFAULTS, ...options.limits },
    rules: { ...RULE_DEFAULTS, ...options.rules },
    faults: options.faults ?? [],
    verifySignatures: options.verifySignatures ?? true,
    credentials: options.credentials ?? {
      accessKeyId: 'emulator',
      secretAccessKey: 'emulator-secret',
    },
    allowEndOfLife: options.allowEndOfLife ?? false,
    recordAudio: options.recordAudio ?? false,
    log: options.log ?? (() => {}),
  };
}
