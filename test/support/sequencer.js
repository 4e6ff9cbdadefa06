// SPDX-License-Identifier: Apache-2.0

// Plain JavaScript: jest.config.js uses it.

import TestSequencer from '@jest/test-sequencer';

/** The longest files, the longest first. */
const LONGEST = [
  'livekit-plugin-nova-sonic/package.test.ts',
  'continuation/noisy-calls.test.ts',
  'day/day.test.ts',
  'nova-sonic-emulator/package.test.ts',
  'watcher/caller-watcher.test.ts',
  'compare/compare.test.ts',
  'watcher/lost-workers.test.ts',
  'settings/settings-effects.test.ts',
  'docs/generated.test.ts',
  'bin/app.test.ts',
];

/** These first, so that none runs alone at the end; a fresh checkout knows no times, by which Jest would order them. */
export default class LongestFirst extends TestSequencer {
  sort(tests) {
    const rank = ({ path }) => {
      const index = LONGEST.findIndex((file) => path.endsWith(file));
      return index < 0 ? LONGEST.length : index;
    };
    return super.sort(tests).sort((a, b) => rank(a) - rank(b));
  }
}
