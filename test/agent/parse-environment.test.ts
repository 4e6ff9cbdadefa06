// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { readWorkerConfig } from '../../agent/src/config.js';
import { deprecationWarnings, withDefaults } from '../../agent/src/parse-environment.js';

const livekit = {
  LIVEKIT_URL: 'wss://example.livekit.cloud',
  LIVEKIT_API_KEY: 'key',
  LIVEKIT_API_SECRET: 'secret',
};

describe('a renamed variable', () => {
  it.each([
    ['GOODBYE', 'END_CALL_INSTRUCTIONS', 'Say bye.', 'Say nothing.', 'endCallInstructions'],
    ['GOODBYE_S', 'END_CALL_TIMEOUT_S', '20', '30', 'endCallTimeoutMs'],
    ['CALL_WIRE', 'PUBLISH_BEDROCK_EVENTS', 'true', 'false', 'publishBedrockEvents'],
    ['CPU_FULL_AT', 'CPU_LOAD_THRESHOLD_PERCENT', '50', '60', 'cpuLoadThreshold'],
    ['HANG_TIMEOUT_S', 'UNRESPONSIVE_TIMEOUT_S', '5', '6', 'unresponsiveTimeoutMs'],
    ['SPARE_PROCESSES', 'EXTRA_IDLE_PROCESSES', '7', '8', 'extraIdleProcesses'],
  ] as const)('%s still works as %s', (old, name, value, other, field) => {
    const read = (env: NodeJS.ProcessEnv) => readWorkerConfig({ ...livekit, ...env })[field];
    expect(read({ [old]: value })).toEqual(read({ [name]: value }));
    expect(read({ [old]: value })).not.toEqual(read({}));
    expect(read({ [old]: value, [name]: ' ' })).toEqual(read({ [name]: value }));
    expect(read({ [old]: value, [name]: other })).toEqual(read({ [name]: other }));

    expect(deprecationWarnings({ [old]: value })).toEqual([
      `${old} is deprecated: use ${name} instead.`,
    ]);
    expect(deprecationWarnings({ [old]: value, [name]: other })).toEqual([
      `${old} is ignored because ${name} is set: remove ${old}, its deprecated name.`,
    ]);
    expect(deprecationWarnings({ [old]: '', [name]: other })).toEqual([]);
  });

  it('is named in the error about its value', () => {
    expect(() => readWorkerConfig({ ...livekit, CPU_FULL_AT: '200' })).toThrow(
      'CPU_FULL_AT (now CPU_LOAD_THRESHOLD_PERCENT) cannot be "200": set it to a percentage from 1 to 100, or 0 to ignore CPU.',
    );
  });
});

describe('withDefaults', () => {
  it('adds what is set by neither name', () => {
    const defaults = { CPU_LOAD_THRESHOLD_PERCENT: '0', DRAIN_TIMEOUT_S: '1' };
    expect(withDefaults({ CPU_FULL_AT: '50' }, defaults)).toEqual({
      CPU_FULL_AT: '50',
      DRAIN_TIMEOUT_S: '1',
    });
    expect(
      withDefaults({ CPU_LOAD_THRESHOLD_PERCENT: '60', DRAIN_TIMEOUT_S: '' }, defaults),
    ).toEqual({ CPU_LOAD_THRESHOLD_PERCENT: '60', DRAIN_TIMEOUT_S: '1' });
  });
});
