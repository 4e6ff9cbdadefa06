// SPDX-License-Identifier: Apache-2.0

// The constructs, for a stack of your own; examples/ show how.
export * from './agent-alarms.js';
export * from './agent-dashboard.js';
export * from './agent-image.js';
export * from './agent-metrics.js';
export * from './agent-network.js';
export { DEFAULT_PRICES, type TokenPrices } from './container-environment.js';
export * from './livekit-credentials.js';
export * from './nova-sonic-access.js';
export * from './saved-queries.js';
export * from './session-scaling.js';
export * from './settings.js';
export * from './task-crash-log.js';
export * from './voice-agent-monitoring.js';
export * from './voice-agent-service.js';
export * from './voice-agent-stack.js';
