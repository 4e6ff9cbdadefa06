// SPDX-License-Identifier: Apache-2.0

import { InferenceRunner, type JobRequest, ServerOptions } from '@livekit/agents';
import type { WorkerConfig } from '../config.js';

/** How far beyond its memory limit a process may be when the framework, which checks every 5 s, ends it. */
const MEMORY_TOLERANCE = 1.25;

export interface ServerCallbacks {
  /** Answers each job that LiveKit offers. */
  requestFunc(request: JobRequest): Promise<void>;
  /** 0 to 1; 1: no more jobs. */
  load(): number;
}

/** @param agentFile path of the module whose default export is the agent, for the job processes */
export function serverOptions(
  config: WorkerConfig,
  agentFile: string,
  { requestFunc, load }: ServerCallbacks,
): ServerOptions {
  const { livekit } = config;
  disableLocalInference();
  return new ServerOptions({
    agent: agentFile,
    wsURL: livekit.url,
    apiKey: livekit.apiKey,
    apiSecret: livekit.apiSecret,
    agentName: livekit.agentName,
    requestFunc,
    loadFunc: async () => load(),
    loadThreshold: 1,
    numIdleProcesses: config.callsPerTask,
    // The supervisor ends a call at the limit. This is for a process that has no call, or is too busy to report.
    jobMemoryLimitMB: config.jobMemoryLimitMB * MEMORY_TOLERANCE,
    // After the default of 10 tries the framework ends the worker, and its calls.
    maxRetry: Number.MAX_SAFE_INTEGER,
    logLevel: config.logLevel,
    // The framework's health page returns 503 while LiveKit is unreachable: keep it out of reach of probes.
    host: '127.0.0.1',
  });
}

/** The framework starts a 300 MB process for turn detection models, which Nova Sonic does not need. */
function disableLocalInference(): void {
  InferenceRunner.registerRunner = () => {};
}
