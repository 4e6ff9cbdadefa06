// SPDX-License-Identifier: Apache-2.0

// Unit tests side by side, then the end-to-end tests one after the other: also when a unit test failed, so that one run
// tells everything. In CI, files of end-to-end tests that failed run a second time, aloud: they start dozens of
// processes and talk in real time, on machines that others load. What fails twice has failed.

import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const counts = join(mkdtempSync(join(tmpdir(), 'counts-')), 'counts');
const read = () =>
  existsSync(counts)
    ? readFileSync(counts, 'utf8')
        .trim()
        .split('\n')
        .map((line) => line.split(' ').map(Number))
    : [];

function npm(script, ...args) {
  const { status } = spawnSync('npm', ['run', '--silent', script, '--', ...args], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
    env: { ...process.env, TEST_COUNTS: counts },
  });
  const [passed = 0, failed = 0, skipped = 0] = read().at(-1) ?? [];
  return { failure: status !== 0, passed, failed, skipped };
}

/** For `.ci/run`, which adds up. */
function tell({ passed, failed, skipped }) {
  if (process.env.TEST_COUNTS)
    appendFileSync(process.env.TEST_COUNTS, `${passed} ${failed} ${skipped}\n`);
}

if (npm('build').failure) process.exit(1);
const unit = npm('test:unit');
tell(unit);
let e2e = npm('test:e2e');
if (e2e.failure && process.env.CI) {
  console.log('\nAGAIN: some end-to-end tests failed, see above; their files run a second time.\n');
  const again = npm('test:e2e', '--onlyFailures');
  // A second run of no test at all would be no proof.
  const ran = again.passed + again.failed > 0;
  if (ran) {
    const passed = e2e.passed + e2e.failed - again.failed;
    e2e = { failure: again.failure, passed, failed: again.failed, skipped: e2e.skipped };
  }
}
tell(e2e);
process.exit(unit.failure || e2e.failure ? 1 : 0);
