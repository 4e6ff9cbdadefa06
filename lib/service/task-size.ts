// SPDX-License-Identifier: Apache-2.0

import { RANGES, rangeMistake } from '../limits.js';

/** Memory in MiB that Fargate sells with each number of CPU units: [least, most, step]. */
const FARGATE: Readonly<Record<number, readonly [number, number, number]>> = {
  256: [512, 2048, 512],
  512: [1024, 4096, 1024],
  1024: [2048, 8192, 1024],
  2048: [4096, 16384, 1024],
  4096: [8192, 30720, 1024],
  8192: [16384, 61440, 4096],
  16384: [32768, 122880, 8192],
};

/** CPU units that a Fargate task can have; 1024 are one virtual CPU. */
export const CPU_UNITS: readonly number[] = Object.keys(FARGATE).map(Number);

/** The main process and two spare warm ones take 440 MiB (measured); the rest is for Node's buffers and the system. */
const BASE_MIB = 700;

/** A call's process is 145 MiB before its call (measured), warm or not; the rest is for the call itself. */
const SLOT_MIB = 200;

/** What is wrong with a size. @returns one sentence, or nothing when Fargate has it. */
export function sizeMistake(cpu: number, memory: number): string | undefined {
  const range = FARGATE[cpu];
  if (!range) return `"cpu" cannot be ${cpu}: Fargate has ${CPU_UNITS.join(', ')} CPU units.`;
  const [least, most, step] = range;
  // 0.25 vCPU comes with 512, 1024 or 2048 MiB: the one row without an even step.
  const even = cpu === 256 ? memory !== 1536 : (memory - least) % step === 0;
  if (memory >= least && memory <= most && even && memory % 512 === 0) return undefined;
  return `"memory" cannot be ${memory} with "cpu" ${cpu}: Fargate has ${least} to ${most} MiB in steps of ${step} there.`;
}

/** The most calls whose processes fit into a task of this memory. */
export function mostCalls(memory: number): number {
  return Math.max(1, Math.floor((memory - BASE_MIB) / SLOT_MIB));
}

/** What is wrong with this many calls in this memory. @returns one sentence, or nothing when they fit. */
export function callsMistake(calls: number, memory: number): string | undefined {
  const mistake = rangeMistake('callsPerTask', calls, RANGES.callsPerTask);
  if (mistake) return mistake;
  if (calls <= mostCalls(memory)) return undefined;
  const needed = BASE_MIB + calls * SLOT_MIB;
  return `"callsPerTask" cannot be ${calls} with "memory" ${memory}: ${calls} calls take ${BASE_MIB} + ${calls} x ${SLOT_MIB} = ${needed} MiB, so have at most ${mostCalls(memory)} calls or more memory.`;
}
