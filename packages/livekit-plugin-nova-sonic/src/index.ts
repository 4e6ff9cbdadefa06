// SPDX-License-Identifier: Apache-2.0

export type { Clock } from './clock.js';
export type { RetryOptions } from './continuation/retry-policy.js';
export type { HistoryLimits } from './history/chat-context.js';
export type {
  Credentials,
  Modalities,
  RealtimeModelOptions,
  ResolvedOptions,
  TurnDetection,
} from './options.js';
export {
  classifyError,
  isNovaSonicError,
  NovaSonicError,
  type NovaSonicErrorKind,
} from './protocol/errors.js';
export * from './protocol/models.js';
export type { ClientEvent } from './protocol/server-events.js';
export * as realtime from './realtime.js';
export { RealtimeModel } from './realtime-model.js';
export { RealtimeSession } from './session/realtime-session.js';
export type { SessionOptions } from './session/session-settings.js';
export type {
  BargeIn,
  BedrockEvent,
  RealtimeSessionEvents,
  StreamLifecycle,
  ToolCallEnded,
  ToolCallStarted,
  TurnTiming,
} from './session-events.js';
export { prewarm } from './stream/prewarm.js';
export type { BargeInSign } from './turns/effects.js';
