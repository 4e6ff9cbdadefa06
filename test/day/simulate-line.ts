// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto';
import seedrandom from 'seedrandom';
import { converse } from '../packages/livekit-plugin-nova-sonic/support/simulated-conversation.js';

/** The longest call, which the worker ends. */
const LONGEST_MIN = 60;

export interface LineOptions {
  seed: number;
  /** Hours of conversation. Default 24. */
  hours?: number;
  onCall?: (report: TelephoneLineReport) => void;
}

export interface TelephoneLineReport {
  seed: number;
  hours: number;
  calls: number;
  questions: number;
  /** Streams that were opened: for calls, handoffs, renewals and after failures. */
  streams: number;
  /** Streams that were made to fail. */
  failures: number;
  digest: string;
  /** With the seed of the conversation, see `converse`. */
  violations: string[];
}

/**
 * One telephone line for a day: call after call, each of them a conversation of the real session of the plugin with the
 * simulated service, with sound all the time. Streams end after 8 minutes and are renewed before, fail, and are refused.
 */
export async function simulateLine({
  seed,
  hours = 24,
  onCall,
}: LineOptions): Promise<TelephoneLineReport> {
  const random = seedrandom(`line ${seed}`);
  const report: TelephoneLineReport = {
    seed,
    hours: 0,
    calls: 0,
    questions: 0,
    streams: 0,
    failures: 0,
    digest: '',
    violations: [],
  };
  const digest = createHash('sha256');
  while (report.hours < hours && report.violations.length === 0) {
    // Median 4 minutes, and now and then a very long one.
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const left = (hours - report.hours) * 60;
    const minutes = Math.min(LONGEST_MIN, Math.max(0.5, left), 4 * Math.exp(1.1 * normal));
    const callSeed = 1_000 * seed + report.calls;
    const violations = await converse(callSeed, {
      minutes,
      inspect: ({ heard, sonic }, questions, failures) => {
        report.questions += questions;
        report.streams += sonic.streams.length;
        report.failures += failures;
        digest.update(JSON.stringify(heard));
      },
    });
    report.violations.push(
      ...violations.map((what) => `${what} (a call of ${minutes.toFixed(1)} min)`),
    );
    report.calls += 1;
    report.hours += minutes / 60;
    onCall?.(report);
  }
  report.digest = digest.digest('hex').slice(0, 12);
  return report;
}
