// SPDX-License-Identifier: Apache-2.0

export * from './access/livekit-credentials.js';
export * from './access/nova-sonic-access.js';
export * from './image/agent-image.js';
// The constructs, for a stack of your own; examples/ show how.
export * from './monitoring/agent-alarms.js';
export * from './monitoring/agent-dashboard.js';
export * from './monitoring/logs-insights-queries.js';
export * from './monitoring/task-crash-log.js';
export * from './monitoring/voice-agent-monitoring.js';
export * from './network/agent-network.js';
export * from './scaling/call-scaling.js';
export * from './service/agent-metrics.js';
export { DEFAULT_PRICES, type TokenPrices } from './service/container-environment.js';
export * from './service/voice-agent-service.js';
export * from './settings/settings.js';
export * from './voice-agent-stack.js';
