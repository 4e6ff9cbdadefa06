// SPDX-License-Identifier: Apache-2.0
import type { SessionConfig } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/session-config.js';

/** What a stream is opened with when a test does not care. */
export const SESSION_CONFIG: SessionConfig = {
  maxTokens: 1,
  topP: 1,
  temperature: 1,
  voiceId: 'tiffany',
  inputSampleRate: 16_000,
  outputSampleRate: 24_000,
  tools: [],
};
