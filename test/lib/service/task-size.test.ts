// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import {
  CPU_UNITS,
  maxCalls,
  validateCallsPerTask,
  validateTaskSize,
} from '../../../lib/service/task-size.js';

/** AWS's table of Fargate sizes: CPU units, then memory in MiB from, to, in steps of. */
const FARGATE: [cpu: number, least: number, most: number, step: number][] = [
  [512, 1024, 4096, 1024],
  [1024, 2048, 8192, 1024],
  [2048, 4096, 16_384, 1024],
  [4096, 8192, 30_720, 1024],
  [8192, 16_384, 61_440, 4096],
  [16_384, 32_768, 122_880, 8192],
];

describe('a size of a task', () => {
  test.each(FARGATE)('with %i CPU units is what Fargate offers', (cpu, least, most, step) => {
    const told = (memory: number) =>
      `"memory" cannot be ${memory} with "cpu" ${cpu}: Fargate offers ${least} to ${most} MiB in steps of ${step} with it.`;
    for (let memory = least; memory <= most; memory += step) {
      expect([memory, validateTaskSize(cpu, memory)]).toEqual([memory, undefined]);
    }
    for (const memory of [least - step, least - 1, least + 1, least + step / 2, most + step]) {
      expect(validateTaskSize(cpu, memory)).toBe(told(memory));
    }
  });

  test('with 256 CPU units has three memories', () => {
    const fits = [256, 512, 768, 1024, 1536, 2048, 2560].filter(
      (memory) => !validateTaskSize(256, memory),
    );
    expect(fits).toEqual([512, 1024, 2048]);
  });

  test('with other CPU units is none', () => {
    expect(CPU_UNITS).toEqual([256, ...FARGATE.map(([cpu]) => cpu)]);
    expect(validateTaskSize(3000, 4096)).toBe(
      '"cpu" cannot be 3000: Fargate offers 256, 512, 1024, 2048, 4096, 8192, 16384 CPU units.',
    );
  });
});

describe('the calls of a task', () => {
  test.each([
    [512, 1],
    [900, 1],
    [1099, 1],
    [1100, 2],
    [2048, 6],
    [4096, 16],
    [122_880, 610],
  ])('in %i MiB are at most %i', (memory, most) => {
    expect(maxCalls(memory)).toBe(most);
  });

  test('beyond that are rejected', () => {
    expect(validateCallsPerTask(16, 4096)).toBeUndefined();
    expect(validateCallsPerTask(17, 4096)).toBe(
      '"callsPerTask" cannot be 17 with "memory" 4096: 17 calls take 700 + 17 x 200 = 4100 MiB, so lower it to 16 or raise "memory".',
    );
  });
});
