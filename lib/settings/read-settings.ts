// SPDX-License-Identifier: Apache-2.0

import { distance } from 'fastest-levenshtein';
import type { z } from 'zod';
import { resolveRenamedSettings } from './renamed-settings.js';
import { allowedValues, SETTING_NAMES, type Settings, settingsSchema } from './settings.js';
import { validateCombinations } from './validate-combinations.js';

/** A name with more wrong characters than this is no misspelling. */
const MAX_EDITS = 4;

/** Invalid settings: one sentence a line. */
export class SettingsError extends Error {
  override name = 'SettingsError';
}

/**
 * Reads the settings from the CDK's context: cdk.json, cdk.context.json, and `-c name=value`, which wins.
 *
 * @param warn called once for each deprecated name in use, with one line that names the new one; by default it is
 * written to standard error
 * @throws SettingsError with one sentence for each invalid value and each invalid combination
 */
export function readSettings(
  context: Readonly<Record<string, unknown>>,
  warn: (warning: string) => void = (warning) => process.stderr.write(`${warning}\n`),
): Settings {
  // The CDK keeps its own entries in the context too; theirs all have a colon, a slash or a hyphen.
  const own = Object.fromEntries(
    Object.entries(context).filter(
      ([name, value]) => (/^\w+$/.test(name) || isHyphenated(name)) && value !== undefined,
    ),
  );
  const { settings: given, warnings, problems } = resolveRenamedSettings(own, DEFAULTS);
  if (problems.length > 0) throw new SettingsError(problems.join('\n'));
  const parsed = settingsSchema.safeParse(given);
  const found = parsed.success
    ? validateCombinations(parsed.data)
    : [...new Set(parsed.error.issues.flatMap((issue) => sentences(issue, given)))];
  if (found.length > 0) throw new SettingsError(found.join('\n'));
  for (const warning of warnings) warn(warning);
  return parsed.data as Settings;
}

const DEFAULTS: Readonly<Record<string, unknown>> = settingsSchema.parse({});

/** `max-tasks`: the spelling of most command lines, which would otherwise be ignored without a word. */
function isHyphenated(name: string): boolean {
  const letters = name.replaceAll('-', '').toLowerCase();
  return SETTING_NAMES.some((known) => known.toLowerCase() === letters);
}

function sentences(issue: z.core.$ZodIssue, given: Record<string, unknown>): string[] {
  if (issue.code === 'unrecognized_keys' && issue.path.length === 0) {
    return issue.keys.map(unknownSetting);
  }
  const name = String(issue.path[0]) as keyof Settings;
  return [
    `The setting "${name}" cannot be ${JSON.stringify(given[name])}: it must be ${allowedValues(name)}.`,
  ];
}

function unknownSetting(name: string): string {
  const [closest] = SETTING_NAMES.map((known) => ({
    known,
    // Of names that differ much in length nothing is to be computed.
    edits:
      Math.abs(name.length - known.length) > MAX_EDITS
        ? Number.POSITIVE_INFINITY
        : distance(name.toLowerCase(), known.toLowerCase()),
  })).toSorted((a, b) => a.edits - b.edits);
  const hint =
    closest && closest.edits <= Math.min(MAX_EDITS, name.length / 2)
      ? `did you mean "${closest.known}"?`
      : 'docs/operations/configuration.md lists all settings.';
  return `The setting "${name}" is unknown: ${hint}`;
}
