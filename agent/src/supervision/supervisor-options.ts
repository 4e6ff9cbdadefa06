// SPDX-License-Identifier: Apache-2.0

import type { TokenPrices } from 'livekit-plugin-nova-sonic/models';
import type { CallRecord } from './call-record.js';
import type { SupervisorMessage } from './supervisor-messages.js';

/** The connection to one job process. */
export interface JobConnection {
  send(message: SupervisorMessage): void;
  /** Sends SIGKILL, for a process that no longer reacts. */
  kill(pid: number): void;
}

export interface SupervisorOptions {
  prices: TokenPrices;
  /** Whether a process may carry several calls: then no single call's fault is a reason to kill it. Default: never. */
  sharedProcesses?: () => boolean;
  /** Milliseconds without a heartbeat after which a process is killed, with or without a call. Default 20 000. */
  unresponsiveTimeoutMs?: number;
  /**
   * Megabytes above which a process with a call is killed; 0: no limit. Default 0. A shared process is first given
   * no more calls, see `onProcessGrown`, and killed at twice the limit.
   */
  memoryLimitMB?: number;
  /** Milliseconds that a call may last; 0: no limit. Default 0. */
  maxCallMs?: number;
  /** Milliseconds from `end_gracefully` to `end_now`; 0: calls end without a last reply. Default 12 000. */
  endCallTimeoutMs?: number;
  /** Milliseconds from `end_now` to SIGKILL. Default 20 000. */
  killAfterMs?: number;
  /**
   * Milliseconds that a process may take to exit after it reported the end of its call. The framework waits up to
   * 60 s for the audio of an agent whose caller hung up before hearing it. Default 8 000.
   */
  exitTimeoutMs?: number;
}

export interface SupervisorEvents {
  onCallStarted?: (record: CallRecord) => void;
  /** The process of a call died: true when another one will take the call up.  @default no other one will */
  onCallLost?: (record: CallRecord) => boolean;
  /** Another process took the call up, `lostMs` after its own had died. */
  onCallResumed?: (record: CallRecord, lostMs: number) => void;
  /** The call is cleaned up, or its process is gone and no other took it up; the record is complete. */
  onCallEnded?: (record: CallRecord, now: number) => void;
  /** For each lane that failed when it was last asked the milliseconds left of its cooldown. */
  onCooldownsChanged?: (lanes: Record<string, number>) => void;
  /** A shared process uses more than its limit, or does not end a call: it should get no more calls. */
  onRetire?: (retired: RetiredProcess) => void;
}

/** A process with several calls that should get no more. */
export interface RetiredProcess {
  pid: number;
  reason: 'memory_limit' | 'did_not_end';
  memoryMB: number;
  /** The call that does not end, or the one that the process grew most by, as far as that is known. */
  job?: string;
  /** Megabytes by which the process grew while that call's tools ran. */
  grownMB?: number;
}
