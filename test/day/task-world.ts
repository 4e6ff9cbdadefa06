// SPDX-License-Identifier: Apache-2.0

import type { OfferedJob, SimulatedLiveKit } from '../agent/watcher/simulated-livekit.js';
import type { SimulatedEcs } from '../local/fleet/simulated-ecs.js';
import type { ManualClock } from '../support/manual-clock.js';

/** What a task and its processes meet in a day. */
export interface TaskWorld {
  readonly clock: ManualClock;
  readonly random: () => number;
  readonly livekit: SimulatedLiveKit;
  readonly ecs: SimulatedEcs;
  /** Whether there is a caller in a room. */
  talks(room: string): boolean;
  agentJoined(job: OfferedJob): void;
  /** The agent has left its room. */
  agentLeft(job: OfferedJob): void;
  /** The process of an agent is gone: LiveKit notices later, unless another one takes its place. */
  agentLost(job: OfferedJob): void;
  removeAgent(job: string, room: string): void;
  /** The agent has disconnected the caller. */
  callerDisconnected(job: OfferedJob, reason: string): void;
  /** Something that must never happen. */
  violation(what: string): void;
}
