// SPDX-License-Identifier: Apache-2.0

import { LIVEKIT_SECRET_ARN, PARAMETERS } from '../../lib/settings/cloudformation-parameters.js';
import { readSettings } from '../../lib/settings/read-settings.js';
import {
  allowedValues,
  CHANGES,
  SETTING_NAMES,
  type Settings,
  settingDetails,
} from '../../lib/settings/settings.js';
import type { Tables } from './fill.js';
import { cell, code, table } from './markdown.js';

const DEFAULTS = readSettings({});

/** A default as one writes it after `-c name=`. */
function shownDefault(name: keyof Settings): string {
  const value = DEFAULTS[name];
  if (value === undefined) return settingDetails(name).unset ?? 'none';
  if (Array.isArray(value)) return code(value.join(',')) || 'none';
  if (typeof value === 'object')
    return Object.keys(value).length > 0 ? code(JSON.stringify(value)) : 'none';
  return code(String(value));
}

function settings(): string {
  return table(
    ['setting', 'value', 'default', 'meaning', 'effect of a change'],
    SETTING_NAMES.map((name) => {
      const { meaning, change } = settingDetails(name);
      // A list of many values is shorter as a link.
      const allowed =
        name === 'voice'
          ? 'a [voice](../compatibility.md#models-voices-and-regions)'
          : allowedValues(name);
      return [code(name), allowed, shownDefault(name), cell(meaning), CHANGES[change]];
    }),
  );
}

function parameters(): string {
  const numbers = Object.values(PARAMETERS).map(
    ({ id, setting, unit, description, min, max, maxNote, change }) => [
      code(id),
      code(String(DEFAULTS[setting])),
      `${min} to ${max(DEFAULTS)}${unit}${maxNote ? ` (${maxNote})` : ''}`,
      cell(description(DEFAULTS)),
      CHANGES[change],
    ],
  );
  const { id, description, change } = LIVEKIT_SECRET_ARN;
  return table(
    ['parameter', 'default', 'range', 'meaning', 'effect of a change'],
    [
      ...numbers,
      [
        code(id),
        'the ARN in `liveKitSecret`, else empty',
        'the ARN of a secret',
        cell(description),
        CHANGES[change],
      ],
    ],
  );
}

export const CDK_TABLES: Tables = { 'cdk-settings': settings, 'cdk-parameters': parameters };
