// SPDX-License-Identifier: Apache-2.0

import { expect, test } from '@jest/globals';
import { hostsFor } from '../../../agent/src/worker/create-job-processes.js';

test.each([
  ['a host for each core', { callsPerTask: 10, callsPerProcess: 10 }, 2, 2],
  ['at least two, on a part of a core', { callsPerTask: 10, callsPerProcess: 10 }, 0.5, 2],
  ['as many as the slots need', { callsPerTask: 25, callsPerProcess: 10 }, 2, 3],
  ['none that could get no call', { callsPerTask: 2, callsPerProcess: 10 }, 8, 2],
  ['as many as were asked for', { callsPerTask: 10, callsPerProcess: 10, callHosts: 1 }, 2, 1],
  ['not fewer than the slots need', { callsPerTask: 25, callsPerProcess: 10, callHosts: 1 }, 2, 3],
])('%s', (_, config, cores, hosts) => {
  expect(hostsFor(config, cores)).toBe(hosts);
});
