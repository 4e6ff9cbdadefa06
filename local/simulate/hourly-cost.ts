// SPDX-License-Identifier: Apache-2.0

import { DEFAULT_TOKEN_PRICES } from 'livekit-plugin-nova-sonic/models';

/** USD an hour of a task of the default size on ARM, with its address; docs/cost.md has the sources. */
export const TASK_HOUR_USD = 2 * 0.03238 + 4 * 0.00356 + 0.005;

/** Tokens of a minute in which the agent speaks half of the time; docs/cost.md says what is assumed. */
const MINUTE_TOKENS = { audioIn: 60 * 25, audioOut: 30 * 25, textIn: 300, textOut: 150 };

/** USD of a minute of a call in Bedrock. */
export const CALL_MINUTE_USD = Object.entries(MINUTE_TOKENS).reduce(
  (sum, [kind, tokens]) =>
    sum + (tokens * DEFAULT_TOKEN_PRICES[kind as keyof typeof MINUTE_TOKENS]) / 1e6,
  0,
);
