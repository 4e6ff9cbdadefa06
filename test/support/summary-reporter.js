import { appendFileSync } from 'node:fs';

/** Writes each run's counts to $TEST_COUNTS, from which `.ci/run` makes its closing line. */
export default class SummaryReporter {
  onRunComplete(_contexts, results) {
    const file = process.env.TEST_COUNTS;
    if (!file) return;
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    appendFileSync(file, `${results.numPassedTests} ${failed} ${results.numPendingTests}\n`);
  }
}
