// SPDX-License-Identifier: Apache-2.0
import { Plugin } from '@livekit/agents';
import { PACKAGE_NAME, PACKAGE_VERSION } from './version.js';

export type { VoiceActivityDetector } from './audio/voice-activity.js';
export type { Clock } from './clock.js';
export type { Credentials, Lane, NamedLane } from './lanes.js';
export type {
  HistoryLimits,
  Modalities,
  RealtimeModelOptions,
  ResolvedOptions,
  RetryOptions,
  TimeoutOptions,
  TurnDetection,
} from './options.js';
export type { ClientEvent } from './protocol/client-events.js';
export {
  classifyError,
  type ErrorKindDetails,
  isNovaSonicError,
  NOVA_SONIC_ERROR_KINDS,
  NovaSonicError,
  type NovaSonicErrorKind,
} from './protocol/errors.js';
export * from './protocol/models.js';
export * as realtime from './realtime.js';
export { RealtimeModel } from './realtime-model.js';
export { RealtimeSession } from './session/realtime-session.js';
export type { SessionOptions } from './session/session-settings.js';
export type {
  BargeIn,
  BargeInSign,
  BedrockEvent,
  RealtimeSessionEvents,
  StreamLifecycle,
  ToolCallEnded,
  ToolCallStarted,
  TurnTiming,
} from './session-events.js';
export { prewarm } from './stream/prewarm.js';

class NovaSonicPlugin extends Plugin {
  constructor() {
    super({ title: 'nova-sonic', version: PACKAGE_VERSION, package: PACKAGE_NAME });
  }
}

Plugin.registerPlugin(new NovaSonicPlugin());
