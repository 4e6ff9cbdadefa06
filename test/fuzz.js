// SPDX-License-Identifier: Apache-2.0

// `npm run fuzz`: 100,000 inputs (FUZZ_RUNS) of each kind that comes in from outside, another 100,000 each time.
// FUZZ_SEED repeats a run.

import { spawnSync } from 'node:child_process';

const { FUZZ_RUNS = '100000', FUZZ_SEED = String(Date.now() % 2 ** 31) } = process.env;
console.log(`FUZZ_RUNS=${FUZZ_RUNS} FUZZ_SEED=${FUZZ_SEED}`);
const { status } = spawnSync(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--no-warnings',
    'node_modules/jest/bin/jest.js',
    ...['--selectProjects', 'unit', '--ci', '--verbose', 'test/fuzz/', ...process.argv.slice(2)],
  ],
  { stdio: 'inherit', env: { ...process.env, FUZZ_RUNS, FUZZ_SEED } },
);
process.exit(status ?? 1);
