// SPDX-License-Identifier: Apache-2.0
export type { Clock, TimerLag } from './clock.js';
export type { StreamEndpoint } from './compare/bedrock-stream.js';
export { type Comparison, compareEndpoints, type Difference } from './compare/compare.js';
export type { Observation, ObserveOptions } from './compare/observe.js';
export type { EmulatorStats } from './control.js';
export type { Profile } from './dialogue/profile.js';
export { type Emulator, startEmulator } from './emulator.js';
export type { EmulatorEvent, EventFilter, EventLog } from './event-log.js';
export type { ActiveFault, Fault, FaultKind } from './faults.js';
export type { EmulatorCredentials } from './http2/signature.js';
export type { NetworkConditions } from './network/network-conditions.js';
export {
  type EmulatedAccount,
  type EmulatorOptions,
  LIMIT_DEFAULTS,
  type Limits,
} from './options.js';
export { EMULATED_MODELS, type EmulatedModel, type Voice } from './protocol/models.js';
export type { RuleSettings } from './protocol/rule-settings.js';
export {
  EVIDENCE,
  type Evidence,
  PROTOCOL_RULES,
  type ProtocolRule,
  type RuleName,
} from './protocol/rules.js';
export {
  type RecordingProxy,
  type RecordingProxyOptions,
  startRecordingProxy,
} from './record/recording-proxy.js';
export type {
  ErrorStep,
  Scenario,
  ScenarioCall,
  ScenarioStep,
  ScenarioTurn,
} from './scenario/scenario.js';
export type { SessionInfo } from './session/session.js';
export { FormantVoice } from './speech/formant-voice.js';
export type { VoiceActivity } from './speech/speech-detector.js';
export type { TextToSpeech } from './speech/speech-synthesizer.js';
export { type Finding, type RecordingReport, validateRecording } from './validate.js';
