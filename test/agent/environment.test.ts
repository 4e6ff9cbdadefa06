// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { readWorkerConfig } from '../../agent/src/config.js';
import { ENVIRONMENT_VARIABLES } from '../../agent/src/environment.js';

const livekit = {
  LIVEKIT_URL: 'wss://example.livekit.cloud',
  LIVEKIT_API_KEY: 'key',
  LIVEKIT_API_SECRET: 'secret',
};

describe('ENVIRONMENT_VARIABLES', () => {
  it('lists every variable with its documentation', () => {
    expect(ENVIRONMENT_VARIABLES).toContainEqual({
      name: 'END_CALL_TIMEOUT_S',
      default: '12',
      description: 'Seconds for that last reply.',
      allowed: 'whole seconds from 1 to 60',
      setBy: 'operator',
      formerName: 'GOODBYE_S',
    });
    for (const { description } of ENVIRONMENT_VARIABLES) expect(description).toMatch(/^[A-Z].*\.$/);
  });

  const ranges = ENVIRONMENT_VARIABLES.flatMap(({ name, allowed }) => {
    const [, min, max] = /from (\d+) to (\d+)/.exec(allowed) ?? [];
    return min ? [[name, Number(min), Number(max), /, or 0 /.test(allowed)] as const] : [];
  });
  it.each(ranges)('%s allows what its error message says: %i to %i', (name, min, max, zero) => {
    const read = (value: number) => () => readWorkerConfig({ ...livekit, [name]: String(value) });
    for (const value of [min, max, ...(zero ? [0] : [])]) expect(read(value)).not.toThrow();
    for (const value of [max + 1, min + 0.5, ...(zero ? [] : [min - 1])]) {
      expect(read(value)).toThrow(name);
    }
  });
});
