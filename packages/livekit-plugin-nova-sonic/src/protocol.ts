// SPDX-License-Identifier: Apache-2.0
/**
 * Sonic's events without LiveKit: builders, their legal order, and the parser. Published as
 * `livekit-plugin-nova-sonic/protocol`.
 *
 * @experimental Names may change in a minor version.
 */

export * from './protocol/client-event-sequencer.js';
export * from './protocol/client-events.js';
export * from './protocol/server-events.js';
export type { SessionConfig, ToolSpec } from './protocol/session-config.js';
