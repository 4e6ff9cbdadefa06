// SPDX-License-Identifier: Apache-2.0

import type { EcsFaults } from './ecs-endpoint.js';

/** Faults of ECS by name, of the agent endpoint and of the API alike. */
export const ECS_FAULTS = {
  none: {},
  /** As long as the worker waits for the agent endpoint. */
  slow: { delayMs: () => 4_000 },
  hang: { behaviour: () => 'silent' },
  error: { behaviour: () => 'broken' },
} as const satisfies Record<string, EcsFaults>;

export type EcsFault = keyof typeof ECS_FAULTS;
