// SPDX-License-Identifier: Apache-2.0

// Old names of what lib/index.ts exports.

import { DEFAULT_TOKEN_PRICES } from 'livekit-plugin-nova-sonic/models';
import {
  LogsInsightsQueries,
  type LogsInsightsQueriesProps,
} from './monitoring/logs-insights-queries.js';
import { CallScaling, type CallScalingProps } from './scaling/call-scaling.js';

/** @deprecated Use `CallScaling`. */
export const SessionScaling = CallScaling;
/** @deprecated Use `CallScaling`. */
export type SessionScaling = CallScaling;
/** @deprecated Use `CallScalingProps`. */
export type SessionScalingProps = CallScalingProps;

/** @deprecated Use `LogsInsightsQueries`. */
export const SavedQueries = LogsInsightsQueries;
/** @deprecated Use `LogsInsightsQueries`. */
export type SavedQueries = LogsInsightsQueries;
/** @deprecated Use `LogsInsightsQueriesProps`. */
export type SavedQueriesProps = LogsInsightsQueriesProps;

/** @deprecated Use `DEFAULT_TOKEN_PRICES`. */
export const DEFAULT_PRICES = DEFAULT_TOKEN_PRICES;
