// SPDX-License-Identifier: Apache-2.0

// The end-to-end tests and the fleets, one file at a time: a browser, a LiveKit server and calls in real time fill two
// cores at times, and two files at once took longer than one after the other. They mostly wait for sound: the unit tests
// run beside them on every core, at a low priority. What has no agent fits beside the fleets. What runs beside is
// printed when the part before it has ended. Each part runs also when one before it failed, so that one run shows
// everything. A test that fails once has failed.

import { constants, setPriority } from 'node:os';
import { execa } from 'execa';

const WITHOUT_AGENT = 'e2e/(phone|caller-audio)';
const WITH_AGENT = 'e2e/(?!phone|caller-audio|fleet)';

/** Runs a script. @param files a pattern of the test files; without one, all of the script's */
function npm(script, files, options = { stdio: 'inherit' }) {
  const args = ['run', '--silent', script, ...(files ? ['--', files] : [])];
  return execa('npm', args, { ...options, reject: false });
}

const beside = [];

/** Runs a script beside the others; `printBeside` prints what it said. */
function npmBeside(script, files) {
  const run = npm(script, files, { all: true, buffer: true });
  beside.push(run);
  run.then(() => {
    run.ended = true;
  });
  return run;
}

/** @param all also of those that have not ended, when they have */
async function printBeside(all) {
  for (const run of [...beside]) {
    if (!all && !run.ended) continue;
    process.stdout.write(`${(await run).all}\n`);
    beside.splice(beside.indexOf(run), 1);
  }
}

process.stderr.write('unit tests run beside the end-to-end tests, and are printed after them\n');
const unit = npmBeside('test:unit');
setPriority(unit.pid, constants.priority.PRIORITY_BELOW_NORMAL);
const endToEnd = npm('test:e2e', WITH_AGENT);
await endToEnd;
await printBeside(false);
const withoutAgent = npmBeside('test:e2e', WITHOUT_AGENT);
const fleets = npm('test:fleet');
await fleets;
await printBeside(true);
const results = await Promise.all([unit, endToEnd, fleets, withoutAgent]);
process.exit(results.some(({ failed }) => failed) ? 1 : 0);
