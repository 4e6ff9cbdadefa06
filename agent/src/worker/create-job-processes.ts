// SPDX-License-Identifier: Apache-2.0

import { fork } from 'node:child_process';
import { log } from '@livekit/agents';
import type { WorkerConfig } from '../config.js';
import type { CallSupervisor } from '../supervision/call-supervisor.js';
import { availableCores } from './cpu.js';
import { HostPool } from './host-pool.js';
import type { JobAdmission } from './job-admission.js';
import type { JobProcesses } from './job-processes.js';
import { WarmPool } from './warm-pool.js';

/** A process that has sent no heartbeat for so long, of one a second, is busy: it gets no new call. */
const RESPONSIVE_MS = 2_500;

/** One process for each call, or a few for all of them: CALLS_PER_PROCESS. */
export function createJobProcesses(
  config: WorkerConfig,
  agentFile: string,
  admission: JobAdmission,
  supervisor: () => CallSupervisor,
): JobProcesses {
  const onInitializeFailure = (inARow: number) =>
    log().error({ in_a_row: inARow }, 'job process failed to start');
  const { slots } = admission;
  const onePerCall = new WarmPool({
    targetSize: () => (admission.draining ? 0 : slots.free + config.extraIdleProcesses),
    warm: () => supervisor().warmProcesses,
    concurrency: Math.max(1, Math.floor(availableCores() / 2)),
    onInitializeFailure,
  });
  if (config.callsPerProcess === 1) return onePerCall;
  const callHost = new URL('../host/call-host.js', import.meta.url);
  return new HostPool({
    hosts: hostsFor(config, availableCores()),
    callsPerHost: config.callsPerProcess,
    spawn: () => {
      const host = fork(callHost, [agentFile, config.logLevel]);
      // A command to a host that has just died: its exit follows.
      host.on('error', (error) => log().debug({ error, host_pid: host.pid }, 'call host failed'));
      return host;
    },
    responsive: (pid) => supervisor().responsive(pid, RESPONSIVE_MS),
    onRetired: (pid) => supervisor().expectExit(pid),
    onInitializeFailure,
    fallback: onePerCall,
  });
}

/**
 * A host for each core, or as many as were asked for; more if the slots need more, but none that could get no call. At
 * least two, so that the calls of a host that dies go on at once in another.
 */
export function hostsFor(
  config: Pick<WorkerConfig, 'callsPerTask' | 'callsPerProcess' | 'callHosts'>,
  cores: number,
): number {
  const { callsPerTask, callsPerProcess, callHosts = Math.max(2, Math.floor(cores)) } = config;
  const needed = Math.ceil(callsPerTask / callsPerProcess);
  return Math.min(callsPerTask, Math.max(needed, callHosts));
}
