// SPDX-License-Identifier: Apache-2.0

import type { Command } from 'commander';
import { createProgram as call } from '../../local/call.js';
import { createProgram as fleet } from '../../local/fleet.js';
import { createProgram as playground } from '../../local/playground.js';
import { createProgram as preflight } from '../../local/preflight.js';
import { createProgram as simulate } from '../../local/simulate.js';
import { createProgram as start } from '../../local/start.js';
import { createProgram as emulator } from '../../packages/nova-sonic-emulator/src/program.js';
import type { Tables } from './fill.js';
import { capitalized, code, table } from './markdown.js';

/** The arguments and options of a program, as its --help describes them. */
const flags = (createProgram: () => Command) => () => {
  const program = createProgram();
  const rows = [
    ...program.registeredArguments.map((argument) => ({
      term: `${argument.required ? '<' : '['}${argument.name()}${argument.variadic ? '...' : ''}${argument.required ? '>' : ']'}`,
      description: argument.description,
      value: argument.defaultValue,
    })),
    ...program.options
      .filter(({ hidden }) => !hidden)
      .map((option) => ({
        term: option.flags,
        description: option.argChoices
          ? `${option.description} (${option.argChoices.join(', ')})`
          : option.description,
        value: option.defaultValueDescription ?? (option.negate ? undefined : option.defaultValue),
      })),
  ];
  return table(
    ['flag', 'meaning', 'default'],
    rows.map(({ term, description, value }) => [
      code(term),
      capitalized(description),
      value === undefined || value === false ? '' : code(String(value)),
    ]),
  );
};

export const FLAG_TABLES: Tables = {
  'start-flags': flags(start),
  'call-flags': flags(call),
  'playground-flags': flags(playground),
  'preflight-flags': flags(preflight),
  'fleet-flags': flags(fleet),
  'simulate-flags': flags(simulate),
  'emulator-flags': flags(emulator),
};
