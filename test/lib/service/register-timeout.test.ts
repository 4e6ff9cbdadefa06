// SPDX-License-Identifier: Apache-2.0

import { expect, test } from '@jest/globals';
import { readWorkerConfig } from '../../../agent/src/config.js';
import { healthCheck } from '../../../lib/service/health-check.js';

test('a worker that LiveKit does not accept says why before the health check ends its task', () => {
  const { registerTimeoutMs } = readWorkerConfig({
    LIVEKIT_URL: 'ws://127.0.0.1:7880',
    LIVEKIT_API_KEY: 'key',
    LIVEKIT_API_SECRET: 'secret',
  });
  const { startPeriod, interval, retries = 0 } = healthCheck;
  // Failures count once the start period is over; the first of them may come at once.
  const seconds = (startPeriod?.toSeconds() ?? 0) + (retries - 1) * (interval?.toSeconds() ?? 0);
  expect(registerTimeoutMs).toBeGreaterThan(0);
  expect(registerTimeoutMs / 1000).toBeLessThan(seconds);
});
