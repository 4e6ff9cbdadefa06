// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { workerLines } from '../../../local/dev/worker-log.js';

describe("the worker's log in words", () => {
  const line = (level: number, msg: string, more: object = {}) =>
    JSON.stringify({ level, time: 1, pid: 2, ...more, msg });

  it('has warnings and errors, with their reason', () => {
    const words = workerLines();
    expect(words(line(40, 'slow'))).toBe('the agent: slow');
    expect(words(line(50, 'failed', { error: { message: 'no access', stack: 'at …' } }))).toBe(
      'the agent: failed: no access',
    );
    expect(words(line(50, 'error in the call', { error: 'gave up' }))).toBe(
      'the agent: error in the call: gave up',
    );
  });

  it('leaves out what is well, and metrics', () => {
    const words = workerLines();
    expect(words(line(30, 'ready'))).toBeUndefined();
    expect(words('{"_aws":{"Timestamp":1},"ActiveCalls":0}')).toBeUndefined();
    expect(words('  ')).toBeUndefined();
  });

  it('passes on what is no log line', () => {
    expect(workerLines()('Segmentation fault')).toBe('Segmentation fault');
  });

  it('says a warning once, an error each time', () => {
    const words = workerLines();
    expect([1, 2].map(() => words(line(40, 'slow')))).toEqual(['the agent: slow', undefined]);
    expect([1, 2].map(() => words(line(50, 'failed')))).toEqual([
      'the agent: failed',
      'the agent: failed',
    ]);
  });
});
