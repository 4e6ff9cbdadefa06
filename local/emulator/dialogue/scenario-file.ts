// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { Scenario } from './scenario.js';

/** Reads a scenario from a YAML or JSON file. */
export function loadScenario(path: string): Scenario {
  return parse(readFileSync(path, 'utf8')) as Scenario;
}
