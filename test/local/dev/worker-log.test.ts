// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { createWorkerLogFormatter } from '../../../local/dev/worker-log.js';

describe('createWorkerLogFormatter', () => {
  const line = (level: number, msg: string, more: object = {}) =>
    JSON.stringify({ level, time: 1, pid: 2, ...more, msg });

  it('shows warnings and errors with their cause', () => {
    const format = createWorkerLogFormatter();
    expect(format(line(40, 'slow'))).toBe('the agent: slow');
    expect(format(line(50, 'failed', { error: { message: 'no access', stack: 'at …' } }))).toBe(
      'the agent: failed: no access',
    );
    expect(format(line(50, 'error in the call', { error: 'gave up' }))).toBe(
      'the agent: error in the call: gave up',
    );
  });

  it('hides informational lines and metrics', () => {
    const format = createWorkerLogFormatter();
    expect(format(line(30, 'ready'))).toBeUndefined();
    expect(format('{"_aws":{"Timestamp":1},"ActiveCalls":0}')).toBeUndefined();
    expect(format('  ')).toBeUndefined();
  });

  it('passes on lines that are not JSON', () => {
    expect(createWorkerLogFormatter()('Segmentation fault')).toBe('Segmentation fault');
  });

  it('shows a warning once, an error every time', () => {
    const format = createWorkerLogFormatter();
    expect([1, 2].map(() => format(line(40, 'slow')))).toEqual(['the agent: slow', undefined]);
    expect([1, 2].map(() => format(line(50, 'failed')))).toEqual([
      'the agent: failed',
      'the agent: failed',
    ]);
  });
});
