// SPDX-License-Identifier: Apache-2.0

import { NOVA_SONIC_MODEL_DETAILS } from 'livekit-plugin-nova-sonic/models';
import type { Tables } from './fill.js';
import { interfaceFields } from './interface-fields.js';
import { cell, code, table } from './markdown.js';

function models(): string {
  return table(
    ['model', 'ID', 'Regions', 'voices (languages)', 'end of life'],
    Object.entries(NOVA_SONIC_MODEL_DETAILS).map(([id, { name, regions, voices, endOfLife }]) => [
      name,
      code(id),
      regions.join(', '),
      Object.entries(voices)
        .map(([voice, languages]) => `${voice} (${languages})`)
        .join(', '),
      endOfLife ?? '',
    ]),
  );
}

const options = (path: string, name: string) => () =>
  table(
    ['option', 'type', 'default', 'meaning'],
    interfaceFields(new URL(`../../packages/${path}`, import.meta.url), name).map((field) => [
      code(field.name),
      code(field.type),
      field.default,
      cell(field.description),
    ]),
  );

export const PACKAGE_TABLES: Tables = {
  models,
  'plugin-options': options('livekit-plugin-nova-sonic/src/options.ts', 'RealtimeModelOptions'),
  'emulator-options': options('nova-sonic-emulator/src/options.ts', 'EmulatorOptions'),
};
