// SPDX-License-Identifier: Apache-2.0

export interface LoadInput {
  /** Slots in use, 0 to 1. */
  slotUtilization: number;
  draining: boolean;
  /** Free slots without a warm process, as a share of all slots. */
  coldSlots: number;
  /** CPU in use, 0 to 1. */
  cpuUtilization: number;
  /** CPU use at which the task takes no more calls, 0 to 1; 0: CPU is ignored. */
  cpuLoadThreshold: number;
}

/**
 * The most that a task with a free slot reports. LiveKit weighs a server node by its workers' distance from
 * `agents.target_load`, 0.7 by default, and offers no job where that distance is zero, however available the workers
 * are (livekit-server 1.13.5, JobRequestAffinity): a task that reported 0.7 would never be filled.
 */
const MAX_OPEN_LOAD = 0.65;

/**
 * The load reported to LiveKit, 0 to 1, where 1 means "no more calls": the larger of slots in use and CPU. Slots
 * without a warm process count as in use, so that a burst goes to warm tasks, but never make a task full.
 */
export function workerLoad(input: LoadInput): number {
  const { slotUtilization, draining, coldSlots, cpuUtilization, cpuLoadThreshold } = input;
  if (draining || slotUtilization >= 1) return 1;
  const slots = Math.min(0.99, slotUtilization + coldSlots);
  const cpu = cpuLoadThreshold > 0 ? Math.min(1, cpuUtilization / cpuLoadThreshold) : 0;
  const used = Math.max(slots, cpu);
  return used >= 1 ? 1 : used * MAX_OPEN_LOAD;
}
