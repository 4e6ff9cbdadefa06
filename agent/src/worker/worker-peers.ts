// SPDX-License-Identifier: Apache-2.0

import { AgentServer, type ServerOptions } from '@livekit/agents';
import { type MonotonicClock, systemMonotonicClock } from '../clock.js';
import type { WorkerConfig } from '../config.js';
import { serviceApi } from '../ecs/service-api.js';
import { ecsAgent } from '../ecs/task-protection-endpoint.js';
import type { CallSupervisor } from '../supervision/call-supervisor.js';
import { SupervisorServer } from '../supervision/supervisor-server.js';
import { LiveKitRooms } from '../watcher/livekit-rooms.js';
import { connectPresence } from '../watcher/presence-connection.js';
import type { RoomsApi } from '../watcher/rooms-api.js';
import { CpuMonitor } from './cpu.js';
import { createJobProcesses } from './create-job-processes.js';
import { endDeadCall } from './end-dead-call.js';
import { serveHealth } from './health-server.js';

/** What the worker meets outside of itself; a test passes its own. */
export interface WorkerPeers {
  readonly clock: MonotonicClock;
  /** Milliseconds since the epoch. */
  wallClock(): number;
  /** Uniformly distributed in 0 to 1. */
  random(): number;
  /** Sends the signals; the job processes inherit its environment. */
  readonly process: {
    readonly env: NodeJS.ProcessEnv;
    on(signal: NodeJS.Signals, listener: () => void): unknown;
  };
  /** Calls `fn` every `ms`; returns a function that ends it. */
  every(ms: number, fn: () => void): () => void;
  createServer(options: ServerOptions): AgentServer;
  createCpu(): CpuMonitor;
  /** Lets the job processes reach the supervisor at `path`. */
  openSupervisor(supervisor: CallSupervisor): Promise<Pick<SupervisorServer, 'path' | 'close'>>;
  readonly ecsAgent: typeof ecsAgent;
  readonly serviceApi: typeof serviceApi;
  readonly createJobProcesses: typeof createJobProcesses;
  readonly serveHealth: typeof serveHealth;
  readonly endDeadCall: typeof endDeadCall;
  createRooms(config: Pick<WorkerConfig, 'livekit' | 'callers'>): RoomsApi;
  readonly connectPresence: typeof connectPresence;
}

export const systemPeers: WorkerPeers = {
  clock: systemMonotonicClock,
  wallClock: Date.now,
  random: Math.random,
  process,
  every(ms, fn) {
    const timer = setInterval(fn, ms);
    return () => clearInterval(timer);
  },
  createServer: (options) => new AgentServer(options),
  createCpu: () => new CpuMonitor(),
  openSupervisor: (supervisor) => SupervisorServer.open(supervisor),
  ecsAgent,
  serviceApi,
  createJobProcesses,
  serveHealth,
  endDeadCall,
  createRooms: (config) => new LiveKitRooms(config),
  connectPresence,
};
