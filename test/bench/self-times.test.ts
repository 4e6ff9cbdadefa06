// SPDX-License-Identifier: Apache-2.0

import { expect, it } from '@jest/globals';
import { type CpuProfile, selfTimes } from '../../bench/profile/self-times.js';

const frame = (id: number, url: string, functionName = '') => ({
  id,
  callFrame: { functionName, url },
});

it('sums up the time of each package between two moments', () => {
  const profile: CpuProfile = {
    nodes: [
      frame(1, '', '(idle)'),
      frame(2, 'file:///app/node_modules/@livekit/agents/dist/a.js'),
      frame(3, 'file:///app/node_modules/x/node_modules/pino/lib/b.js'),
      frame(4, 'node:internal/http2/core'),
      frame(5, 'file:///work/agent/dist/agent.js'),
      frame(6, '', '(garbage collector)'),
    ],
    startTime: 1_000_000,
    samples: [2, 2, 1, 3, 4, 5, 6, 2],
    timeDeltas: [10_000, 5_000, 100_000, 2_000, 3_000, 4_000, 1_000, 500_000],
  };
  expect(selfTimes(profile, 1_012_000, 1_200_000)).toEqual([
    { name: '@livekit/agents', ms: 5 },
    { name: 'agent/dist/agent.js', ms: 4 },
    { name: 'node:internal/http2', ms: 3 },
    { name: 'pino', ms: 2 },
    { name: '(garbage collector)', ms: 1 },
  ]);
});
