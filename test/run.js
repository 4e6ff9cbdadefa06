// SPDX-License-Identifier: Apache-2.0

// Unit tests side by side, then the end-to-end tests one after the other: also when a unit test failed, so that one run
// tells everything.

import { spawnSync } from 'node:child_process';

const npm = (script) =>
  spawnSync('npm', ['run', '--silent', script], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  }).status ?? 1;

if (npm('build') !== 0) process.exit(1);
process.exit(Math.max(npm('test:unit'), npm('test:e2e')));
