// SPDX-License-Identifier: Apache-2.0

import { RANGES, validateRange } from '../service-limits.js';

/** Memory in MiB that Fargate offers with each number of CPU units: [min, max, step]. */
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

/** The main process and two extra idle ones take 440 MiB (measured); the rest is for Node's buffers and the system. */
const BASE_MIB = 700;

/** A call's process is 145 MiB before its call (measured), warm or not; the rest is for the call itself. */
const SLOT_MIB = 200;

/** Checks a task size. @returns one sentence when Fargate does not offer it, else undefined */
export function validateTaskSize(cpu: number, memory: number): string | undefined {
  const range = FARGATE[cpu];
  if (!range) return `"cpu" cannot be ${cpu}: Fargate offers ${CPU_UNITS.join(', ')} CPU units.`;
  const [min, max, step] = range;
  // 0.25 vCPU comes with 512, 1024 or 2048 MiB: the one row without an even step.
  const even = cpu === 256 ? memory !== 1536 : (memory - min) % step === 0;
  if (memory >= min && memory <= max && even && memory % 512 === 0) return undefined;
  return `"memory" cannot be ${memory} with "cpu" ${cpu}: Fargate offers ${min} to ${max} MiB in steps of ${step} with it.`;
}

/** The number of calls whose processes fit into a task of this memory. */
export function maxCalls(memory: number): number {
  return Math.max(1, Math.floor((memory - BASE_MIB) / SLOT_MIB));
}

/** Checks this many calls against this memory. @returns one sentence when they do not fit, else undefined */
export function validateCallsPerTask(calls: number, memory: number): string | undefined {
  const problem = validateRange('callsPerTask', calls, RANGES.callsPerTask);
  if (problem) return problem;
  if (calls <= maxCalls(memory)) return undefined;
  const needed = BASE_MIB + calls * SLOT_MIB;
  return `"callsPerTask" cannot be ${calls} with "memory" ${memory}: ${calls} calls take ${BASE_MIB} + ${calls} x ${SLOT_MIB} = ${needed} MiB, so lower it to ${maxCalls(memory)} or raise "memory".`;
}
