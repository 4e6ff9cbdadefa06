// SPDX-License-Identifier: Apache-2.0

import { readSettings, SettingsError } from '../../../lib/settings/read-settings.js';

/** What is wrong with these settings, a sentence each. */
export const mistakes = (context: Record<string, unknown>): string[] => {
  try {
    readSettings(context);
  } catch (error) {
    if (error instanceof SettingsError) return error.message.split('\n');
    throw error;
  }
  return [];
};
