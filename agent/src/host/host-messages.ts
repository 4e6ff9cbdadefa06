// SPDX-License-Identifier: Apache-2.0

import type { RunningJobInfo } from '@livekit/agents';

/** What a worker asks of one of its call hosts, over the channel of `fork`. */
export type HostCommand =
  | { type: 'start'; job: RunningJobInfo }
  /** End one call in order. */
  | { type: 'close'; callId: string; reason: string }
  /** Exit when the last call has ended. */
  | { type: 'exit' };

/** What a call host reports to its worker. */
export type HostReport =
  /** The agent is loaded and warm. */
  | { type: 'ready' }
  /** A call has ended, with everything cleaned up. */
  | { type: 'closed'; callId: string }
  /** Something failed that belongs to no call: this process should take no more calls. */
  | { type: 'unsound'; reason: string };
