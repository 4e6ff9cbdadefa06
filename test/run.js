// SPDX-License-Identifier: Apache-2.0

// Unit tests on every core, then the end-to-end tests one file after the other, because they measure and talk in real
// time: also when a unit test failed, so that one run shows everything. A test that fails once has failed.

import { spawnSync } from 'node:child_process';

function npm(script) {
  const { status } = spawnSync('npm', ['run', '--silent', script], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  return status === 0;
}

const passed = [npm('test:unit'), npm('test:e2e')];
process.exit(passed.every(Boolean) ? 0 : 1);
