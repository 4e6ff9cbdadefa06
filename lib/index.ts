// SPDX-License-Identifier: Apache-2.0

// The constructs, for use in your own stack; see examples/.
export { DEFAULT_TOKEN_PRICES, type TokenPrices } from 'livekit-plugin-nova-sonic/models';
export * from './access/bedrock-lane-role.js';
export { ContainerSecret, validateSecret } from './access/container-secret.js';
export * from './access/livekit-credentials.js';
export * from './access/nova-sonic-access.js';
export type { NovaSonicLane, NovaSonicLaneProps } from './access/nova-sonic-lanes.js';
export * from './deprecated-names.js';
export * from './image/agent-image.js';
export { pinnedImage } from './image/pinned-image.js';
export * from './monitoring/agent-alarms.js';
export type { AgentAlarmsProps, AlarmChange } from './monitoring/agent-alarms-props.js';
export * from './monitoring/agent-dashboard.js';
export { type AlarmThresholds, DEFAULT_THRESHOLDS } from './monitoring/alarm-thresholds.js';
export * from './monitoring/deployment-alarms.js';
export * from './monitoring/logs-insights-queries.js';
export * from './monitoring/monthly-budget.js';
export type { AlarmName, AlarmSeverity } from './monitoring/runbooks.js';
export * from './monitoring/service-level.js';
export * from './monitoring/synthetic-call.js';
export * from './monitoring/task-crash-log.js';
export * from './monitoring/voice-agent-monitoring.js';
export * from './network/agent-network.js';
export * from './scaling/call-scaling.js';
export * from './service/agent-metrics.js';
export * from './service/call-traces.js';
export * from './service/voice-agent-service.js';
export type { VoiceAgentServiceProps } from './service/voice-agent-service-props.js';
export * from './settings/read-settings.js';
export { SETTING_NAMES, type Settings } from './settings/settings.js';
export * from './voice-agent-stack.js';
