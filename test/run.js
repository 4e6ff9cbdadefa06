// SPDX-License-Identifier: Apache-2.0

// Unit tests on every core; then the end-to-end tests and the fleets, one file at a time: a browser, a LiveKit server and
// calls in real time fill two cores, and two files at once took longer than one after the other. Each part runs also when one before it failed, so that one run shows everything. A test
// that fails once has failed.

import { spawnSync } from 'node:child_process';

function npm(script) {
  const { status } = spawnSync('npm', ['run', '--silent', script], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  return status === 0;
}

const passed = [npm('test:unit'), npm('test:e2e'), npm('test:fleet')];
process.exit(passed.every(Boolean) ? 0 : 1);
