// SPDX-License-Identifier: Apache-2.0

// The unit tests as StrykerJS runs them: one project, and only those of the areas that are mutated.

import config from './jest.config.js';
import { AREAS } from './test/mutation-areas.js';

const [{ displayName: _, ...unit }] = config.projects;
const { MUTATION_AREAS = 'plugin,worker,emulator,lib', MUTATION_TESTS } = process.env;

/** @type {import('jest').Config} */
export default {
  ...unit,
  testTimeout: config.testTimeout,
  testMatch: (
    MUTATION_TESTS?.split(',') ?? MUTATION_AREAS.split(',').flatMap((area) => AREAS[area].tests)
  ).map((tests) => `<rootDir>/${tests}`),
};
