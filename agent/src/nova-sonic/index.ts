// SPDX-License-Identifier: Apache-2.0

export type { Clock } from './clock.js';
export type { BargeInSign } from './effects.js';
export {
  classifyError,
  isNovaSonicError,
  NovaSonicError,
  type NovaSonicErrorKind,
} from './errors.js';
export type { ClientEvent } from './events.js';
export type { HistoryLimits } from './history.js';
export type {
  Credentials,
  Modalities,
  RealtimeModelOptions,
  ResolvedOptions,
  TurnDetection,
} from './options.js';
export { prewarm } from './prewarm.js';
export * as realtime from './realtime.js';
export { RealtimeModel } from './realtime-model.js';
export { RealtimeSession } from './realtime-session.js';
export type { RetryOptions } from './retry.js';
export type {
  BargeIn,
  BedrockEvent,
  RealtimeSessionEvents,
  StreamLifecycle,
  ToolCallEnded,
  ToolCallStarted,
  TurnTiming,
} from './session-events.js';
export type { SessionOptions } from './stream-settings.js';
export * from './voices.js';
