// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs';
import { describe, expect, jest, test } from '@jest/globals';
import { readSettings } from '../../../lib/settings/read-settings.js';
import { mistakes } from './setting-mistakes.js';

describe('a deprecated name', () => {
  const read = (context: Record<string, unknown>) => {
    const warnings: string[] = [];
    return { settings: readSettings(context, (warning) => warnings.push(warning)), warnings };
  };

  test.each([
    ['secret', 'liveKitSecret', 'team/livekit', 'team/livekit'],
    ['targetSlotShare', 'targetSlotUtilization', '50', 50],
  ] as const)('"%s" still sets "%s", with one warning', (oldName, newName, given, becomes) => {
    const { settings, warnings } = read({ [oldName]: given });
    expect(settings).toEqual({ ...readSettings({}), [newName]: becomes });
    expect(warnings).toEqual([`"${oldName}" is deprecated and will be removed: use "${newName}".`]);
  });

  test('wins over the default that cdk.json gives the new name', () => {
    const { context } = JSON.parse(
      readFileSync(new URL('../../../cdk.json', import.meta.url), 'utf8'),
    );
    expect(read({ ...context, secret: 'team/livekit' }).settings.liveKitSecret).toBe(
      'team/livekit',
    );
  });

  test('beside the same value of the new name is none, and its warning goes to standard error', () => {
    const write = jest.spyOn(process.stderr, 'write').mockImplementation(() => true);
    try {
      const both = { secret: 'team/one', liveKitSecret: 'team/one' };
      expect(readSettings(both).liveKitSecret).toBe('team/one');
      expect(write.mock.calls).toEqual([
        ['"secret" is deprecated and will be removed: use "liveKitSecret".\n'],
      ]);
    } finally {
      jest.restoreAllMocks();
    }
  });

  test('beside another value of the new name is an error', () => {
    expect(mistakes({ secret: 'team/one', liveKitSecret: 'team/two' })).toEqual([
      '"secret" is the deprecated name of "liveKitSecret", and both are set: remove "secret".',
    ]);
  });
});
