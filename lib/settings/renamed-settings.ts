// SPDX-License-Identifier: Apache-2.0

import { renamed } from '../deprecation.js';

/** Old names of settings, which still work. */
export const RENAMED_SETTINGS = {
  secret: 'liveKitSecret',
  targetSlotShare: 'targetSlotUtilization',
} as const;

/**
 * Moves the values of old names to the new ones. A new name that has its default does not count as given, since cdk.json
 * lists defaults: `-c secret=…` works beside them.
 *
 * @returns the settings under their new names, one warning for each old name, and one sentence for each contradiction
 */
export function resolveRenamedSettings(
  given: Readonly<Record<string, unknown>>,
  defaults: Readonly<Record<string, unknown>>,
): { settings: Record<string, unknown>; warnings: string[]; problems: string[] } {
  const settings = { ...given };
  const warnings: string[] = [];
  const problems: string[] = [];
  for (const [oldName, newName] of Object.entries(RENAMED_SETTINGS)) {
    if (settings[oldName] === undefined) continue;
    const oldValue = settings[oldName];
    delete settings[oldName];
    const newValue = settings[newName];
    const isSet = newValue !== undefined && String(newValue) !== String(defaults[newName]);
    if (isSet && String(newValue) !== String(oldValue)) {
      problems.push(
        `"${oldName}" is the deprecated name of "${newName}", and both are set: remove "${oldName}".`,
      );
      continue;
    }
    settings[newName] = oldValue;
    warnings.push(renamed(oldName, newName));
  }
  return { settings, warnings, problems };
}
