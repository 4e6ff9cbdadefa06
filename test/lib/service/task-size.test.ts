// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import {
  CPU_UNITS,
  maxCalls,
  processLimitMB,
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
  // Half of the memory: 300, at least two processes of 150 with ten calls each, and 40 for each call.
  test.each([
    [512, 1],
    [1024, 1],
    [1359, 1],
    [1360, 2],
    [2048, 10],
    [4096, 30],
    [122_880, 1110],
  ])('in %i MiB are at most %i', (memory, most) => {
    expect(maxCalls(memory)).toBe(most);
  });

  // All of it, with a process of 150 for each call and two more.
  test.each([
    [512, 1],
    [979, 1],
    [980, 2],
    [2048, 7],
    [4096, 18],
  ])('in %i MiB are at most %i that share no process', (memory, most) => {
    expect(maxCalls(memory, 1)).toBe(most);
  });

  test('are fewer when fewer share a process', () => {
    expect(maxCalls(4096, 2)).toBe(14);
    expect(maxCalls(4096, 100)).toBe(36);
  });

  test('beyond that are rejected', () => {
    expect(validateCallsPerTask(30, 4096)).toBeUndefined();
    expect(validateCallsPerTask(31, 4096)).toBe(
      '"callsPerTask" cannot be 31 with "memory" 4096: 31 calls take 300 + 4 x 150 + 31 x 40 = 2140 MiB, and half of the memory is for a process that grows, so lower it to 30 or raise "memory".',
    );
    expect(validateCallsPerTask(18, 4096, 1)).toBeUndefined();
    expect(validateCallsPerTask(19, 4096, 1)).toBe(
      '"callsPerTask" cannot be 19 with "memory" 4096: 19 calls take 300 + 21 x 150 + 19 x 40 = 4210 MiB, so lower it to 18 or raise "memory".',
    );
  });

  test('one call fits anywhere', () => {
    expect(validateCallsPerTask(1, 512)).toBeUndefined();
  });
});

test.each([
  [512, undefined, 384],
  [1536, undefined, 384],
  [2048, undefined, 512],
  [3072, 2, 768],
  // The worker's own.
  [4096, undefined, undefined],
  [2048, 1, undefined],
])('in %i MiB a process of %p calls gets no more at %p MB', (memory, callsPerProcess, limit) => {
  expect(processLimitMB(memory, callsPerProcess)).toBe(limit);
});
