// SPDX-License-Identifier: Apache-2.0

import { AgentServer, type ServerOptions } from '@livekit/agents';
import { type MonotonicClock, systemMonotonicClock } from '../clock.js';
import type { WorkerConfig } from '../config.js';
import { LiveKitRooms } from '../watcher/livekit-rooms.js';
import type { RoomsApi } from '../watcher/rooms-api.js';
import { createJobProcesses } from './create-job-processes.js';
import { endDeadCall } from './end-dead-call.js';
import { serveHealth } from './health-server.js';

/** What the worker meets outside of itself; a test passes its own. */
export interface WorkerPeers {
  readonly clock: MonotonicClock;
  /** Sends the signals; the job processes inherit its environment. */
  readonly process: {
    readonly env: NodeJS.ProcessEnv;
    on(signal: NodeJS.Signals, listener: () => void): unknown;
  };
  /** Calls `fn` every `ms`; returns a function that ends it. */
  every(ms: number, fn: () => void): () => void;
  createServer(options: ServerOptions): AgentServer;
  readonly createJobProcesses: typeof createJobProcesses;
  readonly serveHealth: typeof serveHealth;
  readonly endDeadCall: typeof endDeadCall;
  createRooms(config: Pick<WorkerConfig, 'livekit' | 'callers'>): RoomsApi;
}

export const systemPeers: WorkerPeers = {
  clock: systemMonotonicClock,
  process,
  every(ms, fn) {
    const timer = setInterval(fn, ms);
    return () => clearInterval(timer);
  },
  createServer: (options) => new AgentServer(options),
  createJobProcesses,
  serveHealth,
  endDeadCall,
  createRooms: (config) => new LiveKitRooms(config),
};
