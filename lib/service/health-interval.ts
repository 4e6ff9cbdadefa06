// SPDX-License-Identifier: Apache-2.0

/** Seconds between two health checks of a task. Without the CDK, because `npm run fleet` checks as often. */
export const HEALTH_CHECK_INTERVAL_S = 15;
