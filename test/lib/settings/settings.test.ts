// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { readSettings } from '../../../lib/settings/read-settings.js';
import { SETTING_NAMES, settingDetails } from '../../../lib/settings/settings.js';

describe('settings', () => {
  test('are all documented, also what happens without a value', () => {
    const defaults: Record<string, unknown> = readSettings({});
    for (const name of SETTING_NAMES) {
      const { meaning, unset } = settingDetails(name);
      expect(meaning).toMatch(/^[A-Z`].+[.*]$/);
      expect([name, unset === undefined]).toEqual([name, defaults[name] !== undefined]);
    }
  });
});
