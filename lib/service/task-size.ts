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

// What a task takes, in MiB with a margin; measured: docs/performance.md.

/** The main process, that of the waiting line, Node's buffers and the system. */
const BASE_MIB = 300;
/** A process that carries calls, before its first one: 110 to 145. */
const PROCESS_MIB = 150;
/** A call: 14 to 27 where several share a process. */
const CALL_MIB = 40;
/** The collector of traces for X-Ray. More than this it may not have: then ECS ends the collector, and no call. */
export const COLLECTOR_MIB = 256;
/** A task with shared processes has at least this many, and one with a process for each call this many more than calls. */
const SPARE_PROCESSES = 2;

/** The worker's default of JOB_MEMORY_LIMIT_MB, and the least with which a process can carry calls. */
const [LEAST_LIMIT_MB, DEFAULT_LIMIT_MB] = [384, 1024];

/** Most calls of one process, where nothing else is said. */
export const CALLS_PER_PROCESS = 10;

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

/** How many calls of a task share a process, at most.  @default CALLS_PER_PROCESS */
type CallsPerProcess = number | undefined;

/**
 * The number of calls that fit into a task of this memory. Where they share processes, half of the memory is for one that
 * grows, because of a tool, until it is ended: it should not take the others with it.
 */
export function maxCalls(memory: number, callsPerProcess?: CallsPerProcess): number {
  let calls = 1;
  while (fits(calls + 1, memory, callsPerProcess)) calls += 1;
  return calls;
}

/**
 * Checks this many calls against this memory.
 * @param others MiB of it that other containers of the task take
 * @returns one sentence when the calls do not fit, else undefined
 */
export function validateCallsPerTask(
  calls: number,
  memory: number,
  callsPerProcess?: CallsPerProcess,
  others = 0,
): string | undefined {
  const problem = validateRange('callsPerTask', calls, RANGES.callsPerTask);
  if (problem) return problem;
  const left = memory - others;
  if (calls === 1 || fits(calls, left, callsPerProcess)) return undefined;
  const count = processes(calls, callsPerProcess);
  const sum = `${BASE_MIB} + ${count} x ${PROCESS_MIB} + ${calls} x ${CALL_MIB} = ${neededMiB(calls, callsPerProcess)} MiB`;
  const half = callsPerProcess === 1 ? '' : ', and half of the memory is for a process that grows';
  const taken = others > 0 ? `, of which other containers take ${others}` : '';
  return `"callsPerTask" cannot be ${calls} with "memory" ${memory}${taken}: ${calls} calls take ${sum}${half}, so lower it to ${maxCalls(left, callsPerProcess)} or raise "memory".`;
}

/**
 * Megabytes above which a process with several calls gets no new ones, and at twice of which it is ended, for a task of
 * this memory: JOB_MEMORY_LIMIT_MB. Undefined where the worker's own default is right.
 */
export function processLimitMB(
  memory: number,
  callsPerProcess?: CallsPerProcess,
): number | undefined {
  const limit = Math.max(LEAST_LIMIT_MB, Math.floor(memory / 4));
  return callsPerProcess === 1 || limit >= DEFAULT_LIMIT_MB ? undefined : limit;
}

const fits = (calls: number, memory: number, callsPerProcess: CallsPerProcess) =>
  neededMiB(calls, callsPerProcess) <= (callsPerProcess === 1 ? memory : memory / 2);

const neededMiB = (calls: number, callsPerProcess: CallsPerProcess) =>
  BASE_MIB + processes(calls, callsPerProcess) * PROCESS_MIB + calls * CALL_MIB;

const processes = (calls: number, callsPerProcess: CallsPerProcess = CALLS_PER_PROCESS) =>
  callsPerProcess === 1
    ? calls + SPARE_PROCESSES
    : Math.max(SPARE_PROCESSES, Math.ceil(calls / callsPerProcess));
