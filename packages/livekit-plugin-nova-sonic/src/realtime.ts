// SPDX-License-Identifier: Apache-2.0
/** The names under which LiveKit's users look for a realtime model: `import { realtime } from '…'`. */

export * from './protocol/models.js';
export { RealtimeModel } from './realtime-model.js';
export { RealtimeSession } from './session/realtime-session.js';
