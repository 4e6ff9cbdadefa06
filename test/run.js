// SPDX-License-Identifier: Apache-2.0

// Unit tests on every core; then the end-to-end tests and the fleets, one file at a time: a browser, a LiveKit server and
// calls in real time fill two cores, and two files at once took longer than one after the other. What has no agent
// fits beside the fleets, and is printed after them. Each part runs also when one before it failed, so that one run
// shows everything. A test that fails once has failed.

import { writeFileSync } from 'node:fs';
import { execa } from 'execa';

const WITHOUT_AGENT = 'e2e/(phone|caller-audio)';
const WITH_AGENT = 'e2e/(?!phone|caller-audio|fleet)';

/** Runs a script. @param files a pattern of the test files; without one, all of the script's */
function npm(script, files, options = { stdio: 'inherit' }) {
  const args = ['run', '--silent', script, ...(files ? ['--', files] : [])];
  return execa('npm', args, { ...options, reject: false });
}

const unit = await npm('test:unit');
// `.ci/run` uses what the other tests leave of the machine.
if (process.env.UNIT_TESTS_ENDED) writeFileSync(process.env.UNIT_TESTS_ENDED, '');
const endToEnd = await npm('test:e2e', WITH_AGENT);
const beside = npm('test:e2e', WITHOUT_AGENT, { all: true, buffer: true });
const fleets = await npm('test:fleet');
const withoutAgent = await beside;
process.stdout.write(`${withoutAgent.all}\n`);
process.exit([unit, endToEnd, fleets, withoutAgent].some(({ failed }) => failed) ? 1 : 0);
