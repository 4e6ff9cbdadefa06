// SPDX-License-Identifier: Apache-2.0

import type { Command } from 'commander';
import { createProgram as call } from '../../local/call.js';
import { createProgram as dial } from '../../local/dial.js';
import { createProgram as fleet } from '../../local/fleet.js';
import { createProgram as phone } from '../../local/phone.js';
import { createProgram as playground } from '../../local/playground.js';
import { createProgram as preflight } from '../../local/preflight.js';
import { createProgram as simulate } from '../../local/simulate.js';
import { createProgram as start } from '../../local/start.js';
import { createProgram as trace } from '../../local/trace.js';
import { createProgram as emulator } from '../../packages/nova-sonic-emulator/src/program.js';
import type { Tables } from './fill.js';
import { capitalized, code, table } from './markdown.js';

/** The command of a program, to be described by itself. */
const commandOf = (createProgram: () => Command, name: string) => () => {
  const command = createProgram().commands.find((one) => one.name() === name);
  if (!command) throw new Error(`There is no command ${name}.`);
  return command;
};

/**
 * The arguments and options of a program, as its --help describes them.
 * @param createOther A program whose options are described elsewhere
 */
const flags = (createProgram: () => Command, createOther?: () => Command) => () => {
  const program = createProgram();
  const elsewhere = createOther?.().options.map((option) => option.flags) ?? [];
  const rows = [
    ...program.registeredArguments.map((argument) => ({
      term: `${argument.required ? '<' : '['}${argument.name()}${argument.variadic ? '...' : ''}${argument.required ? '>' : ']'}`,
      description: argument.description,
      value: argument.defaultValue,
    })),
    ...program.options
      .filter((option) => !option.hidden && !elsewhere.includes(option.flags))
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

const showPhones = commandOf(phone, 'show');

export const FLAG_TABLES: Tables = {
  'start-flags': flags(start),
  'call-flags': flags(call),
  'playground-flags': flags(playground),
  'preflight-flags': flags(preflight),
  'phone-show-flags': flags(showPhones),
  'phone-inbound-flags': flags(commandOf(phone, 'inbound'), showPhones),
  'phone-outbound-flags': flags(commandOf(phone, 'outbound'), showPhones),
  'phone-remove-flags': flags(commandOf(phone, 'remove'), showPhones),
  'dial-flags': flags(dial),
  'trace-flags': flags(trace),
  'fleet-flags': flags(fleet),
  'simulate-flags': flags(simulate),
  'emulator-flags': flags(emulator),
};
