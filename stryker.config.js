// SPDX-License-Identifier: Apache-2.0

// Mutation tests: small faults are put into the pure modules, one at a time, and the unit tests must notice each.
// MUTATION_AREAS takes some of the areas, MUTATE some of their files, MUTATION_TESTS some of their tests.

import { AREAS } from './test/mutation/areas.js';

const { MUTATE, MUTATION_AREAS = 'plugin,worker,emulator,lib' } = process.env;

const areas = MUTATION_AREAS.split(',').map((name) => AREAS[name]);

/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  mutate: MUTATE?.split(',') ?? areas.flatMap(({ mutate }) => mutate),
  testRunner: 'collected',
  plugins: ['./test/mutation/runner.js'],
  coverageAnalysis: 'perTest',
  // A logged text or the sentence of an error may change.
  mutator: { excludedMutations: ['StringLiteral'] },
  ignoreStatic: true,
  ignorePatterns: [
    '/test/e2e',
    '/test/peers',
    '/bench',
    'dist',
    '/.cache',
    '/cdk.out',
    '/coverage',
  ],
  reporters: ['clear-text', 'progress-append-only', 'json'],
  clearTextReporter: { logTests: false, allowColor: false },
  jsonReporter: { fileName: '.cache/mutation.json' },
  tempDirName: '.cache/stryker',
  // Stryker would rewrite it with the API of TypeScript, which version 7 does not have.
  tsconfigFile: 'none.json',
  concurrency: 2,
  timeoutMS: 20_000,
  // A busy machine takes its time.
  dryRunTimeoutMinutes: 30,
};
