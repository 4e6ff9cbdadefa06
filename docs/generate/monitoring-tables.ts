// SPDX-License-Identifier: Apache-2.0

import { METRICS } from '../../agent/src/telemetry/metric-definitions.js';
import { DEFAULT_THRESHOLDS } from '../../lib/monitoring/alarm-thresholds.js';
import { RUNBOOKS, type Runbook } from '../../lib/monitoring/runbooks.js';
import type { Tables } from './fill.js';
import { capitalized, cell, code, table } from './markdown.js';

function metrics(): string {
  return table(
    ['metric', 'unit', 'statistic', 'extra dimension', 'meaning'],
    Object.entries(METRICS).map(([name, { unit, statistic, dimension, description }]) => [
      code(name),
      unit,
      statistic,
      code(dimension ?? ''),
      cell(description),
    ]),
  );
}

function alarms(): string {
  return table(
    ['alarm', 'severity', 'goes off when', 'first thing to do'],
    Object.entries<Runbook>(RUNBOOKS).map(([name, { severity, condition, firstAction }]) => [
      `[${name}](runbooks.md#${name.toLowerCase()})`,
      severity,
      condition(DEFAULT_THRESHOLDS),
      capitalized(cell(firstAction)),
    ]),
  );
}

export const MONITORING_TABLES: Tables = { metrics, alarms };
