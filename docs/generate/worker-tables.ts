// SPDX-License-Identifier: Apache-2.0

import { ENVIRONMENT_VARIABLES } from '../../agent/src/environment.js';
import type { Tables } from './fill.js';
import { cell, code, table } from './markdown.js';

const SET_BY = {
  stack: 'the stack',
  operator: 'you, with `environment`',
  ecs: 'ECS',
} as const;

function environmentVariables(): string {
  return table(
    ['variable', 'value', 'default', 'meaning', 'set by'],
    ENVIRONMENT_VARIABLES.map((variable) => [
      code(variable.name),
      variable.allowed,
      code(variable.default ?? ''),
      cell(variable.description) +
        (variable.formerName ? `. Deprecated name: ${code(variable.formerName)}` : ''),
      SET_BY[variable.setBy],
    ]),
  );
}

export const WORKER_TABLES: Tables = { 'environment-variables': environmentVariables };
